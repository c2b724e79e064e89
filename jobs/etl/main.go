// Etl extracts the shop's MySQL database to a training set of Parquet files on S3: etl, etl plan,
// commit-parts, show, verify, prune.
package main

import (
	"os"

	"kindred/internal/job/etl"
	"kindred/internal/platform/heap"
	"kindred/internal/platform/program"
)

// Customers and products stay in memory, ratings leave no garbage: so the memory stays near what is in
// use, and not at twice that.
const (
	memoryFloor = 80 << 20 // bytes; a small shop never needs a collection
	gcPercent   = 20
)

func main() {
	heap.Floor(memoryFloor, gcPercent)
	os.Exit(program.Main("etl", etl.Description, &etl.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
