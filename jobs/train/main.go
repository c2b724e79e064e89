// Train makes a model version from the current training set, measured and judged: train, train show.
package main

import (
	"os"

	"kindred/internal/job/train"
	"kindred/internal/platform/program"
)

func main() {
	command := &train.Command{Run: train.RunCommand{Planted: planted()}}
	os.Exit(program.Main("train", train.Description, command, os.Args[1:], os.Stdout, os.Stderr))
}
