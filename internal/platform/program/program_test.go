package program_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

type grammar struct {
	Run  run  `cmd:"" default:"withargs" help:"Do the thing (the default)."`
	Show show `cmd:"" help:"Show the thing."`
}

type run struct {
	envconfig.MySQL
	Lake    envconfig.Lake `embed:""`
	Fail    string         `help:"How to fail."`
	Rows    int            `default:"2" env:"THING_ROWS" help:"How many rows there are."`
	Version string         `arg:"" optional:"" help:"Which thing."`
}

type show struct{}

type versionOnly struct{ program.VersionOnly }

func (versionOnly) Run() error { return nil }

type result struct {
	Rows int `json:"rows"`
}

func (r result) Unchanged() bool { return r.Rows == 0 }

func (c *run) Run(ctx context.Context, out *program.Output) error {
	switch c.Fail {
	case "config":
		return fmt.Errorf("%w: no bucket given", program.ErrConfig)
	case "work":
		return errors.New("disk is full")
	case "refused":
		return fmt.Errorf("%w: the model is worse", program.ErrRefused)
	case "absent":
		return fmt.Errorf("open the lake: bucket b %w", envconfig.ErrAbsent)
	}
	out.Log.InfoContext(ctx, "counted")
	return out.Result(fmt.Sprint(c.Rows, " rows"), result{c.Rows})
}

func (*show) Run(out *program.Output) error { return out.Result("a thing", []string{"thing"}) }

func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = program.Run(t.Context(), "thing", "Does a thing.", &grammar{}, args, &out, &problems)
	return code, out.String(), problems.String()
}

func TestHelpOfVersionOnly(t *testing.T) {
	t.Parallel()
	var out, problems bytes.Buffer
	code := program.Run(t.Context(), "thing", "Does a thing.", &versionOnly{}, []string{"--help"}, &out, &problems)
	if help := out.String(); code != 0 || !strings.Contains(help, "--version") ||
		!strings.Contains(help, "Show this help.") ||
		strings.Contains(help, "--json") || strings.Contains(help, "--verbose") {
		t.Errorf("exit code %d, help %q, stderr %q", code, help, problems.String())
	}
}

func TestRunExitCodesAndOutput(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"done":          {nil, 0, "2 rows\n", ""},
		"help":          {[]string{"--help"}, 0, "Usage: thing", ""},
		"version":       {[]string{"--version"}, 0, "built with go1.", ""},
		"unknown flag":  {[]string{"--nope"}, 2, "", "unknown flag --nope"},
		"configuration": {[]string{"--fail=config"}, 2, "", "thing: bad configuration: no bucket given"},
		"refusal":       {[]string{"--fail=refused"}, 5, "", "thing: nothing went live: the model is worse"},
		"failure":       {[]string{"--fail=work"}, 1, "", "thing: disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := call(t, test.args...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit %d, want %d; stdout %q, stderr %q", code, test.code, stdout, stderr)
			}
		})
	}
}

// TestHelpShowsTheDefaultCommand: kong alone hides the flags of the command that `thing --help` is about.
func TestHelpShowsTheDefaultCommand(t *testing.T) {
	t.Parallel()
	_, own, _ := call(t, "run", "--help")
	for _, args := range [][]string{{"--help"}, {"--rows=3", "--help"}} {
		code, help, _ := call(t, args...)
		help = strings.Join(strings.Fields(help), " ")
		for _, want := range []string{
			"--fail=TEXT How to fail.", "--rows=NUMBER How many rows there are (default 2, $THING_ROWS).",
			"--mysql-dsn=DSN", "$MYSQL_DSN", "--lake=BUCKET", "$LAKE_BUCKET", "--json", "--version", "[<version>]",
		} {
			if code != 0 || !strings.Contains(help, want) {
				t.Errorf("thing %v: exit %d, %q is missing in:\n%s", args, code, want, help)
			}
		}
		if !strings.Contains(help, "show") {
			t.Errorf("thing %v names no other command:\n%s", args, help)
		}
	}
	if !strings.Contains(own, "--rows=NUMBER") {
		t.Errorf("thing run --help:\n%s", own)
	}
	if _, other, _ := call(t, "show", "--help"); strings.Contains(other, "--rows") {
		t.Errorf("thing show has flags of another command:\n%s", other)
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	for args, noOp := range map[string]bool{"--rows=2": false, "--rows=0": true, "show": false} {
		_, printed, stderr := call(t, args, "--json", "--verbose")
		var keys map[string]json.RawMessage
		if err := json.Unmarshal([]byte(printed), &keys); err != nil || len(keys) != 6 {
			t.Fatalf("%q: %v", printed, err)
		}
		var v any
		e, err := program.ReadResult([]byte(printed), &v)
		if err != nil || e.Program != "thing" || e.Version == "" || e.Run == "" || e.NoOp != noOp || e.Seconds < 0 {
			t.Errorf("%s: %+v, %v", args, e, err)
		}
		if args != "show" && !strings.Contains(stderr, `"run":"`+e.Run+`"`) {
			t.Errorf("the log does not name run %s: %s", e.Run, stderr)
		}
	}
	if _, err := program.ReadResult([]byte("2 rows"), new(any)); err == nil {
		t.Error("a sentence was read as an envelope")
	}
}

func TestRunSaysWhereItWorks(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
	t.Setenv("MYSQL_DSN", "ann:s3cret@tcp(db:3306)/shop")
	t.Setenv("LAKE_BUCKET", "lake")
	_, _, stderr := call(t)
	if want := "thing works on: shop db:3306/shop, lake s3://lake at 127.0.0.1:4566\n"; stderr != want {
		t.Errorf("%q, want %q", stderr, want)
	}
	if _, _, stderr := call(t, "show"); stderr != "" {
		t.Errorf("a command that uses none of it says %q", stderr)
	}
}

// TestMissingBucket: LocalStack forgets its buckets when it stops, and the AWS error does not say so.
func TestMissingBucket(t *testing.T) {
	for endpoint, hint := range map[string]bool{
		"http://127.0.0.1:4566": true, "http://localhost:4566": true, "": false, "https://s3.example.com": false,
	} {
		t.Setenv("AWS_ENDPOINT_URL", endpoint)
		code, _, stderr := call(t, "--fail=absent")
		if code != 1 || strings.Contains(stderr, "make deploy") != hint {
			t.Errorf("at %q: exit %d, %s", endpoint, code, stderr)
		}
	}
}
