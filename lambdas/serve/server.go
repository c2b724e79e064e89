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
	"sync"
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
	headerTime  = 5 * time.Second
	requestTime = 10 * time.Second         // to read a request and to answer it
	drainTime   = answerTime + time.Second // for the requests under way when the process is told to end
	drainProbe  = 10 * time.Millisecond    // how often it looks whether any is left
)

const usage = `Usage: serve [--listen ADDRESS]

Answers over HTTP from the live model version: recommendations for a customer, for a session posted as an activity record, and similar
products. GET /openapi.json describes it. PGVECTOR_DSN locates the vector database. As a Lambda function it serves its function URL.

`

var errConfig = errors.New("bad configuration")

// exitCode is 2 for an error that other flags or variables would avoid, else 1.
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
	limited := admitted{recommend.New(store), newQueue(store.Connections(), answerTime, time.Now)}
	return newHandler(limited, store, log, time.Now), store.Close, nil
}

// listen serves on a local port until ctx ends, and then answers the requests under way, for drainTime
// at most.
func listen(ctx context.Context, log *slog.Logger, handler http.Handler, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	log.InfoContext(ctx, "listening", logkey.Address, listener.Addr().String())
	busy := active{conns: map[net.Conn]bool{}}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime,
		WriteTimeout: requestTime, ConnState: busy.note,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve on %s: %w", address, err)
	case <-ctx.Done():
	}
	return drain(context.WithoutCancel(ctx), server, &busy)
}

// drain takes no more requests and waits for those under way. It does not wait, as Shutdown alone
// does, for connections that have sent nothing yet: a browser opens some in advance.
func drain(ctx context.Context, server *http.Server, busy *active) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Shutdown(ctx) // its only errors: the time is up, and those of closing the listener
	}()
	probe := time.NewTicker(drainProbe)
	defer probe.Stop()
	for busy.count() > 0 && ctx.Err() == nil {
		<-probe.C
	}
	left := busy.count()
	err := server.Close()
	cancel()
	<-stopped
	if left > 0 {
		return fmt.Errorf("%d requests were not answered within %v of the signal to end", left, drainTime)
	}
	return err
}

// active counts the connections with a request under way.
type active struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

// note is the server's ConnState hook.
func (a *active) note(conn net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if state == http.StateActive {
		a.conns[conn] = true
	} else {
		delete(a.conns, conn)
	}
}

func (a *active) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.conns)
}

// listenAddress reads --listen.
func listenAddress(args []string, out io.Writer) (string, error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("listen", defaultListen, "address and port to listen on; callers are not authenticated")
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
