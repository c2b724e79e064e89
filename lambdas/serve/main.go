// Command serve answers over HTTP what the function recommend answers over the stream: as a Lambda
// function URL, or as a local program on a port of this machine (local.go; the function's build
// leaves that out). handler.go is the interface.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
	"kindred/internal/stream/delivery"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/caarlos0/env/v11"
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(local(os.Args[1:]))
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := function(log); err != nil {
		log.Error("function cannot start", logkey.Error, err.Error())
		os.Exit(2)
	}
}

// answering is what answering takes. It is the function's environment; every variable without a default
// is required.
type answering struct {
	PGVector envconfig.PGVector
	Shop     envconfig.OnlyShop
	Memory   envconfig.Memory
	Explore  envconfig.Explore
	Stale    envconfig.Stale
	Recorded envconfig.Recorded
}

// recordAtOnce makes the recorder of the function.
func recordAtOnce(cfg envconfig.Recorded, log *slog.Logger) (recorder, error) {
	if cfg.Stream == "" {
		return unrecorded{}, nil
	}
	aws, err := awsenv.Load(os.Getenv)
	if err != nil {
		return nil, err
	}
	firehose, err := delivery.New(aws, cfg.Stream, atOnceConfig)
	if err != nil {
		return nil, err
	}
	return atOnce{firehose, log, os.Stdout, &sample{kinds: map[string]*sampled{}}, time.Now}, nil
}

// function serves the function URL until Lambda ends the process.
func function(log *slog.Logger) error {
	cfg, err := env.ParseAsWithOptions[answering](env.Options{RequiredIfNoDef: true})
	if err != nil {
		return err
	}
	envconfig.LimitMemory(os.Getenv)
	records, err := recordAtOnce(cfg.Recorded, log)
	if err != nil {
		return err
	}
	handler, closeStore, err := build(context.Background(), cfg, records, log)
	if err != nil {
		return err
	}
	defer closeStore()
	lambda.Start(functionURL(handler))
	return nil
}
