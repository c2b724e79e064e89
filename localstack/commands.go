package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/localstack/provision"
	"kindred/localstack/settings"
	"kindred/localstack/stack"
)

type (
	up     struct{}
	down   struct{}
	status struct{}
	reset  struct {
		Programs bool `help:"Also delete downloads and compiled programs."`
	}
	claim       struct{}
	doctor      struct{}
	env         struct{}
	provisionIt struct{}
	deprovision struct{}
)

// errUnhealthy gives exit code 1 after the details were printed.
var errUnhealthy = errors.New("not all is well")

// open opens the stack of this repository or release, which reports what it does on standard error.
func open(out *program.Output) (*stack.Stack, settings.Settings, error) {
	s, err := settings.Load()
	if err != nil {
		return nil, s, err
	}
	local, err := stack.Open(stack.Config{Resources: s.Env(), Report: stack.Printer(out.Stderr)})
	return local, s, err
}

// Run starts the stack.
func (*up) Run(ctx context.Context, out *program.Output) error {
	local, _, err := open(out)
	if err != nil {
		return err
	}
	if err := local.Up(ctx); err != nil {
		return err
	}
	all, err := local.Status(ctx)
	if err != nil {
		return err
	}
	file := shown(local.EnvFile())
	return out.Result("the stack is up; its addresses are in "+file+", and `set -a; source "+file+"; set +a` exports "+
		"them", all)
}

// shown is a path as the person in this folder would type it.
func shown(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(short, "..") {
		return short
	}
	return path
}

// Run marks the state folder.
func (*claim) Run(out *program.Output) error {
	local, _, err := open(out)
	if err != nil {
		return err
	}
	return local.Claim()
}

// Run stops the stack.
func (*down) Run(ctx context.Context, out *program.Output) error {
	local, _, err := open(out)
	if err != nil {
		return err
	}
	if err := local.Down(ctx); err != nil {
		return err
	}
	return out.Result("the stack is down; its data stay", struct{}{})
}

// Run prints the parts.
func (*status) Run(ctx context.Context, out *program.Output) error {
	local, _, err := open(out)
	if err != nil {
		return err
	}
	all, err := local.Status(ctx)
	if err != nil {
		return err
	}
	var table strings.Builder
	if err := all.Write(&table); err != nil {
		return err
	}
	if err := out.Result(strings.TrimSuffix(table.String(), "\n"), all); err != nil {
		return err
	}
	if !all.Healthy() {
		return errUnhealthy
	}
	return nil
}

// Run deletes the data.
func (c *reset) Run(ctx context.Context, out *program.Output) error {
	local, _, err := open(out)
	if err != nil {
		return err
	}
	if err := local.Reset(ctx, c.Programs); err != nil {
		return err
	}
	sentence := "the stack is down and its data are deleted; downloads and programs stay"
	if c.Programs {
		sentence = "the stack is down; its data, downloads and programs are deleted"
	}
	return out.Result(sentence, struct{}{})
}

// Run prints the findings.
func (*doctor) Run(ctx context.Context, out *program.Output) error {
	local, s, err := open(out)
	if err != nil {
		return err
	}
	findings, err := local.Doctor(ctx)
	if err != nil {
		return err
	}
	if all, err := local.Status(ctx); err == nil && all[0].State == stack.Healthy {
		findings = append(findings, examineResources(ctx, local, s))
	}
	var lines []string
	ok := true
	for _, f := range findings {
		if f.OK {
			lines = append(lines, fmt.Sprintf("ok      %s: %s", f.Check, f.Detail))
			continue
		}
		ok = false
		lines = append(lines, fmt.Sprintf("FAILED  %s: %s", f.Check, f.Detail), "        → "+f.Advice)
	}
	if err := out.Result(strings.Join(lines, "\n"), findings); err != nil {
		return err
	}
	if !ok {
		return errUnhealthy
	}
	return nil
}

// examineResources says whether what `provision` makes is there: LocalStack forgets it when it stops.
func examineResources(ctx context.Context, local *stack.Stack, s settings.Settings) stack.Finding {
	const check = "buckets, streams and functions"
	missing, err := provision.Missing(ctx, local.AWS(s.Region), s)
	switch {
	case err != nil:
		return stack.Finding{Check: check, Detail: err.Error(), Advice: "`make local-down local-up deploy` starts afresh"}
	case len(missing) > 0:
		return stack.Finding{Check: check, Detail: "missing: " + strings.Join(missing, ", "),
			Advice: "`make deploy` makes them; LocalStack keeps them in memory, so they are gone after each `make local-down`"}
	default:
		return stack.Finding{Check: check, OK: true, Detail: "all there"}
	}
}

// Run prints the environment file.
func (*env) Run(_ context.Context, out *program.Output) error {
	local, _, err := open(out)
	if err != nil {
		return err
	}
	values, err := local.ReadEnv()
	if err != nil {
		return err
	}
	text, err := envconfig.FormatFile(values)
	if err != nil {
		return err
	}
	return out.Result(strings.TrimSuffix(string(text), "\n"), values)
}

// Run creates the AWS resources.
func (*provisionIt) Run(ctx context.Context, out *program.Output) error {
	local, s, err := open(out)
	if err != nil {
		return err
	}
	values, err := local.ReadEnv()
	if err != nil {
		return err
	}
	if err := provision.AdmitFunctions(ctx, values["PGVECTOR_DSN"], stack.Reader, stack.Writer); err != nil {
		return err
	}
	zip, err := artifact.LocalFunction(ctx, local.Home(), "recommend", local.FunctionOS())
	if err != nil {
		return err
	}
	serve, err := artifact.LocalFunction(ctx, local.Home(), "serve", local.FunctionOS())
	if err != nil {
		return err
	}
	function := provision.Function{Zip: zip, Serve: serve,
		Env:      map[string]string{"PGVECTOR_DSN": values["PGVECTOR_WRITER_DSN"]},
		ServeEnv: map[string]string{"PGVECTOR_DSN": values["PGVECTOR_READER_DSN"]}}
	made, err := provision.Apply(ctx, local.AWS(s.Region), s, function)
	if err != nil {
		return err
	}
	sentence := "everything exists already"
	if len(made.Changes) > 0 {
		sentence = strings.Join(made.Changes, "\n")
	}
	return out.Result(sentence, made)
}

// Run deletes the AWS resources.
func (*deprovision) Run(ctx context.Context, out *program.Output) error {
	local, s, err := open(out)
	if err != nil {
		return err
	}
	if err := provision.Destroy(ctx, local.AWS(s.Region), s); err != nil {
		return err
	}
	return out.Result("the resources are deleted", struct{}{})
}
