// Train measures seconds per epoch of training: kindred with vector kernels and in pure Go, C++
// with Eigen (Cholesky and the exact dual, in peers/als.cc) and implicit from PyPI, on the same
// generated data in one run.
package main

import (
	"context"
	"os"

	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("bench-train", "Measures training.", &commands{}, os.Args[1:], os.Stdout, os.Stderr))
}

type commands struct {
	Run   Run        `cmd:"" default:"withargs" help:"Prepare the peers, run everybody and print the table (the default)."`
	Fit   FitCommand `cmd:"" help:"Train with this build's kernels: what the run starts for kindred itself."`
	Reach Reach      `cmd:"" help:"Seconds until kindred and implicit rank equally well, each tuned on a validation part."`
	Grow  Grow       `cmd:"" help:"Train on 2 to 20 million interactions: memory against the estimate, seconds against size."`
}

// FitCommand is one contender's run.
type FitCommand struct {
	Data   string `arg:"" help:"File in the adjacency format."`
	Dim    int    `arg:"" help:"Components of a vector."`
	Epochs int    `arg:"" help:"Epochs."`
}

// Run trains.
func (c *FitCommand) Run(ctx context.Context, out *program.Output) error {
	r, err := fit(ctx, c.Data, c.Dim, c.Epochs)
	if err != nil {
		return err
	}
	out.JSON = true
	return out.Result("", r)
}
