package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kindred/internal/platform/program"
)

// stopTime is how long a program may take to end after an interrupt.
const stopTime = 30 * time.Second

// CheckResult is what `etl check` found.
type CheckResult struct {
	Refusals []string `json:"refusals"` // what etl would refuse the shop for
	Remarks  []struct {
		Text string `json:"text"`
		SQL  string `json:"sql,omitempty"`
	} `json:"remarks"` // what may go wrong, or be slow
}

// check runs `etl check` on the mapping, and tells what it found.
func (r *run) check(ctx context.Context) error {
	err := r.step(ctx, "etl check", &r.result.Check, "--mapping", r.result.Mapping)
	for _, refusal := range r.result.Check.Refusals {
		r.say("  refused: %s", refusal)
	}
	for _, remark := range r.result.Check.Remarks {
		r.say("  note: %s", remark.Text)
		if remark.SQL != "" {
			r.say("        %s", remark.SQL)
		}
	}
	if err != nil && len(r.result.Check.Refusals) > 0 {
		return fmt.Errorf("etl would refuse this shop; correct its data, or edit %s and run connect again: %w",
			r.result.Mapping, err)
	}
	return err
}

// step runs a program, whose words name a command of it, and reads its result into v; nil drops it.
// A program that fails may have printed a result all the same.
func (r *run) step(ctx context.Context, words string, v any, flags ...string) error {
	began := time.Now()
	args := append(append(strings.Fields(words), flags...), "--json")
	cmd := exec.CommandContext(ctx, filepath.Join(r.programs, args[0]), args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopTime
	ofEtl := func(line string) bool { return strings.HasPrefix(line, "ETL_") } // the mapping holds what they say
	cmd.Env = append(slices.DeleteFunc(os.Environ(), ofEtl), r.environment()...)
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &withoutPlace{to: r.progress, place: args[0] + " works on: "}
	runErr := cmd.Run()
	s := Step{Name: words, Seconds: time.Since(began).Seconds()}
	if printed.Len() > 0 {
		if v == nil {
			v = new(any)
		}
		e, err := program.ReadResult(printed.Bytes(), v)
		if err != nil {
			return errors.Join(err, runErr)
		}
		s.NoOp = e.NoOp
	}
	r.result.Steps = append(r.result.Steps, s)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(runErr, fs.ErrNotExist) {
		return fmt.Errorf("find program %s in the folder of connect: %w", args[0], runErr)
	}
	if runErr != nil {
		return fmt.Errorf("%s failed after %.1f s (%w); its message is above", words, s.Seconds, runErr)
	}
	done := ""
	if s.NoOp {
		done = ", nothing new"
	}
	r.say("%-9s %5.1f s%s", words, s.Seconds, done)
	return nil
}

// withoutPlace leaves out the line that says what a program works on: connect has said it.
type withoutPlace struct {
	to    io.Writer
	place string
	begun bool // the first piece of the output has been written
}

func (w *withoutPlace) Write(p []byte) (int, error) {
	rest := p
	if !w.begun && strings.HasPrefix(string(p), w.place) {
		_, after, _ := strings.Cut(string(p), "\n")
		rest = []byte(after)
	}
	if w.begun = true; len(rest) > 0 {
		if _, err := w.to.Write(rest); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// environment hands the command's own flags to the programs, which have flags of their own for them.
func (r *run) environment() []string {
	return []string{"MYSQL_DSN=" + r.MySQL.DSN, "MYSQL_SECRET_ARN=" + r.MySQLSecret, "PGVECTOR_DSN=" + r.PGVector.DSN,
		fmt.Sprintf("PGVECTOR_IAM_AUTH=%t", r.PGVector.IAM), "LAKE_BUCKET=" + r.Lake.Bucket,
		"ARTIFACTS_BUCKET=" + r.Artifacts.Bucket, "SHOP_NAME=" + r.Name}
}
