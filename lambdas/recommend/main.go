// Command recommend is the function behind the activity stream: it answers every event of a Kinesis
// batch with recommendations and hands them to Firehose; an event that no retry would mend goes to
// quarantine. main wires and starts, handler.go turns a batch into its response. Before
// the first batch comes, only a connection to the vector database is opened.
package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(local(os.Args[1:]))
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := build(context.Background(), log, os.Stdout)
	if err != nil {
		log.Error("function cannot start", logkey.Error, err.Error())
		os.Exit(2)
	}
	// A batch leaves next to nothing behind of the megabytes that it takes: to collect seldom makes
	// the function a fifth faster. Near the end of the memory that Lambda gives, it is collected as
	// often as it must.
	debug.SetGCPercent(400)
	envconfig.LimitMemory(os.Getenv)
	h.connecting.Go(func() { h.connect(context.Background()) })
	// No handler of SIGTERM: to be sent it, a process registers as an extension, which doubles the
	// start. PostgreSQL ends the sessions of those that are gone (idle_session_timeout, package
	// vectorstore).
	lambda.Start(h)
}
