// Package envconfig names the environment variables of kindred, once. Each struct is one piece of
// configuration; the jobs read them with kong (a flag overrides the variable), the Lambda functions
// with caarlos0/env: both use the `env` tag. `make local-up` writes all of them to a file that make
// and a shell can source.
package envconfig

// MySQL locates the shop's database.
type MySQL struct {
	DSN string `name:"mysql-dsn" env:"MYSQL_DSN" placeholder:"DSN" help:"Shop's database, as user:password@tcp(host:port)/database." json:"-"`
}

// PGVector locates the vector database.
type PGVector struct {
	DSN string `name:"pgvector-dsn" env:"PGVECTOR_DSN" placeholder:"URL" help:"Vector database, as postgres://user:password@host:port/database." json:"-"`
	// IAM logs the DSN's user in by a token of IAM's in a password's place. RDS takes it from users
	// who have rds_iam, over TLS only.
	IAM bool `name:"pgvector-iam-auth" env:"PGVECTOR_IAM_AUTH" envDefault:"false" help:"Log in to RDS by IAM instead of a password."`
}

// Lake is where training sets are written and read.
type Lake struct {
	Bucket string `name:"lake" env:"LAKE_BUCKET" placeholder:"BUCKET" help:"Training sets: a bucket, s3://bucket/prefix or file:///folder."`
}

// Artifacts is where model versions are written and read.
type Artifacts struct {
	Bucket string `name:"artifacts" env:"ARTIFACTS_BUCKET" placeholder:"BUCKET" help:"Model versions: a bucket, s3://bucket/prefix or file:///folder."`
}

// Recommendations is where Firehose delivers and where the quarantine lies.
type Recommendations struct {
	Bucket string `name:"recommendations" env:"RECOMMENDATIONS_BUCKET" placeholder:"BUCKET" help:"Recommendations and quarantine: a bucket, s3://bucket/prefix or file:///folder."`
}

// Stream is the Kinesis data stream that carries activity.
type Stream struct {
	Name string `name:"activity-stream" env:"ACTIVITY_STREAM" placeholder:"NAME" help:"Kinesis stream of activity events."`
}

// Delivery is the Firehose delivery stream that carries recommendations to S3.
type Delivery struct {
	Stream string `name:"delivery-stream" env:"RECOMMENDATIONS_DELIVERY_STREAM" placeholder:"NAME" help:"Firehose delivery stream of recommendations."`
}

// Prefixes inside the buckets: what several programs agree on.
const (
	TrainingSetPrefix    = "training-set"      // in Lake: run=<id>/…, CURRENT
	FeedbackPrefix       = "feedback"          // in Lake: run=<id>/…, CURRENT
	PlantedShopKey       = "planted/shop.json" // in Lake: the generated shop's parameters, when there is one
	ModelPrefix          = "model"             // in Artifacts: run=<version>/…, CURRENT
	RecommendationPrefix = "recommendations/"  // in Recommendations: Firehose's prefix
	QuarantinePrefix     = "quarantine/"       // in Recommendations: one object per quarantined event
	FailurePrefix        = "aws/lambda/"       // in Recommendations: the mapping's OnFailure objects
	RedrivenPrefix       = "redriven/"         // in Recommendations: which of the last two were sent again
)
