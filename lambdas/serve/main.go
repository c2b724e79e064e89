// Command serve answers over HTTP what the function recommend answers over the stream: as a Lambda
// function URL, or as a local program on a port of this machine (local.go; the function's build
// leaves that out). handler.go is the interface.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
	"kindred/internal/serving/armmetric"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
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
	// Name is the function's own, which Lambda sets: the dimension of its metrics.
	Name string `env:"AWS_LAMBDA_FUNCTION_NAME" envDefault:"serve"`
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
		o.recorder = atOnce{firehose, log, os.Stdout, cfg.Name, &sample{kinds: map[string]*sampled{}}, time.Now}
	}
	if cfg.Ingested.Name != "" {
		o.stream, err = ingest.New(aws, cfg.Ingested.Name)
	}
	return o, err
}

// function answers the function URL, and the REST API if there is one, until Lambda ends the process.
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
	ctx := context.Background()
	traced, err := newTraces(ctx, log, os.Getenv, true)
	if err != nil {
		return err
	}
	watch := func(r recommender) recommender { return armsWatched{r, os.Stdout, cfg.Name, time.Now, log} }
	handler, closeStore, err := build(ctx, cfg, streams, watching{answers: watch}.and(traced.watching()), log)
	if err != nil {
		return err
	}
	defer closeStore()
	lambda.Start(onLambda(traced.handler(handler))) // it ends with the process
	return nil
}

// armsWatched counts the answers of an experiment's arms for CloudWatch, which counts a function's requests
// itself. It is as safe for concurrent use as its writer.
type armsWatched struct {
	recommender
	out  io.Writer // takes lines in the embedded metric format
	name string    // of the function
	now  func() time.Time
	log  *slog.Logger
}

func (w armsWatched) Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error) {
	answers, err := w.recommender.Batch(ctx, events)
	var arms armmetric.Counts
	for _, a := range answers {
		arms.Add(a)
	}
	if err := arms.Write(w.out, w.name, w.now()); err != nil {
		w.log.WarnContext(ctx, "metrics not written", logkey.Error, err.Error())
	}
	return answers, err
}
