package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"

	"github.com/caarlos0/env/v11"
)

// defaultListen is the loopback interface only: the interface has no authentication of its own.
const defaultListen = "127.0.0.1:8080"

// Time limits of the local server.
const (
	headerTime   = 5 * time.Second
	requestTime  = 10 * time.Second // to read a request, and to answer it
	shutdownTime = 5 * time.Second  // for the requests under way when the process ends
)

const usage = `Usage: serve [--listen ADDRESS]

Answers over HTTP from the live model version: recommendations for a customer, for a session posted as an activity record, and similar
products. GET /openapi.json describes it. PGVECTOR_DSN locates the vector database. As a Lambda function it serves its function URL.

`

var errConfig = errors.New("bad configuration")

// exitCode is 2 for what other flags or variables mend, else 1.
func exitCode(err error) int {
	if errors.Is(err, errConfig) {
		return 2
	}
	return 1
}

// config is the environment; every variable without a default is required.
type config struct {
	PGVector envconfig.PGVector
}

// build reads the environment and makes the handler. Nothing is requested yet.
func build(ctx context.Context, log *slog.Logger) (http.Handler, func(), error) {
	cfg, err := env.ParseAsWithOptions[config](env.Options{RequiredIfNoDef: true})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: read environment: %w", errConfig, err)
	}
	store, err := vectorstore.Open(ctx, cfg.PGVector)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	return newHandler(recommend.New(store), log, time.Now), store.Close, nil
}

// listen serves on a local port until ctx ends.
func listen(ctx context.Context, log *slog.Logger, handler http.Handler, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	log.InfoContext(ctx, "listening", logkey.Address, listener.Addr().String())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime,
		WriteTimeout: requestTime,
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve on %s: %w", address, err)
	case <-ctx.Done():
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return server.Shutdown(shutdown)
}

// listenAddress reads --listen.
func listenAddress(args []string, out io.Writer) (string, error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("listen", defaultListen, "address and port to listen on; it asks nobody who he is")
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return "", fmt.Errorf("%w: %w", errConfig, err)
	}
	if flags.NArg() > 0 {
		return "", fmt.Errorf("%w: unknown argument %q", errConfig, flags.Arg(0))
	}
	return *address, nil
}
