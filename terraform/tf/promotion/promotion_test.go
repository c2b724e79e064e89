package promotion

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTargetRefusesEverythingElse(t *testing.T) {
	t.Parallel()
	want := place{"123456789012", "eu-west-1"}
	if err := want.check(want); err != nil {
		t.Error(err)
	}
	for _, actual := range []place{{"210987654321", "eu-west-1"}, {"123456789012", "eu-west-2"}, {}} {
		if err := want.check(actual); !errors.Is(err, ErrWrongTarget) {
			t.Errorf("%v: %v", actual, err)
		}
	}
	if err := (place{}).check(place{}); !errors.Is(err, ErrWrongTarget) {
		t.Errorf("no target: %v", err)
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	for typed, ok := range map[string]bool{"prod\n": true, "prod": true, "y\n": false, "": false, "production\n": false} {
		p := Promotion{Environment: "prod", In: strings.NewReader(typed), Out: io.Discard}
		if err := p.confirm(); ok != (err == nil) || !ok && !errors.Is(err, ErrNotConfirmed) {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

func TestAtRest(t *testing.T) {
	t.Parallel()
	plan := `{"planned_values": {"outputs": {"endpoint_zones": {"value": 2}}, "root_module": {"resources": [
		{"address": "a", "type": "aws_vpc_endpoint", "mode": "managed", "values": {"vpc_endpoint_type": "Interface"}},
		{"address": "b", "type": "aws_vpc_endpoint", "mode": "managed", "values": {"vpc_endpoint_type": "Gateway"}},
		{"address": "c", "type": "aws_db_instance", "mode": "managed",
			"values": {"instance_class": "db.t4g.small", "multi_az": true, "allocated_storage": 20}},
		{"address": "d", "type": "aws_kinesis_stream", "mode": "managed", "values": {"shard_count": 2}},
		{"address": "e", "type": "aws_kms_key", "mode": "data"},
		{"address": "f", "type": "aws_iam_role", "mode": "managed"},
		{"address": "g", "type": "aws_scheduler_schedule", "mode": "managed", "values": {"schedule_expression": "rate(5 minutes)"}},
		{"address": "h", "type": "aws_scheduler_schedule", "mode": "managed", "values": {"schedule_expression": "cron(0 3 * * ? *)"}}
	]}}}`
	got, err := AtRest([]byte(plan), "us-east-1")
	want := map[string]float64{"vpc_endpoint": 14.6, "db_instance": 2 * (0.032*730 + 2.3), "kinesis_stream": 21.9,
		"secretsmanager_secret": 0.4, "scheduler_schedule": (0.0162 + 0.0072) * 730 * 0.3}
	near := cmpopts.EquateApprox(0, 1e-9)
	if diff := cmp.Diff(want, got.Lines, near); err != nil || diff != "" {
		t.Errorf("%v:\n%s", err, diff)
	}
	if !strings.Contains(got.String(), "    51.3 db_instance\n") ||
		!strings.HasSuffix(got.String(), "      93 USD a month\n") {
		t.Errorf("shown as:\n%s", got)
	}
	// A region without prices has those of another, and says so.
	other, err := AtRest([]byte(plan), "ap-south-2")
	if err != nil || !strings.Contains(other.Note, "ap-south-2") || other.Total <= got.Total {
		t.Errorf("%v: %+v", err, other)
	}
}
