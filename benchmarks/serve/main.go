// Serve measures serve over HTTP beside Serenade and gorse, on the same clicks: how many requests a
// second each one answers in time, how soon, with how much CPU time and memory, and how soon it starts.
// The load is open: the time of each request is fixed before, and its latency counts from then,
// whether or not the answers before it have come.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"kindred/benchmarks/results"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("bench-serve", "Measure how serve answers over HTTP, beside Serenade and gorse.", &command{},
		os.Args[1:], os.Stdout, os.Stderr))
}

type command struct {
	envconfig.PGVector
	Clicks   string `placeholder:"FILE" help:"Clicks of sessions: SessionId, ItemId and Time, separated by tabs, such as train.txt of Serenade's example. Default: generated ones."`
	Items    int    `default:"18000" help:"Number of products of generated clicks."`
	Sessions int    `default:"24000" help:"Number of generated sessions."`
	Dim      int    `default:"128" help:"Components of a vector, in all parts of a version."`
	Serenade string `placeholder:"FOLDER" help:"Folder with Serenade's program serving (docs/performance.md says how to build it). Default: without Serenade."`
	Earlier  string `placeholder:"FILE" help:"An earlier commit's program serve, to measure by turns with this one. Default: without it."`
	Gorse    string `placeholder:"FILE" help:"The program gorse-master (docs/performance.md says how to build it). Default: without gorse."`

	Rates       []int    `default:"250,500,1000,1500,2000,3000,4000,6000,8000,12000,16000,24000,32000,45000" help:"Requests a second, ascending. A subject that leaves requests unanswered at two rates in a row gets no higher rate."`
	Duration    float64  `default:"3" help:"Seconds of each rate."`
	Tries       int      `default:"2" help:"How often a rate is tried until it is held."`
	Connections int      `default:"64" help:"Number of connections."`
	Only        []string `placeholder:"SUBJECT" help:"Subjects to measure. Default: all."`
	Profile     int      `placeholder:"RATE" help:"Write a CPU profile of each serve at this rate, and measure nothing else."`

	State string `default:".kindred" placeholder:"FOLDER" env:"KINDRED_STATE" help:"State folder. The programs and results.json are written to its folder bench/serve."`
}

// The subjects.
const (
	plain      = "kindred"
	avx2       = "kindred with AVX2"
	blend      = "kindred with neighbours"
	portable   = "kindred without kernels"
	before     = "earlier"
	beforeNear = "earlier with neighbours"
	serenading = "Serenade"
	gorse      = "gorse"
)

// What holding a rate means.
const (
	limitP90 = 7 * time.Millisecond
	limitP99 = 20 * time.Millisecond
	// warmRate and warmTime come before what is measured.
	warmRate, warmTime = 200, 3.0
)

// row is what was measured of a subject.
type row struct {
	Subject   string  `json:"subject"`
	Start     float64 `json:"start_ms"` // until the first answer
	Ready     float64 `json:"ready_ms"` // until it answered from where it was measured
	MemoryMiB int     `json:"memory_mib"`
	Steps     []step  `json:"steps"`
	Held      *step   `json:"held"` // the highest rate that was held; nil: none
	// CPU is the least CPU time of a request, at a rate at which all were answered, in microseconds. What else
	// the machine does makes it longer: it pushes memory out of the caches.
	CPU float64 `json:"cpu_us"`
}

// folder holds what the benchmark builds and writes.
func (c *command) folder() string { return filepath.Join(c.State, "bench", "serve") }

// Run measures and prints.
func (c *command) Run(ctx context.Context, out *program.Output) (err error) {
	if c.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set", program.ErrConfig)
	}
	if c.State, err = filepath.Abs(c.State); err != nil {
		return err
	}
	if err := os.MkdirAll(c.folder(), 0o755); err != nil {
		return fmt.Errorf("make folder of results: %w", err)
	}
	log, err := c.clicks()
	if err != nil {
		return err
	}
	subjects, stop, err := c.subjects(ctx, log)
	defer stop()
	if err != nil {
		return err
	}
	for _, s := range subjects {
		if _, err := c.load(ctx, s, warmRate, warmTime); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if c.Profile > 0 {
		return c.profile(ctx, subjects)
	}
	rows := make([]*row, len(subjects))
	for i, s := range subjects {
		rows[i] = &row{Subject: s.name, Start: milliseconds(s.start), Ready: milliseconds(s.ready)}
	}
	if err := c.ladder(ctx, out.Stdout, subjects, rows); err != nil {
		return err
	}
	for i, s := range subjects {
		if rows[i].MemoryMiB, err = s.memory(); err != nil {
			return err
		}
	}
	return c.report(out.Stdout, len(log.Items), rows)
}

// ladder asks every subject at every rate, by turns.
func (c *command) ladder(ctx context.Context, out io.Writer, subjects []*subject, rows []*row) error {
	printf(out, "%-26s %8s %8s %8s %8s %8s %12s %12s  %s\n", "", "rate", "p50 ms", "p90 ms", "p99 ms", "failed",
		"CPU µs/req", "database µs", "load average")
	missed := make([]int, len(subjects))
	for _, rate := range c.Rates {
		for i, s := range subjects {
			if missed[i] == 2 {
				continue
			}
			missed[i]++
			for range c.Tries {
				m, err := c.load(ctx, s, rate, c.Duration)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				printf(out, "%-26s %8d %8.2f %8.2f %8.2f %8d %12.0f %12.0f  %s\n", s.name, rate, m.P50MS, m.P90MS, m.P99MS,
					m.Failed, m.CPU, m.DatabaseCPU, m.LoadAverage)
				rows[i].Steps = append(rows[i].Steps, m)
				if m.Failed == 0 {
					missed[i] = 0
					rows[i].CPU = min(cmp.Or(rows[i].CPU, m.CPU), m.CPU)
				}
				if m.held() {
					rows[i].Held = &m
					break
				}
			}
		}
	}
	return nil
}

// report prints the table, its ratios last, and leaves it as JSON.
func (c *command) report(out io.Writer, items int, rows []*row) error {
	printf(out, "\n%d products of %d components; held: p90 below %v, p99 below %v, every request answered\n", items, c.Dim,
		limitP90, limitP99)
	printf(out, "%-26s %8s %8s %8s %12s %12s %8s %10s %10s\n", "", "held/s", "p50 ms", "p99 ms", "CPU µs/req",
		"database µs", "MiB", "start ms", "ready ms")
	by := map[string]*row{}
	for _, r := range rows {
		by[r.Subject] = r
		held := step{}
		if r.Held != nil {
			held = *r.Held
		}
		printf(out, "%-26s %8d %8.2f %8.2f %12.0f %12.0f %8d %10.0f %10.0f\n", r.Subject, held.Rate, held.P50MS, held.P99MS,
			r.CPU, held.DatabaseCPU, r.MemoryMiB, r.Start, r.Ready)
	}
	for _, absent := range []struct{ flag, value string }{{"--serenade", c.Serenade}, {"--gorse", c.Gorse}} {
		if absent.value == "" {
			printf(out, "there is no %s: that server was not measured\n", absent.flag)
		}
	}
	printf(out, "\n")
	for _, want := range []struct {
		subject string
		most    float64
	}{{plain, widest()}, {avx2, narrow}, {blend, widest()}, {portable, narrow}} {
		if r := by[want.subject]; r != nil && r.CPU > 0 {
			printf(out, "%-60s %6.2f   want <= 1\n", fmt.Sprintf("%s: CPU of a request / %.0f µs", want.subject, want.most),
				r.CPU/want.most)
		}
	}
	for _, pair := range [][2]string{{plain, before}, {blend, beforeNear}, {plain, serenading}, {plain, gorse}} {
		own, other := by[pair[0]], by[pair[1]]
		if own == nil || other == nil {
			continue
		}
		names := pair[0] + " / " + pair[1]
		printf(out, "%-60s %6.2f\n", "CPU of a request: "+names, own.CPU/other.CPU)
		if own.Held != nil && other.Held != nil {
			printf(out, "%-60s %6.2f\n", "requests held: "+names, float64(own.Held.Rate)/float64(other.Held.Rate))
		}
	}
	return results.Write(c.State, "serve", map[string]any{"config": c, "items": items, "rows": rows})
}

// The CPU time of a request that is wanted, in microseconds: with AVX-512, and without.
const wide, narrow = 120, 180

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
