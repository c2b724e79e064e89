// Console shows kindred in a browser: the loop, the models and what became of every event.
package main

import (
	"os"

	"kindred/internal/job/console"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("console", console.Description, &console.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
