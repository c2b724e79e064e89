// Verify is the delivery audit: it proves that every event on the stream has an outcome. `verify
// redrive` sends events again that were given up.
package main

import (
	"os"

	"kindred/internal/job/verify"
	"kindred/internal/job/verify/redrive"
	"kindred/internal/platform/program"
)

type command struct {
	Audit   verify.Command  `cmd:"" default:"withargs" help:"Account for every event (the default command). Exit code 1: an event is lost, an output is wrong or unexplained, the models know too few of the products that events name, or there was no event."`
	Redrive redrive.Command `cmd:"" help:"After a fix, send the events in quarantine and in failed batches again. Events that an earlier redrive sent are skipped."`
}

func main() {
	os.Exit(program.Main("verify", verify.Description, &command{}, os.Args[1:], os.Stdout, os.Stderr))
}
