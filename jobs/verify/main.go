// Verify is the delivery audit: it proves that every event on the stream ended somewhere, exactly once. `verify redrive` sends
// events again that had to be given up.
package main

import (
	"os"

	"kindred/internal/audit"
	"kindred/internal/program"
	"kindred/internal/redrive"
)

type command struct {
	Audit   audit.Command   `cmd:"" default:"withargs" help:"Account for every event (the default). Exit code 1: one is lost, or nothing was there."`
	Redrive redrive.Command `cmd:"" help:"Send again what is in quarantine or was given up by the mapping, after a fix. What was sent before is not sent twice."`
}

func main() {
	os.Exit(program.Main("verify", audit.Description, &command{}, os.Args[1:], os.Stdout, os.Stderr))
}
