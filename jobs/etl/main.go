// Etl extracts the shop's MySQL database to a training set of Parquet files on S3: etl, etl plan,
// commit-parts, show, verify, prune.
package main

import (
	"os"
	"runtime/debug"

	"kindred/internal/job/etl"
	"kindred/internal/platform/program"
)

// gcPercent keeps the memory near what is in use, customers and products, instead of at twice that:
// ratings leave no garbage.
const gcPercent = 20

func main() {
	debug.SetGCPercent(gcPercent)
	os.Exit(program.Main("etl", etl.Description, &etl.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
