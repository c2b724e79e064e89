// Package envconfig names the environment variables of kindred, once. Each struct is one piece of
// configuration; the jobs read them with kong (a flag overrides the variable), the Lambda functions
// with caarlos0/env: both use the `env` tag. The package also reads and writes files of such
// variables (file.go) and says where a piece of configuration leads (place.go). `make local-up`
// writes all variables to a file that make and a shell can read.
package envconfig

// MySQL locates the shop's database.
type MySQL struct {
	DSN string `name:"mysql-dsn" env:"MYSQL_DSN" placeholder:"DSN" help:"The shop's MySQL database, as user:password@tcp(host:port)/database." json:"-"`
}

// PGVector locates the vector database.
type PGVector struct {
	DSN string `name:"pgvector-dsn" env:"PGVECTOR_DSN" placeholder:"URL" help:"The vector database (${pgvector_use=which serves the model versions}), as postgres://user:password@host:port/database." json:"-"`
	// IAM logs the DSN's user in with an IAM token instead of a password. RDS accepts that from users
	// who have the role rds_iam, over TLS only.
	IAM bool `name:"pgvector-iam-auth" env:"PGVECTOR_IAM_AUTH" envDefault:"false" help:"Log in to the vector database on RDS with an IAM token instead of a password."`
	// Via is for a person: a tunnel's own end. TLS and the token keep to the server's name in DSN.
	Via string `name:"pgvector-via" env:"PGVECTOR_VIA" envDefault:"" placeholder:"ADDRESS" help:"Address of a tunnel to the vector database, as host:port. The server's name and certificate stay those of --pgvector-dsn. Default: connect to the server itself."`
}

// Lake is where training sets are written and read.
type Lake struct {
	Bucket string `name:"lake" env:"LAKE_BUCKET" placeholder:"BUCKET" help:"The lake (${lake_use=training sets and interactions}): a bucket, s3://bucket/prefix or file:///folder."`
}

// Erasure is what the list of erased persons is read with.
type Erasure struct {
	// Secret makes the marks of the list. It must not lie where the list lies.
	Secret string `name:"erase-secret" env:"ERASE_SECRET" placeholder:"TEXT" help:"Secret of at least 16 characters with which erase marks persons in the lake's list of erased persons. Needed as soon as there is such a list." json:"-"`
	// SecretARN names the secret where the environment does not hold it.
	SecretARN string `name:"erase-secret-arn" env:"ERASE_SECRET_ARN" placeholder:"ARN" help:"AWS Secrets Manager secret that holds --erase-secret."`
}

// Artifacts is where model versions are written and read.
type Artifacts struct {
	Bucket string `name:"artifacts" env:"ARTIFACTS_BUCKET" placeholder:"BUCKET" help:"The store of model versions (${artifacts_use=written by train}): a bucket, s3://bucket/prefix or file:///folder."`
}

// Recommendations is where Firehose delivers recommendations and where bad records are quarantined.
type Recommendations struct {
	Bucket string `name:"recommendations" env:"RECOMMENDATIONS_BUCKET" placeholder:"BUCKET" help:"The store of recommendations and quarantined events: a bucket, s3://bucket/prefix or file:///folder."`
}

// Stream is the Kinesis data stream that carries activity.
type Stream struct {
	Name string `name:"activity-stream" env:"ACTIVITY_STREAM" placeholder:"NAME" help:"Kinesis stream of activity events."`
}

// Delivery is the Firehose delivery stream that carries recommendations to S3.
type Delivery struct {
	Stream string `name:"delivery-stream" env:"RECOMMENDATIONS_DELIVERY_STREAM" placeholder:"NAME" help:"Firehose delivery stream of recommendations."`
}

// Recorded says where serve delivers the records of what it answers.
type Recorded struct {
	// Stream is empty where answers are not recorded.
	Stream string `name:"delivery-stream" env:"RECOMMENDATIONS_DELIVERY_STREAM" envDefault:"" placeholder:"NAME" help:"Firehose delivery stream that takes a record of each answer, so that feedback learns what became of it. Default: answers are not recorded, and recommendation_id is null in all of them."`
}

// FitsDays is after how many days train deletes what another program was to fit, under FitsPrefix. The bucket's
// lifecycle rule allows twice as many, so that it takes nothing away that is in use, and ends what is left
// where train runs no more.
const FitsDays = 14

// Prefixes inside the buckets: what several programs agree on.
const (
	TrainingSetPrefix    = "training-set"      // in Lake: run=<id>/…, CURRENT
	FeedbackPrefix       = "feedback"          // in Lake: run=<id>/…, CURRENT
	ClickPrefix          = "clicks"            // in Lake, of sessions: run=<id>/…, CURRENT
	InferredPrefix       = "inferred"          // in Lake, for all customers: run=<id>/…, CURRENT
	OutcomePrefix        = "outcomes"          // in Lake, of experiments: run=<id>/…, CURRENT
	RollupPrefix         = "rollup"            // in Lake, of the stream's records: run=<id>/…, CURRENT
	PlantedShopKey       = "planted/shop.json" // in Lake: the generated shop's parameters, when there is one
	ErasedPrefix         = "erased/"           // in Lake: the list of erased persons, and the reports of erasing
	ModelPrefix          = "model"             // in Artifacts: run=<version>/…, CURRENT
	FitsPrefix           = "fits"              // in Artifacts: run=<version>/…
	RecommendationPrefix = "recommendations/"  // in Recommendations: Firehose's prefix
	QuarantinePrefix     = "quarantine/"       // in Recommendations: one object per quarantined event
	FailurePrefix        = "aws/lambda/"       // in Recommendations: the mapping's OnFailure objects
	RedrivenPrefix       = "redriven/"         // in Recommendations: which of the last two were sent again
)

// Ingested is the stream that takes the events that come over HTTP.
type Ingested struct {
	// Name is empty where no events are taken.
	Name string `name:"activity-stream" env:"ACTIVITY_STREAM" envDefault:"" placeholder:"NAME" help:"Kinesis stream that takes the events of POST /events. Default: POST /events takes none."`
}

// SiteKeys say who may call serve, and from which pages.
type SiteKeys struct {
	// Keys is JSON, or the name of a file with it. Empty: everybody who reaches serve may call it.
	Keys string `name:"site-keys" env:"SITE_KEYS" envDefault:"" placeholder:"FILE" help:"File with the keys that callers need, the origins of their pages and their rates; or that JSON itself. docs/formats.md describes it. Default: no caller needs a key, and pages of other origins get no answer."`
}
