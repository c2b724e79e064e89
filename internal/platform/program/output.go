package program

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Output is where a command reports. One value is bound to every command's Run.
type Output struct {
	JSON   bool // print the result as one JSON object instead of a sentence
	Stdout io.Writer
	Stderr io.Writer
	Log    *slog.Logger

	program, version, run string
	began                 time.Time
}

// Envelope is the JSON object that every program prints with --json, on one line.
type Envelope struct {
	Program string `json:"program"`
	Version string `json:"version"` // commit that the program was built from
	// Run names this execution: the time it began and six random letters. Every log line of the
	// execution has it too.
	Run     string          `json:"run"`
	NoOp    bool            `json:"no_op"`   // everything was as wanted already: nothing was changed
	Seconds float64         `json:"seconds"` // from the program's start to its result
	Result  json.RawMessage `json:"result"`  // the command's own
}

// Result prints what the command achieved, once, at its end: the sentence for people, v for
// programs. If v has a method Unchanged() bool, that says whether the command was a no-op.
func (o *Output) Result(sentence string, v any) error {
	if !o.JSON {
		_, err := fmt.Fprintln(o.Stdout, sentence)
		return err
	}
	result, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	e := Envelope{Program: o.program, Version: o.version, Run: o.run, Result: result}
	if u, ok := v.(interface{ Unchanged() bool }); ok {
		e.NoOp = u.Unchanged()
	}
	if !o.began.IsZero() {
		e.Seconds = float64(time.Since(o.began).Milliseconds()) / 1000
	}
	return json.NewEncoder(o.Stdout).Encode(e)
}

// ReadResult decodes what a program printed with --json: its envelope, and the result inside it into v.
func ReadResult(printed []byte, v any) (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal(printed, &e); err != nil {
		return e, fmt.Errorf("read the envelope of a result: %w", err)
	}
	if err := json.Unmarshal(e.Result, v); err != nil {
		return e, fmt.Errorf("read the result of %s: %w", e.Program, err)
	}
	return e, nil
}

// newRun names an execution that begins now. Names sort by time.
func newRun(now time.Time) string {
	return now.UTC().Format("20060102T150405Z") + "-" + strings.ToLower(rand.Text()[:6])
}
