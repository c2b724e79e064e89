package settings

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"kindred/internal/platform/envconfig"
)

const hostArchitecture = "host"

// Names that AWS takes; the length is the service's limit.
var (
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	resourceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	accountID    = regexp.MustCompile(`^[0-9]{12}$`)
	regionName   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	keyPrefix    = regexp.MustCompile(`^[a-z][a-z0-9-]*/$`)
)

// logRetentions are the days that CloudWatch Logs takes, up to two years. See
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html.
func logRetentions() []int32 {
	return []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731}
}

type name struct {
	field   string
	value   *string
	pattern *regexp.Regexp
}

func (s *Settings) names() []name {
	return []name{
		{"buckets.lake.name", &s.Buckets.Lake.Name, bucketName},
		{"buckets.artifacts.name", &s.Buckets.Artifacts.Name, bucketName},
		{"buckets.recommendations.name", &s.Buckets.Recommendations.Name, bucketName},
		{"stream.name", &s.Stream.Name, resourceName},
		{"delivery_stream.name", &s.Delivery.Name, resourceName},
		{"delivery_stream.role_name", &s.Delivery.RoleName, resourceName},
		{"functions.recommend.name", &s.Functions.Recommend.Name, resourceName},
		{"functions.recommend.role_name", &s.Functions.Recommend.RoleName, resourceName},
		{"functions.serve.name", &s.Functions.Serve.Name, resourceName},
		{"functions.serve.role_name", &s.Functions.Serve.RoleName, resourceName},
	}
}

// Validate reports every value that AWS or kindred's programs would refuse, all at once.
func (s Settings) Validate() error {
	var problems []error
	match := func(field, value string, pattern *regexp.Regexp) {
		if !pattern.MatchString(value) {
			problems = append(problems, fmt.Errorf("%s: %q does not match %s", field, value, pattern))
		}
	}
	between := func(field string, value, least, most int32) {
		if value < least || value > most {
			problems = append(problems, fmt.Errorf("%s: %d is not between %d and %d", field, value, least, most))
		}
	}
	oneOf := func(field, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			problems = append(problems, fmt.Errorf("%s: %q is none of %q", field, value, allowed))
		}
	}

	for _, n := range s.names() {
		match(n.field, *n.value, n.pattern)
	}
	problems = append(problems, s.repeatedNames()...)
	match("account_id", s.AccountID, accountID)
	match("region", s.Region, regionName)
	between("stream.shard_count", s.Stream.ShardCount, 1, 500)
	between("stream.retention_hours", s.Stream.RetentionHours, 24, 8760)

	if want := (Expire{envconfig.FitsPrefix + "/run=", 2 * envconfig.FitsDays}); s.Buckets.Artifacts.Expire == nil ||
		*s.Buckets.Artifacts.Expire != want {
		problems = append(problems, fmt.Errorf("buckets.artifacts.expire: is not %+v, by which train goes", want))
	}

	d := s.Delivery
	oneOf("delivery_stream.prefix", d.Prefix, envconfig.RecommendationPrefix) // where readers look
	match("delivery_stream.error_prefix", d.ErrorPrefix, keyPrefix)
	if d.ErrorPrefix == d.Prefix {
		problems = append(problems,
			errors.New("delivery_stream.error_prefix: equals prefix, so errors would be read as recommendations"))
	}
	between("delivery_stream.buffering_size_mib", d.BufferingSizeMiB, 1, 128)
	between("delivery_stream.buffering_interval_seconds", d.BufferingIntervalSeconds, 0, 900)
	oneOf("delivery_stream.compression", d.Compression, "UNCOMPRESSED", "GZIP")

	for field, f := range map[string]Function{"functions.recommend.": s.Functions.Recommend,
		"functions.serve.": s.Functions.Serve} {
		oneOf(field+"runtime", f.Runtime, "provided.al2023")
		oneOf(field+"handler", f.Handler, "bootstrap")
		oneOf(field+"architecture", f.Architecture, hostArchitecture, "arm64", "x86_64")
		between(field+"memory_mib", f.MemoryMiB, 128, 10240)
		between(field+"timeout_seconds", f.TimeoutSeconds, 1, 900)
		if !slices.Contains(logRetentions(), f.LogRetentionDays) {
			problems = append(problems, fmt.Errorf("%slog_retention_days: %d is none of %v", field, f.LogRetentionDays,
				logRetentions()))
		}
	}

	m := s.Mapping
	oneOf("mapping.starting_position", m.StartingPosition, "TRIM_HORIZON", "LATEST")
	between("mapping.batch_size", m.BatchSize, 1, 10000)
	between("mapping.batching_window_seconds", m.BatchingWindowSeconds, 0, 300)
	between("mapping.parallelization_factor", m.ParallelizationFactor, 1, 10)
	// not -1 as on AWS: LocalStack does not enforce the age, so one fault would block a shard
	// without a limit
	between("mapping.maximum_retry_attempts", m.MaximumRetryAttempts, 0, 10000)
	between("mapping.maximum_record_age_seconds", m.MaximumRecordAgeSeconds, 60, 604800)
	if !slices.Equal(m.FunctionResponseTypes, []string{"ReportBatchItemFailures"}) {
		problems = append(problems,
			errors.New("mapping.function_response_types: not ReportBatchItemFailures, so a partial failure would lose events"))
	}
	if age := m.MaximumRecordAgeSeconds; age > s.Stream.RetentionHours*3600 {
		problems = append(problems,
			fmt.Errorf("mapping.maximum_record_age_seconds: %d is longer than the stream keeps records", age))
	}
	return errors.Join(problems...)
}

// repeatedNames reports every bucket and every role that has the name of another one.
func (s Settings) repeatedNames() (problems []error) {
	buckets := map[string]bool{}
	for _, b := range s.Buckets.All() {
		if buckets[b.Name] {
			problems = append(problems, fmt.Errorf("buckets: %q is named twice", b.Name))
		}
		buckets[b.Name] = true
	}
	roles := map[string]bool{}
	for _, name := range []string{s.Delivery.RoleName, s.Functions.Recommend.RoleName, s.Functions.Serve.RoleName} {
		if roles[name] {
			problems = append(problems, fmt.Errorf("role_name: %q is named twice, so each would have the other's rights", name))
		}
		roles[name] = true
	}
	return problems
}
