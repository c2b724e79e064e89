package program_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kindred/internal/platform/program"
)

type grammar struct {
	Fail string `help:"How to fail."`
}

func (g *grammar) Run(ctx context.Context, out *program.Output) error {
	switch g.Fail {
	case "config":
		return fmt.Errorf("%w: no bucket given", program.ErrConfig)
	case "work":
		return errors.New("disk is full")
	}
	return out.Result("2 rows", map[string]int{"rows": 2})
}

func TestRunExitCodesAndOutput(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"done":          {nil, 0, "2 rows\n", ""},
		"json":          {[]string{"--json"}, 0, "{\"rows\":2}\n", ""},
		"help":          {[]string{"--help"}, 0, "Usage: thing", ""},
		"unknown flag":  {[]string{"--nope"}, 2, "", "unknown flag --nope"},
		"configuration": {[]string{"--fail=config"}, 2, "", "thing: bad configuration: no bucket given"},
		"failure":       {[]string{"--fail=work"}, 1, "", "thing: disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := program.Run(t.Context(), "thing", "Does a thing.", &grammar{}, test.args, &stdout, &stderr)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
			}
		})
	}
}
