// Package lambdaruntime runs a function's own process on this machine, as Lambda does: it serves
// the Runtime API that the process asks for work. It is for tests and benchmarks only. See
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
package lambdaruntime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrEnded says that the process ended before it answered.
	ErrEnded = errors.New("the process ended")
	// ErrTime says that the time limit of an invocation was over; the process was killed, as Lambda does.
	ErrTime = errors.New("the function's time is up")
)

// Process is one process of a function. It takes one invocation at a time.
type Process struct {
	*exec.Cmd
	api     *httptest.Server
	work    chan invocation
	answers chan answer
	ready   chan struct{} // closed when it asks for work the first time
	ended   chan struct{} // closed at its end
}

// invocation is an event and the deadline of its answer.
type invocation struct {
	event    []byte
	deadline time.Time
	began    func()
	taken    chan struct{} // closed after began
}

// answer is what a process posts: the response, or an error.
type answer struct {
	body  []byte
	fault bool
}

// Start starts command. It adds the address of the Runtime API to its environment.
func Start(command *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: command, work: make(chan invocation), answers: make(chan answer), ready: make(chan struct{}),
		ended: make(chan struct{})}
	p.api = httptest.NewServer(p.handler())
	p.Env = append(p.Env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(p.api.URL, "http://"))
	if err := command.Start(); err != nil {
		p.api.Close()
		return nil, fmt.Errorf("start function: %w", err)
	}
	go func() {
		_ = p.Wait() // how it ended is in ProcessState
		close(p.ended)
		p.api.CloseClientConnections()
		p.api.Close()
	}()
	return p, nil
}

// Ready is closed when the process asks for work the first time.
func (p *Process) Ready() <-chan struct{} { return p.ready }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Invoke hands the process an event, which it has timeout for, and returns its answer. began, if it
// is not nil, is called after the process has asked for the event and before it gets it.
func (p *Process) Invoke(event []byte, timeout time.Duration, began func(*os.Process)) ([]byte, error) {
	deadline := time.Now().Add(timeout)
	over := time.After(timeout)
	work := invocation{event: event, deadline: deadline, taken: make(chan struct{}), began: func() {
		if began != nil {
			began(p.Process)
		}
	}}
	select {
	case p.work <- work:
	case <-p.ended:
		return nil, ErrEnded
	case <-over:
		return nil, errors.New("the function does not ask for work")
	}
	<-work.taken
	select {
	case a := <-p.answers:
		if a.fault {
			return nil, fmt.Errorf("the function answers with the error %s", a.body)
		}
		return a.body, nil
	case <-p.ended:
		return nil, ErrEnded
	case <-over:
		_ = p.Process.Kill() // it may have ended
		return nil, ErrTime
	}
}

// Stop ends the process as Lambda does, with SIGTERM, and kills it when ctx ends before.
func (p *Process) Stop(ctx context.Context) error {
	_ = p.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		_ = p.Process.Kill()
		<-p.ended
		return fmt.Errorf("the function does not end: %w", ctx.Err())
	}
}

// handler serves the calls of the process. Each call ends with its connection.
func (p *Process) handler() http.Handler {
	const runtime = "/2018-06-01/runtime/"
	var first sync.Once
	requests := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtime+"invocation/next", func(w http.ResponseWriter, r *http.Request) {
		first.Do(func() { close(p.ready) })
		select {
		case <-r.Context().Done():
		case work := <-p.work:
			work.began()
			close(work.taken)
			requests++ // a process asks for one at a time
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", strconv.Itoa(requests))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(work.deadline.UnixMilli(), 10))
			_, _ = w.Write(work.event)
		}
	})
	take := func(fault bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			if _, err := body.ReadFrom(r.Body); err != nil {
				return // it was killed while it answered
			}
			w.WriteHeader(http.StatusAccepted)
			select {
			case <-r.Context().Done():
			case p.answers <- answer{body.Bytes(), fault}:
			}
		}
	}
	mux.HandleFunc("POST "+runtime+"invocation/{id}/response", take(false))
	mux.HandleFunc("POST "+runtime+"invocation/{id}/error", take(true))
	mux.HandleFunc("POST "+runtime+"init/error", take(true))
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "local")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next",
		func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}
