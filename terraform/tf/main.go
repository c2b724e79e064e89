// Tf runs Terraform for kindred: tf local, tf package, tf promote.
package main

import (
	"os"

	"kindred/internal/program"
	"kindred/internal/terraform"
)

func main() {
	os.Exit(program.Main("tf", terraform.Description, &terraform.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
