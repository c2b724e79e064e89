package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/benchmarks/serenade"
	"kindred/internal/model/nextitem"
	"kindred/internal/serving/vectorstore/vectorstoretest"
)

// subject is a server that runs.
type subject struct {
	name     string
	process  *exec.Cmd
	address  string
	requests [][]byte
	sent     int    // of the requests
	database string // whose CPU time counts too; empty: it has none
	profile  string // address of its profiles; empty: it has none
	start    time.Duration
	ready    time.Duration
}

// subjects starts all servers; stop ends them.
func (c *command) subjects(ctx context.Context, l *nextitem.Log) (all []*subject, stop func(), err error) {
	var ends []func()
	stop = func() {
		for _, end := range slices.Backward(ends) {
			end()
		}
	}
	add := func(s *subject, end func(), err error) error {
		if err == nil {
			all, ends = append(all, s), append(ends, end)
		}
		return err
	}
	database := func() (string, error) {
		dsn, drop, err := vectorstoretest.Database(ctx, c.DSN)
		if err == nil {
			ends = append(ends, func() { _ = drop() }) // what is left of it harms nobody
		}
		return dsn, err
	}
	if err := c.kindreds(ctx, l, database, add); err != nil {
		return all, stop, err
	}
	if c.Serenade != "" && c.wants(serenading) {
		if err := add(c.startSerenade(ctx, l)); err != nil {
			return all, stop, err
		}
	}
	if c.Gorse != "" && c.wants(gorse) {
		dsn, err := database()
		if err != nil {
			return all, stop, err
		}
		if err := add(c.startGorse(ctx, l, dsn)); err != nil {
			return all, stop, fmt.Errorf("gorse: %w", err)
		}
	}
	return all, stop, nil
}

func (c *command) wants(name string) bool { return len(c.Only) == 0 || slices.Contains(c.Only, name) }

// startSerenade starts Serenade's server with as many workers as there are processors, with options such
// as its search chooses.
func (c *command) startSerenade(ctx context.Context, l *nextitem.Log) (*subject, func(), error) {
	folder, err := os.MkdirTemp("", "bench-serve-")
	if err != nil {
		return nil, nil, err
	}
	s := &serenade.Serenade{Programs: c.Serenade, Folder: folder,
		Options: serenade.Options{Sessions: 1000, Neighbours: 500, Clicks: 4, IDF: 1}}
	if err := s.Write("train.txt", l); err != nil {
		return nil, nil, err
	}
	begin := time.Now()
	process, address, stop, err := s.Start(ctx, processors)
	took := time.Since(begin)
	return &subject{name: serenading, process: process, address: address, requests: serenadeRequests(l), start: took,
			ready: took},
		func() { stop(); _ = os.RemoveAll(folder) }, // only our own temporary files
		err
}

// end ends a process that was asked to end, and waits for it.
func end(process *exec.Cmd) func() {
	return func() {
		_ = process.Process.Signal(os.Interrupt)
		ended := time.AfterFunc(10*time.Second, func() { _ = process.Process.Kill() })
		_ = process.Wait() // how it ends says nothing
		ended.Stop()
	}
}

// first waits until a server answers a request.
func first(ctx context.Context, s *subject, log *bytes.Buffer) error {
	for begin := time.Now(); time.Since(begin) < time.Minute && ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		if ok, err := once(ctx, s); err == nil && ok {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("%s does not answer: %.1000s", s.name, log), ctx.Err())
}

// free is a port that nobody listens on now.
func free(ctx context.Context) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// used is CPU time.
type used struct{ server, database time.Duration }

// used reads how much CPU time the server and its connections to the database have taken.
func (s *subject) used(ctx context.Context) (u used, err error) {
	if u.server, err = cpu(s.process.Process.Pid); err != nil || s.database == "" {
		return u, err
	}
	conn, err := pgx.Connect(ctx, s.database)
	if err != nil {
		return u, err
	}
	defer func() { _ = conn.Close(ctx) }() // nothing is lost by it
	rows, err := conn.Query(ctx, `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND
		pid <> pg_backend_pid() AND backend_type = 'client backend'`)
	if err != nil {
		return u, err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	for _, pid := range pids {
		if took, err := cpu(int(pid)); err == nil { // in a container it has another number
			u.database += took
		}
	}
	return u, err
}

// tick is the unit of CPU time in /proc.
const tick = 10 * time.Millisecond

// cpu is the CPU time of a process, as Linux tells it.
func cpu(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	user, err := strconv.Atoi(string(fields[11]))
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * tick, err
}

// memory is the most that the server had, in MiB.
func (s *subject) memory() (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("/proc/%d/status has no line VmHWM", s.process.Process.Pid)
	}
	kib, err := strconv.Atoi(string(found[1]))
	return kib >> 10, err
}
