// Infer recommends products to all customers at once.
package main

import (
	"os"

	"kindred/internal/job/infer"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("infer", infer.Description, &infer.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
