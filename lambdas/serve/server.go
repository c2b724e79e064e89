package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"kindred/internal/platform/logkey"
	"kindred/internal/serving/inmemory"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// Time limits of the local server.
const (
	headerTime  = 5 * time.Second
	requestTime = 10 * time.Second         // to read a request and to answer it
	drainTime   = answerTime + time.Second // for the requests under way when the process is told to end
	drainProbe  = 10 * time.Millisecond    // how often it looks whether any is left
)

// build makes the handler, and what ends all that it needs. Nothing is requested yet.
func build(ctx context.Context, cfg answering, streams outside, onlooker watching,
	log *slog.Logger) (http.Handler, func(), error) {
	shops, err := activity.NewShops(cfg.Shop.Name, nil)
	if err := errors.Join(err, cfg.Explore.Check()); err != nil {
		return nil, nil, err
	}
	keys, err := newKeyring(cfg.SiteKeys.Keys)
	if err != nil {
		return nil, nil, err
	}
	store, err := vectorstore.Open(ctx, cfg.PGVector)
	if err != nil {
		return nil, nil, err
	}
	store.OnlyShop(shops.Own())
	recommender, end := recommend.New(store), store.Close
	memory, err := inmemory.Open(store, cfg.Memory, log)
	if err != nil {
		store.Close()
		return nil, nil, err
	}
	if memory != nil {
		memory.AnswerStale(cfg.Stale.Age)
		ctx, cancel := context.WithCancel(ctx)
		var loading sync.WaitGroup
		loading.Go(func() { memory.Run(ctx) })
		recommender, end = recommend.New(memory), func() {
			cancel()
			loading.Wait()
			store.Close()
		}
	}
	limited := admitted{recommender.Exploring(cfg.Explore.Share), newQueue(store.Connections(), answerTime, time.Now)}
	return newHandler(parts{recommender: onlooker.before(limited), checker: store, recorder: streams.recorder,
		stream: streams.stream, keys: keys, shops: shops, onlooker: onlooker, log: log, now: time.Now}), end, nil
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

// onlyHosts answers 421 to requests whose Host header is not one of names, an IP address or localhost.
// This stops DNS rebinding: a web page whose own name was made to lead to this machine still sends
// that name.
func onlyHosts(handler http.Handler, names []string) http.Handler {
	allowed := map[string]bool{"localhost": true}
	for _, name := range names {
		allowed[strings.ToLower(name)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
		if host != "" && !allowed[host] && !strings.HasSuffix(host, ".localhost") && net.ParseIP(host) == nil {
			_ = problem{Status: http.StatusMisdirectedRequest, Detail: "the Host header names another machine; " +
				"start serve with --allow-host NAME to answer to that name"}.write(w) // a caller that is gone needs no answer
			return
		}
		handler.ServeHTTP(w, r)
	})
}
