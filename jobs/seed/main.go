// Seed fills the shop's MySQL: seed generate, seed import.
package main

import (
	"os"

	"kindred/internal/program"
	"kindred/internal/seed"
)

func main() {
	os.Exit(program.Main("seed", seed.Description, &seed.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
