package promotion

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestTargetRefusesEverythingElse(t *testing.T) {
	t.Parallel()
	want := target{"123456789012", "eu-west-1"}
	if err := want.check(want); err != nil {
		t.Error(err)
	}
	for _, actual := range []target{{"210987654321", "eu-west-1"}, {"123456789012", "eu-west-2"}, {}} {
		if err := want.check(actual); !errors.Is(err, ErrWrongTarget) {
			t.Errorf("%v: %v", actual, err)
		}
	}
	if err := (target{}).check(target{}); !errors.Is(err, ErrWrongTarget) {
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
	resources := map[string]Resource{
		"a": {Type: "aws_vpc_endpoint", Mode: "managed", Values: map[string]any{"vpc_endpoint_type": "Interface"}},
		"b": {Type: "aws_vpc_endpoint", Mode: "managed", Values: map[string]any{"vpc_endpoint_type": "Gateway"}},
		"c": {Type: "aws_db_instance", Mode: "managed",
			Values: map[string]any{"instance_class": "db.t4g.small", "multi_az": true}},
		"d": {Type: "aws_kinesis_stream", Mode: "managed", Values: map[string]any{"shard_count": 2.0}},
		"e": {Type: "aws_kms_key", Mode: "data"},
		"f": {Type: "aws_iam_role", Mode: "managed"},
	}
	total, lines := AtRest(resources)
	if want := 16 + 2*(25+2.5) + 0.4 + 25; total != want || !strings.Contains(lines, "55.0 db_instance") {
		t.Errorf("%v a month, want %v:\n%s", total, want, lines)
	}
}
