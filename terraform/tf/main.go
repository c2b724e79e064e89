// Tf runs Terraform for kindred: tf local, tf package, tf promote.
package main

import (
	"os"

	"kindred/internal/platform/program"
	"kindred/terraform/tf/promotion"
)

func main() {
	os.Exit(program.Main("tf", promotion.Description, &promotion.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
