// Tf runs Terraform for kindred: tf local, tf package, tf promote, tf aws-day.
package main

import (
	"os"

	"kindred/internal/platform/program"
	"kindred/terraform/tf/awsday"
	"kindred/terraform/tf/promotion"
)

// command is the program's grammar.
type command struct {
	promotion.Command `embed:""`
	AWSDay            awsday.Command `cmd:"" name:"aws-day" help:"Make an environment on AWS, ask everything that only AWS can tell, destroy the environment, and write a report."`
}

func main() {
	os.Exit(program.Main("tf", promotion.Description, &command{}, os.Args[1:], os.Stdout, os.Stderr))
}
