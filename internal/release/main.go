// Release builds what ships, and checks it: release build, release verify, release audit.
package main

import (
	"os"

	"kindred/internal/platform/program"
	"kindred/internal/release/command"
)

func main() {
	os.Exit(program.Main("release", command.Description, &command.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
