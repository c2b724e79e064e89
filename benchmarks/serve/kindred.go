package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"kindred/benchmarks/serenade"
	"kindred/benchmarks/servelog"
	"kindred/internal/model/nextitem"
)

// processors is how many the servers may use.
var processors = runtime.GOMAXPROCS(0)

// widest is the CPU time that is wanted of a request on this machine.
func widest() float64 {
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil && bytes.Contains(text, []byte(" avx512f ")) {
		return wide
	}
	return narrow
}

// profiled is added to serve where it is profiled: the program itself has no address for that.
//
//go:embed profiled.go.txt
var profiled []byte

// kindreds starts serve in each setting.
func (c *command) kindreds(ctx context.Context, l *nextitem.Log, database func() (string, error),
	add func(*subject, func(), error) error) error {
	programs := map[string]string{}
	for name, experiment := range map[string]string{"serve": "simd", "serve-portable": ""} {
		program, err := c.build(ctx, name, experiment)
		if err != nil {
			return err
		}
		programs[name] = program
	}
	programs["earlier"] = c.Earlier
	for _, near := range []bool{false, true} {
		settings := c.settings(near)
		if len(settings) == 0 {
			continue
		}
		dsn, err := database()
		if err != nil {
			return err
		}
		name := fmt.Sprintf("near-%t", near)
		artifacts := filepath.Join(c.folder(), name)
		v := c.version(l, "m000000000000001", near)
		if err := c.fill(ctx, dsn, artifacts, v); err != nil {
			return err
		}
		asked, err := kindredRequests(l, v)
		if err != nil {
			return err
		}
		for _, setting := range settings {
			s := &subject{name: setting.subject, requests: asked, database: dsn}
			stop, err := startKindred(ctx, s, programs[setting.program], artifacts, setting.debug)
			if err := add(s, stop, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// setting is a way to run serve.
type setting struct{ subject, program, debug string }

// settings are the ways that are wanted, for a version with neighbours or one without.
func (c *command) settings(near bool) []setting {
	all := []setting{{plain, "serve", ""}, {portable, "serve-portable", ""}}
	if widest() == wide {
		all = append(all, setting{avx2, "serve", "cpu.avx512f=off"})
	}
	earlier := before
	if near {
		all, earlier = []setting{{blend, "serve", ""}}, beforeNear
	}
	if c.Earlier != "" {
		all = append(all, setting{earlier, "earlier", ""})
	}
	return slices.DeleteFunc(all, func(s setting) bool { return !c.wants(s.subject) })
}

// build compiles serve; for a profile, with an address for it.
func (c *command) build(ctx context.Context, name, experiment string) (string, error) {
	program := filepath.Join(c.folder(), name)
	args := []string{"build", "-o", program}
	if c.Profile > 0 {
		source, overlay := filepath.Join(c.folder(), "profiled.go"), filepath.Join(c.folder(), "overlay.json")
		if err := os.WriteFile(source, profiled, 0o600); err != nil {
			return "", err
		}
		target, err := filepath.Abs(filepath.Join("lambdas", "serve", "profiled.go"))
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(map[string]any{"Replace": map[string]string{target: source}})
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(overlay, text, 0o600); err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./lambdas/serve")...)
	cmd.Env = append(os.Environ(), "GOEXPERIMENT="+experiment)
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build serve: %w: %s", err, said)
	}
	return program, nil
}

// startKindred starts serve and waits until it answers from memory, unless the version does not fit.
func startKindred(ctx context.Context, s *subject, program, artifacts, debug string) (stop func(), err error) {
	if s.address, err = free(ctx); err != nil {
		return nil, err
	}
	if s.profile, err = free(ctx); err != nil {
		return nil, err
	}
	log := &servelog.Log{}
	s.process = exec.CommandContext(ctx, program, "--listen", s.address)
	s.process.Env = []string{"PGVECTOR_DSN=" + s.database, "ARTIFACTS_BUCKET=file://" + artifacts, "GODEBUG=" + debug,
		"BENCH_PROFILE=" + s.profile}
	s.process.Stderr = log
	begin := time.Now()
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	stop = end(s.process)
	if err := first(ctx, s, &log.Text); err != nil {
		stop()
		return nil, err
	}
	s.start = time.Since(begin)
	for !log.Chosen() {
		if ok, err := once(ctx, s); err != nil || !ok || time.Since(begin) > time.Minute {
			stop()
			return nil, errors.Join(fmt.Errorf("%s has not come into memory: %.1000s", s.name, &log.Text), err)
		}
	}
	s.ready = time.Since(begin)
	return stop, nil
}

// once asks for the first request's answer.
func once(ctx context.Context, s *subject) (ok bool, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return exchange(conn, bufio.NewReader(conn), s.requests[0])
}

// profile writes a CPU profile of each serve under load.
func (c *command) profile(ctx context.Context, subjects []*subject) error {
	for _, s := range subjects {
		if s.profile == "" {
			continue
		}
		if _, err := c.load(ctx, s, c.Profile, requests/float64(c.Profile)); err != nil { // each request has come once
			return err
		}
		done := make(chan error, 1)
		go func() { done <- fetch(ctx, s, c.Duration, filepath.Join(c.folder(), s.name+".pprof")) }()
		m, err := c.load(ctx, s, c.Profile, c.Duration+1)
		if err = errors.Join(err, <-done); err != nil {
			return err
		}
		printf(os.Stdout, "%s: %+v\n", s.name, m)
	}
	return nil
}

func fetch(ctx context.Context, s *subject, seconds float64, name string) error {
	data, err := serenade.Body(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", s.profile, seconds))
	if err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o600)
}
