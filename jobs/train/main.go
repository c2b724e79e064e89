// Train makes a model version from the current training set, measured and judged: train, train import,
// train show.
package main

import (
	"os"

	"kindred/internal/job/train"
	"kindred/internal/platform/program"
)

func main() {
	flags := train.Flags{Planted: planted()}
	command := &train.Command{Run: train.RunCommand{Flags: flags}, Import: train.ImportCommand{Flags: flags}}
	os.Exit(program.Main("train", train.Description, command, os.Args[1:], os.Stdout, os.Stderr))
}
