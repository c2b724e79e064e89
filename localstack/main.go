// Localstack runs kindred's local stack: LocalStack, PostgreSQL with pgvector and a MySQL-protocol
// server on this machine.
package main

import (
	"os"

	"kindred/internal/platform/program"
)

type grammar struct {
	Up          up          `cmd:"" help:"Install missing parts, start stopped ones, and write the environment file."`
	Down        down        `cmd:"" help:"Stop every process. The databases keep their data; LocalStack's buckets and streams are lost."`
	Status      status      `cmd:"" help:"Show what is running. The exit code is 1 if a part is not healthy."`
	Reset       reset       `cmd:"" help:"Stop the stack and delete its data. Downloads and programs stay."`
	Doctor      doctor      `cmd:"" help:"Check this machine and every part of the stack, and print what to do."`
	Env         env         `cmd:"" help:"Print the environment file, including passwords."`
	Exec        execIt      `cmd:"" help:"Run a program with the variables of the environment file. A variable that the caller sets wins."`
	Claim       claim       `cmd:"" help:"Mark the state folder as kindred's, if it is new or empty, is the .kindred of the repository or release, or was made by an earlier kindred. Any other folder is refused."`
	Provision   provisionIt `cmd:"" help:"Bring the vector database's schema up to date, create missing buckets and streams, and install the two Lambda functions."`
	Deprovision deprovision `cmd:"" help:"Delete the buckets, streams and functions that provision created."`
}

func main() {
	os.Exit(program.Main("localstack", "Start, stop and check kindred's local stack.", &grammar{}, os.Args[1:],
		os.Stdout, os.Stderr))
}
