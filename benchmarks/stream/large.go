package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"kindred/integration/lambdaruntime"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore/vectorstoretest"
)

const (
	// functionMiB is the memory that the function in memory is told to have.
	functionMiB = 1024
	// largeBatches are the different batches for a large catalogue.
	largeBatches = 5
	// mostSteps bounds the batches until a version is in memory.
	mostSteps = 2000
	bucket    = "artifacts"
	none      = "none"
)

// keep writes the version's files.
func (c *command) keep(ctx context.Context, v *modelversion.Version) error {
	folder := filepath.Join(c.folder(), bucket)
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	repo := commit.NewRepository(objectstore.NewFolder(folder), envconfig.ModelPrefix)
	_, err := modelfile.Write(ctx, repo, v, c.folder())
	return err
}

// artifacts serves these files as S3 does.
func (c *command) artifacts() *httptest.Server {
	return httptest.NewServer(http.StripPrefix("/"+bucket, http.FileServer(http.Dir(filepath.Join(c.folder(), bucket)))))
}

// watched is a function's log, which tells when a version is in memory.
type watched struct{ held atomic.Bool }

// Write looks at lines of the log.
func (w *watched) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "the memory answers") {
		w.held.Store(true)
	}
	return len(line), nil
}

// wait answers batches until a version is in memory.
func (w *watched) wait(answer func() error) error {
	for range mostSteps {
		if w.held.Load() {
			return nil
		}
		if err := answer(); err != nil {
			return err
		}
	}
	return errors.New("the version did not come into memory")
}

// holding lets a function keep versions in memory.
func holding(cmd *exec.Cmd, artifacts string, log *watched) {
	cmd.Env = append(cmd.Env, "ARTIFACTS_BUCKET="+bucket, "AWS_ENDPOINT_URL_S3="+artifacts,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+strconv.Itoa(functionMiB))
	cmd.Stderr = log
}

// catalogue is a large one, with what was measured of it.
type catalogue struct {
	Items     int            `json:"items"`
	Dim       int            `json:"dim"`
	Rows      []*row         `json:"rows"`       // the database, the memory
	MemoryMiB map[string]int `json:"memory_mib"` // the most that each process had; empty where /proc is not there
	Loading   int            `json:"loading"`    // batches until the version was in memory
}

// large compares memory and database for the larger catalogues, one after the other.
func (c *command) large(ctx context.Context, out io.Writer, functions map[string]string) (all []*catalogue, err error) {
	for _, text := range c.Large {
		if text == none {
			continue
		}
		l := &catalogue{MemoryMiB: map[string]int{}}
		if n, err := fmt.Sscanf(text, "%dx%d", &l.Items, &l.Dim); n != 2 || err != nil || l.Items < 1 || l.Dim < 1 {
			return nil, fmt.Errorf("%w: --large %q, want PRODUCTSxCOMPONENTS", program.ErrConfig, text)
		}
		printf(out, "%d products of %d components\n", l.Items, l.Dim)
		if err := c.compare(ctx, out, l, functions[kindred]); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

func (c *command) compare(ctx context.Context, out io.Writer, l *catalogue, function string) (err error) {
	dsn, drop, err := vectorstoretest.Database(ctx, c.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	own := *c
	own.Items, own.Dim = l.Items, l.Dim
	shop, err := own.fill(ctx, dsn)
	if err != nil {
		return err
	}
	taker, artifacts := newFirehose(), c.artifacts()
	defer taker.Close()
	defer artifacts.Close()
	held := &watched{}
	commands := map[string]*exec.Cmd{kindred: newCommand(ctx, function, dsn, taker.URL),
		inMemory: newCommand(ctx, function, dsn, taker.URL)}
	holding(commands[inMemory], artifacts.URL, held)
	processes, stop, err := start(ctx, commands)
	if err != nil {
		return err
	}
	defer stop()
	batches := make([][]byte, largeBatches)
	for i := range batches {
		if batches[i], err = json.Marshal(shop.Batch(i*c.Batch, c.Batch)); err != nil {
			return err
		}
		for _, process := range processes {
			if err := invoke(process, batches[i]); err != nil {
				return err
			}
		}
	}
	small, err := json.Marshal(shop.Batch(0, 1))
	if err != nil {
		return err
	}
	err = held.wait(func() error {
		l.Loading++
		return invoke(processes[inMemory], small)
	})
	if err != nil {
		return err
	}
	l.Rows = []*row{{Subject: kindred}, {Subject: inMemory}}
	if err := c.turns(out, l.Rows, c.LargeRounds, largeBatches, func(subject string, i int) error {
		return c.delivered(taker, subject, func() error { return invoke(processes[subject], batches[i]) })
	}); err != nil {
		return err
	}
	for subject, cmd := range commands {
		if most, ok := peak(cmd.Process.Pid); ok {
			l.MemoryMiB[subject] = most
		}
	}
	return nil
}

// start starts functions; stop ends them.
func start(ctx context.Context, commands map[string]*exec.Cmd) (processes map[string]*lambdaruntime.Process,
	stop func(), err error) {
	processes = map[string]*lambdaruntime.Process{}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		for _, process := range processes {
			_ = process.Stop(ctx) // it is killed then
		}
	}
	for subject, cmd := range commands {
		if processes[subject], err = lambdaruntime.Start(cmd); err != nil {
			delete(processes, subject)
			stop()
			return nil, nil, err
		}
	}
	return processes, stop, nil
}

// peak is the most memory that a process had, in MiB, as Linux tells it.
func peak(pid int) (mib int, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	found := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	if err != nil || found == nil {
		return 0, false
	}
	kib, err := strconv.Atoi(string(found[1]))
	return kib >> 10, err == nil
}

// print prints what was measured, and returns the ratio.
func (l *catalogue) print(out io.Writer) ratio {
	printf(out, "%d products of %d components, %d small batches to load\n", l.Items, l.Dim, l.Loading)
	for _, r := range l.Rows {
		printf(out, "%-26s %12.0f %12.0f %12.1f %12.1f %8d MiB\n", r.Subject, r.Best, r.Median, r.P50MS, r.P99MS,
			l.MemoryMiB[r.Subject])
	}
	name := fmt.Sprintf("%d x %d: kindred in memory / kindred, events/s, median of the rounds", l.Items, l.Dim)
	return ratio{name, ratioOfRounds(l.Rows[1], l.Rows[0]), ">= 5"}
}
