// Command recommend is the function behind the activity stream: it answers every event of a Kinesis batch with
// recommendations and hands them to Firehose; an event that no retry would mend goes to quarantine. main wires and starts,
// handler.go turns a batch into its response. Nothing is requested before the first batch comes.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, stop, err := build(context.Background(), log, os.Stdout)
	if err != nil {
		log.Error("function cannot start", "error", err.Error())
		os.Exit(2)
	}
	lambda.StartWithOptions(h.handle, lambda.WithEnableSIGTERM(func() {
		stop()
		os.Exit(0)
	}))
}
