package stack

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
)

// modeVariable forces how a stack runs.
const modeVariable = "STACK"

// The ways to run a stack.
const (
	Native = "native" // processes of this machine
	Docker = "docker" // containers
)

// engine runs the parts.
type engine interface {
	mode() string
	up(ctx context.Context) error                   // starts and mends what is not healthy; leaves the rest alone
	down(ctx context.Context) error                 // ends everything; data stay
	status(ctx context.Context) (Statuses, error)   // in the parts' order
	openSockets(all Statuses) (map[int]bool, error) // ports, each with whether only this machine reaches it
	examine(ctx context.Context) Finding            // whether this machine has what the engine needs
}

// Choose says how a new stack runs, and why: as forced or else STACK say, else in containers when
// an engine and its compose answer, else natively.
func Choose(ctx context.Context, forced string) (mode, reason string, err error) {
	switch mode := cmp.Or(forced, os.Getenv(modeVariable)); mode {
	case Native, Docker:
		return mode, "as asked for", nil
	case "":
	default:
		return "", "", fmt.Errorf("%w: %s is %q; it may be %s or %s", ErrConfig, modeVariable, mode, Native, Docker)
	}
	version, err := findDocker(ctx)
	if err == nil {
		_, err = findCompose(ctx)
	}
	if err != nil {
		return Native, err.Error(), ctx.Err()
	}
	return Docker, version + " answers", nil
}

// recordedEngine is the one that runs the stack since the last `up`, and native when there was
// none, or a `down` since.
func (s *Stack) recordedEngine() (e engine, recorded bool) {
	text, err := os.ReadFile(s.folder.mode())
	return s.engineOf(strings.TrimSpace(string(text))), err == nil
}

func (s *Stack) engineOf(mode string) engine {
	if mode == Docker {
		return docker{s}
	}
	return native{s}
}

// chooseEngine keeps the engine that runs the stack already; otherwise it chooses one and records it.
func (s *Stack) chooseEngine(ctx context.Context) error {
	running, recorded := s.recordedEngine()
	if recorded {
		s.engine = running
		if forced := cmp.Or(s.config.Mode, os.Getenv(modeVariable)); forced != "" && forced != running.mode() {
			return fmt.Errorf("%w: the stack runs in mode %s and %s is %q: `make local-down` first", ErrConfig, running.mode(),
				modeVariable, forced)
		}
		return nil
	}
	mode, reason, err := Choose(ctx, s.config.Mode)
	if err != nil {
		return err
	}
	s.config.Report(Step{Part: "stack", Text: fmt.Sprintf("mode %s: %s", mode, reason)})
	s.engine = s.engineOf(mode)
	return writeSecret(s.folder.mode(), []byte(mode+"\n"))
}
