// Replay plays simulated shoppers into the activity stream.
package main

import (
	"os"

	"kindred/internal/program"
	"kindred/internal/replay"
)

func main() {
	os.Exit(program.Main("replay", replay.Description, &replay.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
