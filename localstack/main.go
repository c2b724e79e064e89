// Localstack runs kindred's local stack: LocalStack, PostgreSQL with pgvector and a MySQL-protocol
// server on this machine.
package main

import (
	"os"

	"kindred/internal/platform/program"
)

type grammar struct {
	Up          up          `cmd:"" help:"Install what is missing, start what does not run, write the environment file."`
	Down        down        `cmd:"" help:"Stop every process; the databases keep their data."`
	Status      status      `cmd:"" help:"Show what runs; exit code 1 unless all parts are healthy."`
	Reset       reset       `cmd:"" help:"Stop the stack and delete its data. Downloads and programs stay."`
	Doctor      doctor      `cmd:"" help:"Check the machine, use every part of the stack, and say what to do."`
	Env         env         `cmd:"" help:"Print the environment file, passwords included."`
	Exec        execIt      `cmd:"" help:"Run a program with the variables of the environment file that the caller does not set."`
	Claim       claim       `cmd:"" help:"Mark a new or empty state folder as kindred's; refuse any other."`
	Provision   provisionIt `cmd:"" help:"Create buckets, streams and the two Lambda functions; what exists stays."`
	Deprovision deprovision `cmd:"" help:"Delete what provision created."`
}

func main() {
	os.Exit(program.Main("localstack", "The local stack of kindred.", &grammar{}, os.Args[1:], os.Stdout, os.Stderr))
}
