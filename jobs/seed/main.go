// Seed fills the shop's MySQL: seed generate, seed import.
package main

import (
	"os"

	"kindred/internal/lab/seed"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("seed", seed.Description, &seed.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
