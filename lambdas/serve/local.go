//go:build !onlambda

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/stream/delivery"
	"kindred/internal/stream/ingest"
)

const description = "Answer over HTTP from the live model version: recommendations for a customer, recommendations " +
	"for a session that is posted as an activity event, and similar products. GET /openapi.json describes the " +
	"interface. GET /metrics has figures for Prometheus. With " +
	"OTEL_EXPORTER_OTLP_ENDPOINT, serve sends traces to a collector of OpenTelemetry, by OTLP over HTTP. As a Lambda " +
	"function, serve answers its function URL."

// command is the local program. It listens on the loopback interface by default, because the interface
// has no authentication of its own.
type command struct {
	envconfig.PGVector
	Shop      envconfig.OnlyShop `embed:""`
	Memory    envconfig.Memory   `embed:""`
	Explore   envconfig.Explore  `embed:""`
	Stale     envconfig.Stale    `embed:""`
	Recorded  envconfig.Recorded `embed:""`
	Ingested  envconfig.Ingested `embed:""`
	SiteKeys  envconfig.SiteKeys `embed:""`
	Listen    string             `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address and port to listen on. Without --site-keys, whoever can reach the address gets answers."`
	AllowHost []string           `placeholder:"NAME" help:"Host name that requests may be addressed to, in addition to localhost and IP addresses. May be repeated."`
}

// Run serves until ctx ends.
func (c *command) Run(ctx context.Context, out *program.Output) error {
	if c.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set: it names the vector database", program.ErrConfig)
	}
	log := slog.New(slog.NewJSONHandler(out.Stderr, nil))
	cfg := answering{c.PGVector, c.Shop, c.Memory, c.Explore, c.Stale, c.Recorded, c.Ingested, c.SiteKeys, ""}
	streams, endRecords, err := ofProgram(ctx, cfg, log)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	traced, err := newTraces(ctx, log, os.Getenv, false)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", program.ErrConfig, err), endRecords())
	}
	counted := newMetrics()
	handler, closeStore, err := build(ctx, cfg, streams, watching{answers: counted.watch}.and(traced.watching()), log)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", program.ErrConfig, err), endRecords(), traced.end(ctx))
	}
	defer closeStore()
	names := c.AllowHost
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && host != "" {
		names = append(names, host)
	}
	err = listen(ctx, log, onlyHosts(traced.handler(counted.handler(handler)), names), c.Listen)
	return errors.Join(err, endRecords(), traced.end(ctx))
}

// ofProgram makes the streams as the program writes them, and what ends them after the last answer.
func ofProgram(ctx context.Context, cfg answering, log *slog.Logger) (o outside, end func() error, err error) {
	o.recorder, end = unrecorded{}, func() error { return nil }
	if cfg.Recorded.Stream == "" && cfg.Ingested.Name == "" {
		return o, end, nil
	}
	sdk, err := awsclient.Load(ctx)
	if err != nil {
		return o, end, err
	}
	aws := awsenv.Of(sdk, os.Getenv)
	if cfg.Ingested.Name != "" {
		if o.stream, err = ingest.New(aws, cfg.Ingested.Name); err != nil {
			return o, end, err
		}
	}
	if cfg.Recorded.Stream == "" {
		return o, end, nil
	}
	firehose, err := delivery.New(aws, cfg.Recorded.Stream, delivery.Config{})
	if err != nil {
		return o, end, err
	}
	box := newOutbox(firehose, log)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- box.run(ctx) }()
	o.recorder = box
	return o, func() error {
		cancel()
		return <-ended
	}, nil
}

func local(args []string) int {
	return program.Main("serve", description, &command{}, args, os.Stdout, os.Stderr)
}
