package walls

// wings are the folders that the walls separate: those under internal/, and the folders of programs,
// tools and tests. A package belongs to the wing with the longest matching name.
var wings = []string{
	"internal/shop",     // the shop's domain and its MySQL
	"internal/stream",   // events, records, delivery, dead letters
	"internal/lake",     // objects, commits, data sets
	"internal/model",    // solvers, evaluation, model versions
	"internal/serving",  // recommending and the vector database
	"internal/job",      // the logic of one program each
	"internal/lab",      // what exists only to try kindred
	"internal/platform", // what every program needs, whatever it does
	"internal/release",  // what leaves the repository: archives, SBOMs, licence texts; and its audit
	"internal/walls",
	"jobs",
	"jobs/replay",
	"jobs/seed",
	"lambdas",
	"localstack",
	"localstack/demo",
	"localstack/provision",
	"terraform/acceptance",
	"terraform/rules",
	"terraform/tf",
	"integration",
	"integration/conformance",
	"integration/lambdaruntime",
	"benchmarks",
	"docs",
}

// edge is an allowed import: the packages of wing from may import those of wing to.
type edge struct {
	from, to string
	reason   string
}

// edges are the imports between wings that are allowed in programs.
var edges = []edge{
	{"internal/shop", "internal/platform", "AWS clients for the shop's secret, and how to wait"},

	{"internal/stream", "internal/platform", "AWS clients, and the names of variables and prefixes"},

	{"internal/lake", "internal/shop", "a training set consists of the shop's customers and products"},
	{"internal/lake", "internal/platform", "AWS clients, and the names of variables and prefixes"},

	{"internal/model", "internal/lake", "a model version is kept as a commit in a store"},
	{"internal/model", "internal/platform", "loops over all processors"},

	{"internal/serving", "internal/stream", "an answer is made from an activity event"},
	{"internal/serving", "internal/model", "an answer is computed with a model version"},
	{"internal/serving", "internal/platform", "configuration, and AWS credentials for the vector database"},

	{"internal/job", "internal/shop", "etl reads the shop, and train reads its types from the lake"},
	{"internal/job", "internal/stream", "verify reads and repairs the stream's records"},
	{"internal/job", "internal/lake", "jobs read and commit data sets"},
	{"internal/job", "internal/model", "train makes model versions, and publish reads them"},
	{"internal/job", "internal/serving", "publish fills the vector database"},
	{"internal/job", "internal/platform", "a job is a command with configuration"},

	{"internal/lab", "internal/shop", "it makes and fills shops"},
	{"internal/lab", "internal/stream", "simulated visitors send events"},
	{"internal/lab", "internal/lake", "it reads delivered records and writes the planted truth"},
	{"internal/lab", "internal/model", "a trial compares model versions"},
	{"internal/lab", "internal/serving", "a trial answers as the functions would"},
	{"internal/lab", "internal/platform", "its programs are commands with configuration"},

	{"jobs", "internal/job", "a program is its job, wired"},
	{"jobs", "internal/platform", "the shell that every program has"},
	{"jobs/replay", "internal/lab", "simulated visitors are made only to try kindred"},
	{"jobs/replay", "internal/platform", "the shell that every program has"},
	{"jobs/seed", "internal/lab", "generated shops are made only to try kindred"},
	{"jobs/seed", "internal/platform", "the shell that every program has"},

	{"lambdas", "internal/stream", "a function decodes events and delivers records"},
	{"lambdas", "internal/serving", "a function answers them"},
	{"lambdas", "internal/platform", "configuration, log keys, signed requests"},

	{"localstack", "localstack/provision", "the command that creates the resources"},
	{"localstack", "internal/platform", "the shell, and the functions' zips"},
	{"localstack", "internal/serving", "the doctor asks whether the live version can answer"},
	{"localstack/provision", "localstack", "the settings say what to create"},
	{"localstack/provision", "internal/serving", "it prepares the vector database and the reader's login there"},
	{"localstack/provision", "internal/platform", "AWS clients"},
	{"localstack/demo", "internal/stream", "the demonstration sends one event of its own"},
	{"localstack/demo", "internal/lake", "it shows what lies in the lake"},
	{"localstack/demo", "internal/model", "it shows how good the model is"},
	{"localstack/demo", "internal/platform", "the shell, and the names of variables"},

	{"terraform/tf", "localstack", "the settings and the state of the local stack, which tf-local builds in"},
	{"terraform/tf", "localstack/provision", "tf-local prepares the vector database as the provisioner does"},
	{"terraform/tf", "internal/platform", "the shell, packages, AWS clients"},

	{"terraform/tf", "internal/release", "licence texts and SBOMs of the packages"},

	{"internal/release", "internal/platform", "the shell, and how programs are built"},

	{"integration/conformance", "localstack", "it starts an emulator to measure it"},
	{"integration/conformance", "internal/platform", "AWS clients, and the probe function's zip"},

	{"benchmarks", "internal/shop", "measured"},
	{"benchmarks", "internal/stream", "example events"},
	{"benchmarks", "internal/lake", "the files of the measured versions"},
	{"benchmarks", "internal/model", "measured"},
	{"benchmarks", "internal/serving", "measured"},
	{"benchmarks", "internal/job", "measured"},
	{"benchmarks", "internal/platform", "the shell, and the functions' zips"},
	{"benchmarks", "integration/lambdaruntime", "the Lambda runtime that functions are measured in"},
}

// unshippedEdges are allowed only without the build tag "shipped". Package artifact sets the tag for
// everything that goes to AWS.
var unshippedEdges = []edge{
	{"jobs", "internal/lab", "on the developer's machine train measures the best ranking that a generated shop allows"},
}

// testEdges are allowed in tests, in addition to edges.
var testEdges = []edge{
	{"internal/job", "internal/lab", "a generated shop has known tastes to be measured against"},
	{"internal/job", "localstack", "erase knows every prefix that the settings have"},
	{"internal/lab", "internal/job", "a trial of a version that was just trained"},
	{"internal/serving", "internal/lake", "a test writes the files of a version"},
	{"lambdas", "internal/model", "a handler's test serves a small version"},
	{"terraform/tf", "internal/stream", "the events of the day's load are decoded as the function decodes them"},
	{"terraform/acceptance", "*", "it compares Terraform with everything that it configures"},
	{"integration", "*", "it runs everything together"},
}

// library allows some packages to import an outside library, and the library's own subpackages.
type library struct {
	path    string
	wings   []string // wings, or folders in wings
	reason  string
	storage bool // speaks to a service or writes files: pure packages must not reach it at all
}

var libraries = []library{
	{"github.com/aws/aws-sdk-go-v2", []string{
		"internal/platform/awsclient", "internal/platform/kinesisclient", "internal/platform/awsenv",
		"internal/platform/awssecret",
		"internal/lake/objectstore",
		"internal/serving/vectorstore", "internal/stream/shardreader",
		"internal/stream/shardwriter", "localstack", "localstack/provision", "terraform/tf", "integration/conformance",
	}, "adapters of AWS services, and the tools that manage them", true},
	{"github.com/aws/smithy-go", []string{
		"internal/lake/objectstore", "internal/platform/s3object", "localstack/provision",
		"integration/conformance",
	}, "the error types of the AWS SDK", true},
	{"github.com/aws/aws-lambda-go", []string{
		"lambdas", "internal/stream/activity/activitytest", "integration/conformance", "benchmarks",
	}, "the functions' entry, and events as Lambda sends them", false},
	{"github.com/caarlos0/env", []string{"lambdas"},
		"functions read only variables (docs/decisions/0021)", false},
	{"github.com/alecthomas/kong", []string{"internal/platform/program"},
		"command lines (docs/decisions/0021)", false},
	{"github.com/schollz/progressbar", []string{"internal/platform/program"}, "progress for a person", false},
	{"golang.org/x/term", []string{"internal/platform/program"}, "is a person watching?", false},

	{"database/sql", []string{"internal/shop", "internal/lab/shopsystem", "localstack", "benchmarks"},
		"small reads and writes of MySQL", true},
	{"github.com/go-sql-driver/mysql", []string{
		"internal/shop", "localstack", "terraform/tf", "benchmarks",
	}, "MySQL through database/sql, and its DSN format everywhere (docs/decisions/0020)", true},
	{"github.com/go-mysql-org/go-mysql", []string{"internal/shop/mysqlsource"},
		"the bulk reader needs the rows as they come over the wire (docs/decisions/0020)", true},
	{"github.com/jackc/pgx", []string{"internal/serving/vectorstore", "localstack", "benchmarks"}, "PostgreSQL", true},
	{"github.com/pgvector/pgvector-go", []string{"internal/serving/vectorstore", "benchmarks"}, "vectors in PostgreSQL",
		true},
	{"github.com/pressly/goose", []string{"internal/serving/vectorstore/migration"}, "migrations of PostgreSQL", true},
	{"github.com/parquet-go/parquet-go", []string{"internal/lake", "internal/model/modelfile", "internal/lab/importer",
		"benchmarks"}, "Parquet files", true},
	{"github.com/xuri/excelize", []string{"internal/lab/importer"}, "Excel workbooks", true},
	{"golang.org/x/text/encoding/charmap", []string{"internal/lab/importer"}, "files in Windows-1252", false},

	{"github.com/go-json-experiment/json", []string{
		"lambdas/recommend", "lambdas/serve", "internal/stream/activity", "internal/job/feedback",
	}, "events by I-JSON's rules, in a third of encoding/json's time (docs/decisions/0022)", false},
	{"google.golang.org/protobuf/encoding/protowire", []string{"internal/stream/activity"},
		"records that the Kinesis Producer Library has aggregated", false},
	{"github.com/google/licenseclassifier", []string{"internal/release/inventory"},
		"which licence a text is (docs/decisions/0090)", false},
	{"github.com/aquasecurity/go-pep440-version", []string{"internal/release/audit"},
		"the order of Python's versions", false},
	{"github.com/CycloneDX/cyclonedx-go", []string{"internal/release/inventory"}, "the format of SBOMs", false},
	{"github.com/google/go-containerregistry", []string{"terraform/tf"}, "the image of the batch programs", false},
	{"golang.org/x/crypto/x509roots", []string{"terraform/tf"}, "certificate authorities for that image", false},
	{"github.com/cenkalti/backoff", []string{"internal/platform/retry"}, "pauses between calls", false},
	{"github.com/google/go-cmp", []string{"internal/platform/golden"}, "differences in tests", false},
	{"github.com/prometheus/client_golang", []string{"lambdas/serve"},
		"figures for Prometheus, in the local program and not in the function", false},
	{"go.opentelemetry.io", []string{"lambdas/serve"},
		"traces, in the local program and not in the function (docs/decisions/0077)", false},
	{"google.golang.org/protobuf/proto", []string{"lambdas/serve"}, "what a collector of traces gets, in a test", false},
	{"golang.org/x/net/html", []string{"internal/job/console"}, "pages of the console without their links, for a report",
		false},
	{"go.yaml.in/yaml/v3", []string{"internal/serving/placement"}, "the file of placements, with line numbers", false},
	{"cel.dev/cel-go", []string{"internal/serving/rule"}, "the parser of rules (docs/decisions/0070)", false},
	{"pgregory.net/rapid", []string{"internal/serving/recommend/recommendtest", "internal/serving/rule/ruletest"},
		"random cases in tests", false},
	{"golang.org/x/sync", []string{
		"internal/job", "internal/lab", "internal/serving", "lambdas", "localstack", "integration/conformance", "benchmarks",
	}, "goroutines that end together", false},
	{"golang.org/x/time", []string{"lambdas/serve"}, "how often a key and an address may call", false},
	{"golang.org/x/sys", []string{"localstack", "benchmarks"}, "processes and memory of this machine", false},
	{"gonum.org/v1/gonum", []string{"internal/model"}, "statistics", false},
}

// pure packages hold the domain. They speak to no service and write no file, directly or through others.
var pure = []string{
	"internal/shop", "internal/stream/activity", "internal/model/modelversion", "internal/model/ials",
	"internal/model/evaluation", "internal/model/nextitem", "internal/model/sequential", "internal/serving/recommend",
	"internal/serving/rule", "internal/lab/simulation", "internal/lab/visitor",
}

// labPrograms are the programs that do not ship. No other program links internal/lab.
var labPrograms = []string{"jobs/replay", "jobs/seed"}
