// Verify is the delivery audit: it proves that every event on the stream ended somewhere, exactly once.
package main

import (
	"os"

	"kindred/internal/audit"
	"kindred/internal/program"
)

func main() {
	os.Exit(program.Main("verify", audit.Description, &audit.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
