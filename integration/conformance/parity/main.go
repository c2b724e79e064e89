// Parity runs the conformance rows on emulators and writes docs/parity.md; on one endpoint or on
// AWS it prints what it saw.
package main

import (
	"os"

	"kindred/internal/platform/program"
)

const description = "Check emulators for the AWS behaviour that kindred depends on, and write docs/parity.md. " +
	"With --endpoint or --aws, check only that one."

func main() {
	os.Exit(program.Main("parity", description, &command{}, os.Args[1:], os.Stdout, os.Stderr))
}
