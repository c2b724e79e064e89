// Etl extracts the shop's MySQL database to a training set of Parquet files on S3: etl, etl plan, commit-parts, show, verify, prune.
package main

import (
	"os"

	"kindred/internal/extract"
	"kindred/internal/program"
)

func main() {
	os.Exit(program.Main("etl", extract.Description, &extract.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
