package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if s.Stream.ShardCount != 2 || s.Env()["ACTIVITY_STREAM"] != "kindred-activity" {
		t.Errorf("settings = %+v", s)
	}
	if got := s.Functions.Recommend.LambdaArchitecture(); got != "x86_64" && got != "arm64" {
		t.Errorf("architecture = %q", got)
	}
}

func TestWithSuffixRenamesEveryResourceAndNothingElse(t *testing.T) {
	t.Parallel()
	s := mustLoad(t)
	renamed := s.WithSuffix("x1")
	for i, n := range renamed.names() {
		if *n.value != *s.names()[i].value+"-x1" {
			t.Errorf("%s = %q", n.field, *n.value)
		}
		*n.value = strings.TrimSuffix(*n.value, "-x1")
	}
	if diff := cmp.Diff(s, renamed); diff != "" {
		t.Errorf("more than names changed:\n%s", diff)
	}
}

func TestValidateReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	s := mustLoad(t)
	s.Region = "nowhere"
	s.Buckets.Lake.Name = "Not_A_Bucket"
	s.Buckets.Artifacts.Name = s.Buckets.Recommendations.Name
	s.Buckets.Artifacts.Expire = &Expire{Prefix: "model/", Days: 1}
	s.Stream.ShardCount = 0
	s.Delivery.ErrorPrefix = s.Delivery.Prefix
	s.Functions.Recommend.Architecture = "mips"
	s.Functions.Recommend.TimeoutSeconds = 901
	s.Functions.Recommend.LogRetentionDays = 2
	s.Mapping.FunctionResponseTypes = nil
	s.Mapping.MaximumRetryAttempts = -1
	s.Mapping.MaximumRecordAgeSeconds = 48 * 3600
	err := s.Validate()
	if err == nil {
		t.Fatal("no problem reported")
	}
	for _, want := range []string{"region", "buckets.lake.name", "named twice", "artifacts.expire", "shard_count",
		"equals prefix", "architecture", "timeout_seconds", "log_retention_days", "function_response_types",
		"maximum_retry_attempts", "longer than the stream keeps"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("problem with %q not reported in:\n%v", want, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, data, want string }{
		{"unknown key", `{"strem": {}}`, "unknown field"},
		{"not JSON", `{`, "read settings.json"},
		{"something behind", string(file) + "{}", "follows"},
		{"empty", `{}`, "check settings.json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse([]byte(tc.data)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
}

func mustLoad(t *testing.T) Settings {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
