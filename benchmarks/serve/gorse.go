package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"kindred/internal/model/nextitem"
)

const (
	// gorseChunk is how many items or clicks are loaded at once.
	gorseChunk = 5000
	// gorseLimit is how long gorse may take to find the neighbours of items, and to train.
	gorseLimit = 10 * time.Minute
)

// feedback is a click as gorse takes it, with its names.
type feedback struct {
	FeedbackType, UserId, ItemId, Timestamp string
}

func clicked(session string, item int32, at float64) feedback {
	return feedback{"click", session, fmt.Sprintf("%07d", item), time.Unix(int64(at), 0).UTC().Format(time.RFC3339)}
}

// gorseRequests are the visits: gorse recommends from the neighbours of the session's items.
func gorseRequests(l *nextitem.Log) (all [][]byte, err error) {
	for _, v := range visits(l) {
		clicks := make([]feedback, len(v.items))
		for i, item := range v.items {
			clicks[i] = clicked(v.session, item, float64(1_600_000_000+i))
		}
		body, err := json.Marshal(clicks)
		if err != nil {
			return nil, err
		}
		all = append(all, post("/api/session/recommend?n=10", body))
	}
	return all, nil
}

// startGorse loads the clicks, and starts gorse again: only then it learns from them. It is ready when it no
// longer works on its own account.
func (c *command) startGorse(ctx context.Context, l *nextitem.Log, dsn string) (*subject, func(), error) {
	s := &subject{name: gorse} // its connections come and go, so their CPU time is not counted
	var err error
	if s.requests, err = gorseRequests(l); err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp("", "bench-serve-")
	if err != nil {
		return nil, nil, err
	}
	stop, err := c.runGorse(ctx, s, folder, dsn)
	if err == nil {
		err = loadGorse(ctx, s.address, l)
		stop()
	}
	if err == nil {
		stop, err = c.runGorse(ctx, s, folder, dsn)
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(folder))
	}
	stopped := func() {
		stop()
		_ = os.RemoveAll(folder) // only our own temporary files
	}
	begin := time.Now()
	if err := idle(ctx, s.process.Process.Pid); err != nil {
		stopped()
		return nil, nil, err
	}
	s.ready = s.start + time.Since(begin)
	return s, stopped, nil
}

// runGorse starts gorse-master, which has the interface and learns, and waits until it answers.
func (c *command) runGorse(ctx context.Context, s *subject, folder, dsn string) (stop func(), err error) {
	var ports [2]string
	for i := range ports {
		address, err := free(ctx)
		if err != nil {
			return nil, err
		}
		_, ports[i], err = net.SplitHostPort(address)
		if s.address = address; err != nil {
			return nil, err
		}
	}
	config := fmt.Sprintf(`[database]
cache_store = %[1]q
data_store = %[1]q
[master]
host = "127.0.0.1"
port = %[2]s
http_host = "127.0.0.1"
http_port = %[3]s
n_jobs = %[4]d
[recommend.data_source]
positive_feedback_types = ["click"]
[recommend.item_neighbors]
neighbor_type = "related"
[recommend.collaborative]
model_fit_period = "100h"
model_search_period = "100h"
`, dsn, ports[0], ports[1], processors)
	if err := os.WriteFile(filepath.Join(folder, "config.toml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	program, err := filepath.Abs(c.Gorse)
	if err != nil {
		return nil, err
	}
	var log bytes.Buffer
	s.process = exec.CommandContext(ctx, program, "--config", "config.toml")
	s.process.Dir, s.process.Stderr = folder, &log
	begin := time.Now()
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	stop = end(s.process)
	if err := first(ctx, s, &log); err != nil {
		stop()
		return nil, err
	}
	s.start = time.Since(begin)
	return stop, nil
}

func loadGorse(ctx context.Context, address string, l *nextitem.Log) error {
	items := make([]map[string]string, len(l.Items))
	for i := range items {
		items[i] = map[string]string{"ItemId": fmt.Sprintf("%07d", i)}
	}
	var clicks []feedback
	for n, s := range l.Sessions {
		for i, item := range s.Items {
			clicks = append(clicks, clicked(fmt.Sprintf("s%d", n), item, s.Times[i]))
		}
	}
	for chunk := range slices.Chunk(items, gorseChunk) {
		if err := tell(ctx, "http://"+address+"/api/items", chunk); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(clicks, gorseChunk) {
		if err := tell(ctx, "http://"+address+"/api/feedback", chunk); err != nil {
			return err
		}
	}
	return nil
}

func tell(ctx context.Context, url string, what any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// idle waits until a process takes a twentieth of a processor at most, for some seconds.
func idle(ctx context.Context, pid int) error {
	const period = 5 * time.Second
	for begin := time.Now(); time.Since(begin) < gorseLimit && ctx.Err() == nil; {
		before, err := cpu(pid)
		if err != nil {
			return err
		}
		time.Sleep(period)
		after, err := cpu(pid)
		if err != nil || after-before < period/20 {
			return err
		}
	}
	return errors.Join(errors.New("it is still learning"), ctx.Err())
}
