package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kindred/internal/model/nextitem"
)

// options are what Serenade's search chose.
type options struct {
	Sessions   int     `json:"sessions"`
	Neighbours int     `json:"neighbours"`
	Clicks     int     `json:"clicks"`
	IDF        float64 `json:"idf"`
}

// serenade is the server, with files of its own: its ids are numbers, so ours are indexes plus one.
type serenade struct {
	programs, folder string
	options          options
}

// tune writes the logs and lets Serenade's own search choose its options.
func (s *serenade) tune(ctx context.Context, p part, iterations int) (err error) {
	for name, l := range map[string]*nextitem.Log{"train": p.train, "valid": p.valid, "test": p.test} {
		if err := write(filepath.Join(s.folder, name+".txt"), l); err != nil {
			return err
		}
	}
	// Its search reports the test file too. It must not see ours, so it gets the validation file twice.
	if err := s.configure(options{500, 50, 2, 1}, 0, iterations); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, filepath.Join(s.programs, "tpe_hyperparameter_optm"), "config.toml")
	command.Dir = s.folder
	var problems bytes.Buffer
	command.Stderr = &problems
	printed, err := command.Output()
	if err != nil {
		return fmt.Errorf("tune Serenade: %w: %.500s", err, &problems)
	}
	for name, into := range map[string]*int{"n_most_recent_sessions": &s.options.Sessions,
		"neighborhood_size_k": &s.options.Neighbours, "last_items_in_session": &s.options.Clicks} {
		value, err := chosen(printed, name)
		if err != nil {
			return err
		}
		*into = int(value)
	}
	s.options.IDF, err = chosen(printed, "idf_weighting")
	return err
}

func chosen(printed []byte, name string) (float64, error) {
	found := regexp.MustCompile(name + `:([0-9.]+)`).FindSubmatch(printed)
	if found == nil {
		return 0, fmt.Errorf("tune Serenade: its search printed no %s", name)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

func write(name string, l *nextitem.Log) error {
	var b bytes.Buffer
	b.WriteString("SessionId\tItemId\tTime\n")
	for s, session := range l.Sessions {
		for i, item := range session.Items {
			fmt.Fprintf(&b, "%d\t%d\t%.3f\n", s+1, number(l, item), session.Times[i])
		}
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}

// number is an item's id for Serenade; unknown ones share one that its training file does not have.
func number(l *nextitem.Log, item int32) int {
	if item == nextitem.Unknown {
		return len(l.Items) + 1
	}
	return int(item) + 1
}

func (s *serenade) configure(o options, port, iterations int) error {
	text := fmt.Sprintf(`config_type = "toml"
[server]
host = "127.0.0.1"
port = %d
num_workers = 1
[log]
level = "info"
[data]
training_data_path="train.txt"
[model]
m_most_recent_sessions = %d
neighborhood_size_k = %d
max_items_in_session = %d
num_items_to_recommend = %d
idf_weighting = %d
[logic]
enable_business_logic = false
example_item_id = 1
[hyperparam]
training_data_path = "train.txt"
test_data_path = "valid.txt"
validation_data_path = "valid.txt"
num_iterations = %d
save_records = true
out_path = "results.csv"
enable_business_logic = false
n_most_recent_sessions_range = [100, 2500]
neighborhood_size_k_range = [50, 1500]
last_items_in_session_range = [1, 20]
idf_weighting_range = [0, 5]
`, port, o.Sessions, o.Neighbours, o.Clicks, nextitem.Cut, int(o.IDF), iterations)
	return os.WriteFile(filepath.Join(s.folder, "config.toml"), []byte(text), 0o600)
}

// startLimit is how long the server may take to index its training file.
const startLimit = 5 * time.Minute

// measure starts the server, asks it after every click, and stops it.
func (s *serenade) measure(ctx context.Context, test *nextitem.Log) (answers []nextitem.Answer,
	lists [][]int32, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err = errors.Join(listener.Close(), s.configure(s.options, port, 1)); err != nil {
		return nil, nil, err
	}
	running, stop := context.WithCancel(ctx)
	server := exec.CommandContext(running, filepath.Join(s.programs, "serving"), "config.toml")
	server.Dir = s.folder
	if err := server.Start(); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start Serenade: %w", err)
	}
	defer func() {
		stop()
		_ = server.Wait() // it was killed
	}()
	base := fmt.Sprintf("http://127.0.0.1:%d/v1/recommend?user_consent=true", port)
	if err := ready(ctx, base+"&session_id=ready&item_id=1"); err != nil {
		return nil, nil, err
	}
	return nextitem.MeasureLists(test, func(session int, click int32) ([]int32, error) {
		var found []int
		if err := get(ctx, fmt.Sprintf("%s&session_id=s%d&item_id=%d", base, session, number(test, click)),
			&found); err != nil {
			return nil, err
		}
		list := make([]int32, len(found))
		for i, id := range found {
			list[i] = int32(id - 1)
		}
		return list, nil
	})
}

func ready(ctx context.Context, url string) (err error) {
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline) &&
		ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		var list []int
		if err = get(ctx, url, &list); err == nil {
			return nil
		}
	}
	return fmt.Errorf("wait for Serenade: %w", errors.Join(err, ctx.Err()))
}

func get(ctx context.Context, url string, into any) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return json.Unmarshal(body, into)
}
