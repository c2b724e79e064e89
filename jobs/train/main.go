// Train makes a model version from the current training set, measured and judged: train, train show.
package main

import (
	"os"

	"kindred/internal/program"
	"kindred/internal/trainer"
)

func main() {
	os.Exit(program.Main("train", trainer.Description, &trainer.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
