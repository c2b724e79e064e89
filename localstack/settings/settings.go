// Package settings holds the names and sizes of the local stack's AWS resources, once:
// settings.json. The Go provisioner embeds it and terraform/local reads the same file with
// jsondecode(file(…)), so that the two cannot drift apart. It owns no endpoint, no port and no
// secret, and nothing of the AWS environment: those are Terraform variables.
package settings

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
)

//go:embed settings.json
var file []byte

// Settings is settings.json. Units are in the key names.
type Settings struct {
	AccountID string         `json:"account_id"` // of LocalStack; the provisioner refuses any other account
	Region    string         `json:"region"`
	Buckets   Buckets        `json:"buckets"`
	Stream    Stream         `json:"stream"`
	Delivery  DeliveryStream `json:"delivery_stream"`
	Functions Functions      `json:"functions"`
	Mapping   Mapping        `json:"mapping"`
}

// Buckets are the S3 buckets.
type Buckets struct {
	Lake            Bucket `json:"lake"`            // training sets
	Artifacts       Bucket `json:"artifacts"`       // model versions
	Recommendations Bucket `json:"recommendations"` // what Firehose delivers, the quarantine, the mapping's failed batches
}

// All lists the buckets in a fixed order.
func (b Buckets) All() []Bucket { return []Bucket{b.Lake, b.Artifacts, b.Recommendations} }

// Bucket is one S3 bucket; none is ever public.
type Bucket struct {
	Name      string  `json:"name"`
	Versioned bool    `json:"versioned"`
	Expire    *Expire `json:"expire"` // null: objects stay
}

// Expire is a lifecycle rule: objects whose keys have the prefix are deleted after so many days. terraform/aws
// reads it too.
type Expire struct {
	Prefix string `json:"prefix"`
	Days   int32  `json:"days"`
}

// Stream is the Kinesis data stream of activity.
type Stream struct {
	Name           string `json:"name"`
	ShardCount     int32  `json:"shard_count"`
	RetentionHours int32  `json:"retention_hours"` // 24 to 8760
}

// DeliveryStream is the Firehose delivery stream into the recommendations bucket. LocalStack delivers every
// PutRecordBatch at once and uncompressed, whatever the buffering says.
type DeliveryStream struct {
	Name                     string `json:"name"`
	RoleName                 string `json:"role_name"`
	Prefix                   string `json:"prefix"`
	ErrorPrefix              string `json:"error_prefix"`
	BufferingSizeMiB         int32  `json:"buffering_size_mib"`         // 1 to 128
	BufferingIntervalSeconds int32  `json:"buffering_interval_seconds"` // 0 to 900
	Compression              string `json:"compression"`                // UNCOMPRESSED or GZIP
}

// Functions are the Lambda functions.
type Functions struct {
	Recommend Function `json:"recommend"` // what Mapping calls
	Serve     Function `json:"serve"`     // behind a function URL with IAM, which LocalStack does not enforce
}

// All lists the functions in a fixed order.
func (f Functions) All() []Function { return []Function{f.Recommend, f.Serve} }

// Function is one Lambda function.
type Function struct {
	Name           string `json:"name"`
	RoleName       string `json:"role_name"`
	Runtime        string `json:"runtime"`
	Handler        string `json:"handler"`
	Architecture   string `json:"architecture"`    // arm64, x86_64, or host: that of the machine that provisions
	MemoryMiB      int32  `json:"memory_mib"`      // 128 to 10240; LocalStack's process executor sets no cap
	TimeoutSeconds int32  `json:"timeout_seconds"` // 1 to 900
	// LogRetentionDays is one of the numbers that CloudWatch Logs takes.
	LogRetentionDays int32 `json:"log_retention_days"`
}

// LambdaArchitecture is the architecture in Lambda's words, with host resolved.
func (f Function) LambdaArchitecture() string {
	switch {
	case f.Architecture != hostArchitecture:
		return f.Architecture
	case runtime.GOARCH == "arm64":
		return "arm64"
	default:
		return "x86_64"
	}
}

// Mapping is the event source mapping from Stream to the function recommend. Its OnFailure
// destination is the recommendations bucket. LocalStack ignores bisecting and the parallelization
// factor and keeps no checkpoint.
type Mapping struct {
	StartingPosition      string `json:"starting_position"` // TRIM_HORIZON or LATEST
	BatchSize             int32  `json:"batch_size"`
	BatchingWindowSeconds int32  `json:"batching_window_seconds"`
	ParallelizationFactor int32  `json:"parallelization_factor"`
	// After so many attempts, or when a record is so old, the batch goes to OnFailure. On AWS only the
	// age counts. LocalStack ignores the age, and only the attempts count.
	MaximumRetryAttempts    int32    `json:"maximum_retry_attempts"`
	MaximumRecordAgeSeconds int32    `json:"maximum_record_age_seconds"`
	BisectBatch             bool     `json:"bisect_batch_on_function_error"`
	FunctionResponseTypes   []string `json:"function_response_types"`
}

// Load reads the embedded settings and reports every value that is wrong.
func Load() (Settings, error) { return parse(file) }

func parse(data []byte) (Settings, error) {
	var s Settings
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Settings{}, fmt.Errorf("read settings.json: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Settings{}, fmt.Errorf("read settings.json: something follows the object")
	}
	if err := s.Validate(); err != nil {
		return Settings{}, fmt.Errorf("check settings.json: %w", err)
	}
	return s, nil
}

// WithSuffix returns the same settings with "-suffix" behind every resource's name, so that a test
// has its own.
func (s Settings) WithSuffix(suffix string) Settings {
	s.Mapping.FunctionResponseTypes = slices.Clone(s.Mapping.FunctionResponseTypes)
	for _, name := range s.names() {
		*name.value += "-" + suffix
	}
	return s
}

// Env is what the programs need to find these resources; the names are those of
// internal/platform/envconfig's tags.
func (s Settings) Env() map[string]string {
	return map[string]string{
		"AWS_REGION":                      s.Region,
		"LAKE_BUCKET":                     s.Buckets.Lake.Name,
		"ARTIFACTS_BUCKET":                s.Buckets.Artifacts.Name,
		"RECOMMENDATIONS_BUCKET":          s.Buckets.Recommendations.Name,
		"ACTIVITY_STREAM":                 s.Stream.Name,
		"RECOMMENDATIONS_DELIVERY_STREAM": s.Delivery.Name,
	}
}
