// Feedback learns from delivered recommendations what became of them.
package main

import (
	"os"

	"kindred/internal/feedback"
	"kindred/internal/program"
)

func main() {
	os.Exit(program.Main("feedback", feedback.Description, &feedback.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
