// Erase finds what kindred holds of persons, and deletes it.
package main

import (
	"os"

	"kindred/internal/job/erase"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("erase", erase.Description, &erase.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
