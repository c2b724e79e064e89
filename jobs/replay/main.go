// Replay plays simulated visitors into the activity stream.
package main

import (
	"os"

	"kindred/internal/lab/replay"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("replay", replay.Description, &replay.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
