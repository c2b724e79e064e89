package main

import (
	"context"
	"sync"
	"time"

	"kindred/internal/serving/recommend"
)

// When the live version can no longer answer, /health turns red within the sum of these.
const (
	healthAge  = time.Second             // how old an answer of /health may be
	healthTime = 3500 * time.Millisecond // for the questions to the database, about twenty round trips
)

// checker asks the database what serving asks it; package vectorstore documents Check.
type checker interface {
	Check(ctx context.Context) (recommend.Traffic, error)
}

// health asks the checker at most once at a time, and keeps its answer for healthAge. It needs no
// place in the queue of requests. It is safe for concurrent use.
type health struct {
	checker checker
	now     func() time.Time

	mu   sync.Mutex
	last *probe
}

// probe is one question to the checker.
type probe struct {
	began   time.Time
	done    chan struct{} // closed when the rest is set
	traffic recommend.Traffic
	err     error
}

// ask returns the latest answer, or waits for a new one.
func (h *health) ask(ctx context.Context) (recommend.Traffic, error) {
	h.mu.Lock()
	p := h.last
	if p == nil || h.now().Sub(p.began) >= healthAge {
		p = &probe{began: h.now(), done: make(chan struct{})}
		h.last = p
		go func() {
			defer close(p.done)
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTime) // others wait for it too
			defer cancel()
			p.traffic, p.err = h.checker.Check(ctx)
		}()
	}
	h.mu.Unlock()
	select {
	case <-p.done:
		return p.traffic, p.err
	case <-ctx.Done():
		return recommend.Traffic{}, ctx.Err()
	}
}
