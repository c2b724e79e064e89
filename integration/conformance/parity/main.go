// Parity runs the conformance rows on emulators and writes docs/parity.md; on one endpoint or on
// AWS it prints what it saw.
package main

import (
	"os"

	"kindred/internal/platform/program"
)

const description = "Look on emulators, on CONFORMANCE_ENDPOINT or on AWS for the behaviour that kindred depends on. " +
	"Without either it writes docs/parity.md."

func main() {
	os.Exit(program.Main("parity", description, &command{}, os.Args[1:], os.Stdout, os.Stderr))
}
