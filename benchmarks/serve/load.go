package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// step is what was measured at a rate.
type step struct {
	Rate        int     `json:"rate"` // requests a second
	P50MS       float64 `json:"p50_ms"`
	P90MS       float64 `json:"p90_ms"`
	P99MS       float64 `json:"p99_ms"`
	Failed      int     `json:"failed"` // requests that got no answer, or none with status 200
	CPU         float64 `json:"cpu_us"` // of the server, for each request, in microseconds
	DatabaseCPU float64 `json:"database_cpu_us"`
	LoadAverage string  `json:"load_average"` // of the machine, before
}

func (s step) held() bool {
	return s.Failed == 0 && s.P90MS < milliseconds(limitP90) && s.P99MS < milliseconds(limitP99)
}

// late ends a rate that cannot be held: a request would be sent so long after its time.
const late = 2 * time.Second

// load asks a subject for a time. Requests arrive independently of each other (as a Poisson process).
func (c *command) load(ctx context.Context, s *subject, rate int, seconds float64) (step, error) {
	rng := rand.New(rand.NewPCG(uint64(rate), 1))
	var arrivals []time.Duration
	for at := 0.0; at < seconds; at += rng.ExpFloat64() / float64(rate) {
		arrivals = append(arrivals, time.Duration(at*float64(time.Second)))
	}
	m := step{Rate: rate, LoadAverage: loadAverage()}
	before, err := s.used(ctx)
	if err != nil {
		return m, err
	}
	latencies, err := c.send(ctx, s, arrivals)
	if err != nil {
		return m, err
	}
	after, err := s.used(ctx)
	if err != nil {
		return m, err
	}
	m.Failed = len(arrivals) - len(latencies)
	if n := len(latencies); n > 0 {
		slices.Sort(latencies)
		quantile := func(q float64) float64 { return milliseconds(latencies[min(int(q*float64(n)), n-1)]) }
		m.P50MS, m.P90MS, m.P99MS = quantile(0.5), quantile(0.9), quantile(0.99)
		m.CPU = float64((after.server - before.server).Microseconds()) / float64(n)
		m.DatabaseCPU = float64((after.database - before.database).Microseconds()) / float64(n)
	}
	return m, nil
}

// send sends a request at each time, and returns how long after it the answers came.
func (c *command) send(ctx context.Context, s *subject, arrivals []time.Duration) ([]time.Duration, error) {
	taken := make([]time.Duration, len(arrivals)) // 0: not answered
	var next, lost atomic.Int64
	var all sync.WaitGroup
	begin := time.Now().Add(10 * time.Millisecond)
	first := s.sent
	s.sent += len(arrivals)
	for range c.Connections {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		all.Go(func() {
			defer func() { _ = conn.Close() }() // all its answers were read
			reader := bufio.NewReaderSize(conn, 16<<10)
			for i := int(next.Add(1)) - 1; i < len(arrivals); i = int(next.Add(1)) - 1 {
				at := begin.Add(arrivals[i])
				time.Sleep(time.Until(at))
				if lost.Load() > 0 || time.Since(at) > late {
					lost.Add(1)
					return
				}
				ok, err := exchange(conn, reader, s.requests[(first+i)%len(s.requests)])
				if err != nil {
					lost.Add(1)
					return
				}
				if ok {
					taken[i] = time.Since(at)
				}
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(taken, func(d time.Duration) bool { return d == 0 }), ctx.Err()
}

// exchange sends a request and reads its answer.
func exchange(conn net.Conn, reader *bufio.Reader, request []byte) (ok bool, err error) {
	if _, err := conn.Write(request); err != nil {
		return false, err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode == http.StatusOK, errors.Join(err, response.Body.Close())
}

// loadAverage is that of the last minute, where Linux tells it.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
