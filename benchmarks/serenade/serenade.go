// Package serenade runs the programs of Serenade, bol.com's VMIS-kNN server, on click logs: its search for
// options, and its server. Its ids are numbers, so ours are indexes plus one.
package serenade

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

// Options are those of its algorithm, which Tune chooses.
type Options struct {
	Sessions   int     `json:"sessions"`
	Neighbours int     `json:"neighbours"`
	Clicks     int     `json:"clicks"`
	IDF        float64 `json:"idf"`
}

// Serenade is the programs serving and tpe_hyperparameter_optm in a folder, with a folder of their files.
type Serenade struct {
	Programs, Folder string
	Options          Options
}

// Tune lets Serenade's own search choose its options with the files train.txt and valid.txt.
func (s *Serenade) Tune(ctx context.Context, iterations int) (err error) {
	// Its search reports the test file too. It must not see ours, so it gets the validation file twice.
	if err := s.configure(Options{500, 50, 2, 1}, 0, 1, iterations); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, filepath.Join(s.Programs, "tpe_hyperparameter_optm"), "config.toml")
	command.Dir = s.Folder
	var problems bytes.Buffer
	command.Stderr = &problems
	printed, err := command.Output()
	if err != nil {
		return fmt.Errorf("tune Serenade: %w: %.500s", err, &problems)
	}
	for name, into := range map[string]*int{"n_most_recent_sessions": &s.Options.Sessions,
		"neighborhood_size_k": &s.Options.Neighbours, "last_items_in_session": &s.Options.Clicks} {
		value, err := chosen(printed, name)
		if err != nil {
			return err
		}
		*into = int(value)
	}
	s.Options.IDF, err = chosen(printed, "idf_weighting")
	return err
}

func chosen(printed []byte, name string) (float64, error) {
	found := regexp.MustCompile(name + `:([0-9.]+)`).FindSubmatch(printed)
	if found == nil {
		return 0, fmt.Errorf("tune Serenade: its search printed no %s", name)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// Write writes a log as a file of the folder.
func (s *Serenade) Write(name string, l *nextitem.Log) error {
	var b bytes.Buffer
	b.WriteString("SessionId\tItemId\tTime\n")
	for s, session := range l.Sessions {
		for i, item := range session.Items {
			fmt.Fprintf(&b, "%d\t%d\t%.3f\n", s+1, Number(l, item), session.Times[i])
		}
	}
	return os.WriteFile(filepath.Join(s.Folder, name), b.Bytes(), 0o600)
}

// Number is an item's id; unknown ones share one that a training file does not have.
func Number(l *nextitem.Log, item int32) int {
	if item == nextitem.Unknown {
		return len(l.Items) + 1
	}
	return int(item) + 1
}

func (s *Serenade) configure(o Options, port, workers, iterations int) error {
	text := fmt.Sprintf(`config_type = "toml"
[server]
host = "127.0.0.1"
port = %d
num_workers = %d
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
`, port, workers, o.Sessions, o.Neighbours, o.Clicks, nextitem.Cut, int(o.IDF), iterations)
	return os.WriteFile(filepath.Join(s.Folder, "config.toml"), []byte(text), 0o600)
}

// startLimit is how long the server may take to index its training file.
const startLimit = 5 * time.Minute

// Start starts the server on train.txt and waits until it answers. Its path is
// /v1/recommend?user_consent=true&session_id=TEXT&item_id=NUMBER. The caller ends the process, with stop.
func (s *Serenade) Start(ctx context.Context, workers int) (server *exec.Cmd, address string, stop func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", nil, err
	}
	address = listener.Addr().String()
	port := listener.Addr().(*net.TCPAddr).Port
	if err = errors.Join(listener.Close(), s.configure(s.Options, port, workers, 1)); err != nil {
		return nil, "", nil, err
	}
	running, cancel := context.WithCancel(ctx)
	server = exec.CommandContext(running, filepath.Join(s.Programs, "serving"), "config.toml")
	server.Dir = s.Folder
	if err := server.Start(); err != nil {
		cancel()
		return nil, "", nil, fmt.Errorf("start Serenade: %w", err)
	}
	stop = func() {
		cancel()
		_ = server.Wait() // it was killed
	}
	if err := ready(ctx, Path(address, "ready", 1)); err != nil {
		stop()
		return nil, "", nil, err
	}
	return server, address, stop, nil
}

// Path is the address of an answer to a click of a session.
func Path(address, session string, item int) string {
	return fmt.Sprintf("http://%s/v1/recommend?user_consent=true&session_id=%s&item_id=%d", address, session, item)
}

func ready(ctx context.Context, url string) (err error) {
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline) &&
		ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		var list []int
		if err = Get(ctx, url, &list); err == nil {
			return nil
		}
	}
	return fmt.Errorf("wait for Serenade: %w", errors.Join(err, ctx.Err()))
}

// Get reads an answer of JSON.
func Get(ctx context.Context, url string, into any) error {
	body, err := Body(ctx, url)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// Body reads an answer. A status that is not 200 is an error.
func Body(ctx context.Context, url string) (body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if body, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}
