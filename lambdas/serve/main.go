// Command serve answers over HTTP what the function recommend answers over the stream: as a Lambda
// function URL, or on a local port. main starts one of the two, handler.go is the interface.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"kindred/internal/platform/logkey"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	err := run(log, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Error("serve cannot start or ended", logkey.Error, err.Error())
		os.Exit(exitCode(err))
	}
}

func run(log *slog.Logger, args []string) error {
	address, err := listenAddress(args, os.Stderr)
	if err != nil {
		return err
	}
	handler, closeStore, err := build(context.Background(), log)
	if err != nil {
		return err
	}
	defer closeStore()
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		lambda.Start(functionURL(handler))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return listen(ctx, log, handler, address)
}
