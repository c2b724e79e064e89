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
	"kindred/internal/stream/ingest"

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
	Ingested envconfig.Ingested
	SiteKeys envconfig.SiteKeys
}

// outside are the streams that serve writes.
type outside struct {
	recorder recorder
	stream   stream // nil: no events are taken
}

// ofFunction makes the streams as the function writes them.
func ofFunction(cfg answering, log *slog.Logger) (o outside, err error) {
	o.recorder = unrecorded{}
	if cfg.Recorded.Stream == "" && cfg.Ingested.Name == "" {
		return o, nil
	}
	aws, err := awsenv.Load(os.Getenv)
	if err != nil {
		return o, err
	}
	if cfg.Recorded.Stream != "" {
		firehose, err := delivery.New(aws, cfg.Recorded.Stream, atOnceConfig)
		if err != nil {
			return o, err
		}
		o.recorder = atOnce{firehose, log, os.Stdout, &sample{kinds: map[string]*sampled{}}, time.Now}
	}
	if cfg.Ingested.Name != "" {
		o.stream, err = ingest.New(aws, cfg.Ingested.Name)
	}
	return o, err
}

// function serves the function URL until Lambda ends the process.
func function(log *slog.Logger) error {
	cfg, err := env.ParseAsWithOptions[answering](env.Options{RequiredIfNoDef: true})
	if err != nil {
		return err
	}
	envconfig.LimitMemory(os.Getenv)
	streams, err := ofFunction(cfg, log)
	if err != nil {
		return err
	}
	handler, closeStore, err := build(context.Background(), cfg, streams, unwatched, log)
	if err != nil {
		return err
	}
	defer closeStore()
	lambda.Start(functionURL(handler))
	return nil
}

// unwatched counts nothing: CloudWatch counts a function's requests.
func unwatched(r recommender) recommender { return r }
