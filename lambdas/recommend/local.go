//go:build !onlambda

package main

import (
	"fmt"
	"os"

	"kindred/internal/platform/program"
)

const description = "The Lambda function that answers every click on the activity stream with recommendations. It " +
	"also stores purchases and the state of products, customers and sessions. You cannot start it from a command line. " +
	"`make deploy` installs it in the local stack, and Terraform installs it on AWS."

type command struct{ program.VersionOnly }

// Run says what to do instead.
func (command) Run() error {
	return fmt.Errorf("%w: recommend runs as a Lambda function only; `make deploy` installs it in the local stack",
		program.ErrConfig)
}

// local answers --help and --version.
func local(args []string) int {
	return program.Main("recommend", description, &command{}, args, os.Stdout, os.Stderr)
}
