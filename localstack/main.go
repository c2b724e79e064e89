// Localstack runs kindred's local stack: LocalStack, PostgreSQL with pgvector and a MySQL-protocol
// server on this machine.
package main

import (
	"os"

	"kindred/internal/platform/program"
)

type grammar struct {
	Up          up          `cmd:"" help:"Install what is missing, start what does not run, write the environment file."`
	Down        down        `cmd:"" help:"Stop every process; data stay."`
	Status      status      `cmd:"" help:"Show what runs; exit code 1 unless all parts are healthy."`
	Reset       reset       `cmd:"" help:"Stop and delete the data; downloads stay."`
	Doctor      doctor      `cmd:"" help:"Check the machine and use every part."`
	Env         env         `cmd:"" help:"Print the environment file, passwords included."`
	Provision   provisionIt `cmd:"" help:"Create buckets, streams and the Lambda function; what exists stays."`
	Deprovision deprovision `cmd:"" help:"Delete what provision created."`
}

func main() {
	os.Exit(program.Main("localstack", "The local stack of kindred.", &grammar{}, os.Args[1:], os.Stdout, os.Stderr))
}
