//go:build !onlambda

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
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
	Listen    string             `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address and port to listen on. There is no login: whoever can reach the address gets answers."`
	AllowHost []string           `placeholder:"NAME" help:"Host name that requests may be addressed to, in addition to localhost and IP addresses. May be repeated."`
}

// Run serves until ctx ends.
func (c *command) Run(ctx context.Context, out *program.Output) error {
	if c.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set: it names the vector database", program.ErrConfig)
	}
	log := slog.New(slog.NewJSONHandler(out.Stderr, nil))
	handler, closeStore, err := build(ctx, answering{c.PGVector, c.Shop, c.Memory, c.Explore, c.Stale}, log)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	defer closeStore()
	names := c.AllowHost
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && host != "" {
		names = append(names, host)
	}
	return listen(ctx, log, onlyHosts(handler, names), c.Listen)
}

func local(args []string) int {
	return program.Main("serve", description, &command{}, args, os.Stdout, os.Stderr)
}
