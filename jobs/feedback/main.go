// Feedback learns from delivered recommendations what became of them.
package main

import (
	"os"

	"kindred/internal/job/feedback"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("feedback", feedback.Description, &feedback.Command{}, os.Args[1:], os.Stdout, os.Stderr))
}
