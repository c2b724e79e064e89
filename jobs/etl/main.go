// Etl extracts the shop's MySQL database to a training set of Parquet files on S3: etl, etl plan, commit-parts, show, verify, prune.
package main

import (
	"os"
	"runtime/debug"

	"kindred/internal/extract"
	"kindred/internal/program"
)

// gcPercent keeps the memory near what is in use, customers and products, instead of at twice that: ratings leave no garbage.
const gcPercent = 20

func main() {
	debug.SetGCPercent(gcPercent)
	os.Exit(program.Main("etl", extract.Description, &extract.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
