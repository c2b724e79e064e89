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
)

const description = "Answer over HTTP from the live model version: recommendations for a customer, recommendations " +
	"for a session that is posted as an activity event, and similar products. GET /openapi.json describes the " +
	"interface. As a Lambda function, serve answers its function URL."

// command is the local program. It listens on the loopback interface by default, because the interface
// has no authentication of its own.
type command struct {
	envconfig.PGVector
	Shop      envconfig.OnlyShop `embed:""`
	Memory    envconfig.Memory   `embed:""`
	Explore   envconfig.Explore  `embed:""`
	Stale     envconfig.Stale    `embed:""`
	Recorded  envconfig.Recorded `embed:""`
	Listen    string             `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address and port to listen on. There is no login: whoever can reach the address gets answers."`
	AllowHost []string           `placeholder:"NAME" help:"Host name that requests may be addressed to, in addition to localhost and IP addresses. May be repeated."`
}

// Run serves until ctx ends.
func (c *command) Run(ctx context.Context, out *program.Output) error {
	if c.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set: it names the vector database", program.ErrConfig)
	}
	log := slog.New(slog.NewJSONHandler(out.Stderr, nil))
	records, endRecords, err := recordLater(ctx, c.Recorded, log)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	cfg := answering{c.PGVector, c.Shop, c.Memory, c.Explore, c.Stale, c.Recorded}
	handler, closeStore, err := build(ctx, cfg, records, log)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", program.ErrConfig, err), endRecords())
	}
	defer closeStore()
	names := c.AllowHost
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && host != "" {
		names = append(names, host)
	}
	err = listen(ctx, log, onlyHosts(handler, names), c.Listen)
	return errors.Join(err, endRecords())
}

// recordLater makes the recorder of the program, and what ends it after the last answer.
func recordLater(ctx context.Context, cfg envconfig.Recorded, log *slog.Logger) (recorder, func() error, error) {
	if cfg.Stream == "" {
		return unrecorded{}, func() error { return nil }, nil
	}
	aws, err := awsclient.Load(ctx)
	if err != nil {
		return nil, nil, err
	}
	firehose, err := delivery.New(awsenv.Of(aws, os.Getenv), cfg.Stream, delivery.Config{})
	if err != nil {
		return nil, nil, err
	}
	box := newOutbox(firehose, log)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- box.run(ctx) }()
	return box, func() error {
		cancel()
		return <-ended
	}, nil
}

func local(args []string) int {
	return program.Main("serve", description, &command{}, args, os.Stdout, os.Stderr)
}
