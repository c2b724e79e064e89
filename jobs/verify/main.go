// Verify is the delivery audit: it proves that every event on the stream ended somewhere, exactly
// once. `verify redrive` sends events again that had to be given up.
package main

import (
	"os"

	"kindred/internal/job/verify"
	"kindred/internal/job/verify/redrive"
	"kindred/internal/platform/program"
)

type command struct {
	Audit   verify.Command  `cmd:"" default:"withargs" help:"Account for every event (the default). Exit code 1: an event is lost, or there was no event."`
	Redrive redrive.Command `cmd:"" help:"After a fix, send again what is in quarantine or in failed batches. What an earlier redrive completed is not sent again."`
}

func main() {
	os.Exit(program.Main("verify", verify.Description, &command{}, os.Args[1:], os.Stdout, os.Stderr))
}
