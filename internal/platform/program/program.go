// Package program is what every command of kindred shares: it parses flags and environment, ends on
// SIGINT and SIGTERM, logs to standard error and prints one result to standard output. It owns the
// exit codes: 0 done, 1 failed, 2 bad configuration.
package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// ErrConfig marks an error that the caller mends by other flags or variables; wrap it with %w for
// exit code 2.
var ErrConfig = errors.New("bad configuration")

// Output is where a command reports. One value is bound to every command's Run.
type Output struct {
	JSON   bool // print the result as one JSON object instead of a sentence
	Stdout io.Writer
	Stderr io.Writer
	Log    *slog.Logger
}

// Result prints what the command achieved, once, at its end: the sentence for people, v for programs.
func (o *Output) Result(sentence string, v any) error {
	if !o.JSON {
		_, err := fmt.Fprintln(o.Stdout, sentence)
		return err
	}
	return json.NewEncoder(o.Stdout).Encode(v)
}

// flags are the ones that every command has.
type flags struct {
	JSON    bool `name:"json" help:"Print the result as one JSON object."`
	Verbose bool `short:"v" help:"Log details."`
}

// Main runs the command line in args against grammar, a pointer to a struct for kong whose commands
// (or itself) have Run(context.Context, *Output) error, and returns the exit code. kong's `env`
// tags read the process environment.
func Main(name, description string, grammar any, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, name, description, grammar, args, stdout, stderr)
}

// Run is Main with the caller's context.
func Run(ctx context.Context, name, description string, grammar any, args []string, stdout,
	stderr io.Writer) (code int) {
	var common flags
	type exit int
	defer func() { // kong ends --help by its exit function; a panic carries that here
		if r := recover(); r != nil {
			e, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	parser, err := kong.New(grammar, kong.Name(name), kong.Description(description), kong.Embed(&common),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exit(code)) }))
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v (see %s --help)\n", name, err, name)
		return 2
	}
	level := slog.LevelWarn
	if common.Verbose {
		level = slog.LevelDebug
	}
	out := &Output{JSON: common.JSON, Stdout: stdout, Stderr: stderr,
		Log: slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(out); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		if errors.Is(err, ErrConfig) {
			return 2
		}
		return 1
	}
	return 0
}
