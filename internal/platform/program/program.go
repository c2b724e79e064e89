// Package program is what every command of kindred shares: it parses flags and environment, ends on
// SIGINT and SIGTERM, logs to standard error and prints one result to standard output. It owns the
// exit codes (0 done, 1 failed, 2 bad configuration, 3 too large, 4 unchecked), --help, --version, the
// envelope of --json and the line that says which shop, lake and vector database a command works on. It
// does not know what any command does.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
)

// ErrConfig marks an error that the caller mends by other flags or variables; wrap it with %w for
// exit code 2.
var ErrConfig = envconfig.ErrConfig

// ErrTooLarge marks an error about work that is too large for this machine and was not begun; wrap it
// with %w for exit code 3.
var ErrTooLarge = errors.New("too large for this machine")

// ErrUnchecked marks the error of an audit that could not look at everything; wrap it with what is
// missing. The exit code is 4.
var ErrUnchecked = errors.New("not everything was checked")

// ErrRefused marks the error of a program that works, and says no: what it was to make live is not good
// enough. Another try says the same. The exit code is 5.
var ErrRefused = errors.New("nothing went live")

// flags are the ones that every command has.
type flags struct {
	JSON    bool             `name:"json" help:"Print the result as one JSON object: program, version, run, no_op, seconds, result."`
	Verbose bool             `short:"v" help:"Log details to standard error."`
	Version kong.VersionFlag `help:"Print the release, the commit, its date and the Go version that this program was built from."`
}

// VersionOnly is embedded by the command of a program that cannot be started from a command line. Of
// the common flags, its help shows --help and --version.
type VersionOnly struct{}

func (VersionOnly) versionOnly() {}

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
	began, built := time.Now(), readBuild()
	type exit int
	defer func() { // kong ends --help and --version by its exit function; a panic carries that here
		if r := recover(); r != nil {
			e, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	parser, err := kong.New(grammar, kong.Name(name), kong.Description(description), kong.Embed(&common),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Vars{"version": built.sentence(name)}, kong.Help(help), kong.ValueFormatter(describe),
		kong.PostBuild(func(k *kong.Kong) error { return polish(k, grammar) }))
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
	run := newRun(began)
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level})).
		With(logkey.Program, name, logkey.Run, run)
	out := &Output{JSON: common.JSON, Stdout: stdout, Stderr: stderr, Log: log,
		program: name, version: built.version(), run: run, began: began}
	if where := places(target(parsed)); len(where) > 0 {
		fmt.Fprintf(stderr, "%s works on: %s\n", name, strings.Join(where, ", "))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(out); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		if hint := hint(err, OnLocalStack()); hint != "" {
			fmt.Fprintln(stderr, hint)
		}
		if errors.Is(err, ErrConfig) {
			return 2
		}
		if errors.Is(err, ErrTooLarge) {
			return 3
		}
		if errors.Is(err, ErrUnchecked) {
			return 4
		}
		if errors.Is(err, ErrRefused) {
			return 5
		}
		return 1
	}
	return 0
}
