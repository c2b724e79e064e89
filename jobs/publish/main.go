// Publish takes trained model versions live in the vector database, and back: publish, publish
// list, publish show, publish rollback.
package main

import (
	"os"

	"kindred/internal/job/publish"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("publish", publish.Description, &publish.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
