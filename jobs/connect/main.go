// Connect brings a shop live in one command: it recognises the shop's system, writes a mapping
// file, and runs etl, train and publish, which are in the same folder.
package main

import (
	"os"

	"kindred/internal/job/connect"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("connect", connect.Description, &connect.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
