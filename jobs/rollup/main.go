// Rollup counts what went through the stream by hour, and indexes the ids of its events.
package main

import (
	"os"

	"kindred/internal/job/rollup"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("rollup", rollup.Description, &rollup.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
