// Tunnel keeps a task on Fargate open for a while, so that a person reaches the vector database through
// it (`make tunnel`), and then ends by itself.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"kindred/internal/platform/program"
)

type command struct {
	For time.Duration `default:"1h" help:"How long the task stays open."`
}

// Run waits. A task that is stopped ends well.
func (c *command) Run(ctx context.Context, out *program.Output) error {
	if c.For <= 0 {
		return fmt.Errorf("%w: --for is %v, want more than 0", program.ErrConfig, c.For)
	}
	began := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(c.For):
	}
	open := time.Since(began).Round(time.Second)
	return out.Result(fmt.Sprintf("The tunnel was open for %v", open), map[string]any{"open_seconds": open.Seconds()})
}

func main() {
	os.Exit(program.Main("tunnel", "Keep a task open for a while, for a tunnel to the vector database.", &command{},
		os.Args[1:], os.Stdout, os.Stderr))
}
