// Train measures seconds per epoch of training: kindred with vector kernels and in pure Go, C++
// with Eigen (Cholesky and the exact dual, in peers/als.cc) and implicit from PyPI, on the same
// generated data in one run.
package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("bench-train", "Measure training.", &commands{}, os.Args[1:], os.Stdout, os.Stderr))
}

type commands struct {
	Run   Run        `cmd:"" default:"withargs" help:"Install the competitors, measure every program and print the table (the default command)."`
	Fit   FitCommand `cmd:"" help:"Train with the vector kernels of this program. The benchmark starts this command to measure kindred."`
	Reach Reach      `cmd:"" help:"Measure the time until kindred and implicit rank equally well. Each is tuned on a validation part first."`
	Grow  Grow       `cmd:"" help:"Train on 2 to 20 million interactions. Print memory next to the estimate, and the time of each size."`
}

// state is the folder of data, peers and results.
type state struct {
	State string `default:".kindred" placeholder:"FOLDER" env:"KINDRED_STATE" help:"State folder. Data, competitors and results are kept in its folder bench/train."`
}

// file is the path of a file of the benchmark.
func (s state) file(name string) string { return filepath.Join(s.State, "bench", "train", name) }

// FitCommand is one contender's run.
type FitCommand struct {
	Data   string `arg:"" help:"File in the adjacency format: lines of a user's number and item numbers, from 0."`
	Dim    int    `arg:"" help:"Components of a vector."`
	Epochs int    `arg:"" help:"How many epochs to train."`
}

// Run trains.
func (c *FitCommand) Run(ctx context.Context, out *program.Output) error {
	r, err := fit(ctx, c.Data, c.Dim, c.Epochs)
	if err != nil {
		return err
	}
	return json.NewEncoder(out.Stdout).Encode(r) // as the peers print it
}
