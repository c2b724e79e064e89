package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// folder is the layout of the state folder and of the one that holds programs.
type folder struct{ state, runtimes string }

func (f folder) data(part string) string { return filepath.Join(f.state, "data", part) }
func (f folder) log(part string) string  { return filepath.Join(f.state, "log", part+".log") }
func (f folder) run(name string) string  { return filepath.Join(f.state, "run", name) }
func (f folder) env() string             { return filepath.Join(f.state, "env") }
func (f folder) secrets() string         { return filepath.Join(f.state, "secrets.json") }
func (f folder) mode() string            { return filepath.Join(f.state, "mode") } // how the stack runs
// what the compose file takes from outside
func (f folder) composeEnv() string     { return filepath.Join(f.state, "compose.env") }
func (f folder) cache() string          { return filepath.Join(f.runtimes, "cache") }
func (f folder) opt(name string) string { return filepath.Join(f.runtimes, "opt", name) }

// create makes the folders. They are readable by others, because the databases run as another user
// when root starts them; files with secrets are not.
func (f folder) create() error {
	for _, dir := range []string{f.state, f.data(""), filepath.Join(f.state, "log"), f.run(""), f.runtimes, f.cache(),
		f.opt("")} {
		if err := makeFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder is MkdirAll whose last folder anyone may pass, whatever the umask.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("open folder to the databases: %w", err)
	}
	return nil
}

func (f folder) deleteData() error {
	for _, path := range []string{f.data(""), filepath.Join(f.state, "log"), f.run(""), f.env(), f.secrets(), f.mode(),
		f.composeEnv()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("delete data: %w", err)
		}
	}
	return nil
}

// findRepository walks up to the folder whose go.mod is kindred's.
func findRepository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find working directory: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module kindred\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("%w: run this inside the kindred repository", ErrConfig)
		}
		dir = parent
	}
}

// secrets are the databases' passwords, made once for a state folder.
type secrets struct {
	Postgres string `json:"postgres"`
	MySQL    string `json:"mysql"`
}

// loadSecrets makes them when there are none.
func (f folder) loadSecrets() (secrets, error) {
	s, err := f.readSecrets()
	if !errors.Is(err, os.ErrNotExist) {
		return s, err
	}
	s = secrets{Postgres: rand.Text(), MySQL: rand.Text()}
	text, err := json.Marshal(s)
	if err != nil {
		return s, fmt.Errorf("encode passwords: %w", err)
	}
	return s, writeSecret(f.secrets(), text)
}

func (f folder) readSecrets() (secrets, error) {
	var s secrets
	text, err := os.ReadFile(f.secrets())
	if err != nil {
		return s, fmt.Errorf("read passwords: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Postgres == "" || s.MySQL == "" {
		return s, fmt.Errorf("%s is damaged: delete the folder's data with `make local-reset`", f.secrets())
	}
	return s, nil
}

// writeSecret replaces a file whole and keeps it from other users.
func writeSecret(path string, text []byte) error {
	partial := path + ".partial"
	if err := os.WriteFile(partial, text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(partial, path); err != nil {
		return fmt.Errorf("put %s in place: %w", filepath.Base(path), err)
	}
	return nil
}

// writeEnv writes an environment file: lines of NAME='value', for `source`, compose and readEnv.
func writeEnv(path string, env map[string]string) error {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "%s='%s'\n", name, env[name])
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == b.String() {
		return nil
	}
	return writeSecret(path, []byte(b.String()))
}

func readEnv(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read environment file: %w", err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[name] = strings.Trim(value, "'")
		}
	}
	return env, nil
}

// ReadEnv reads the environment file that Up wrote.
func (s *Stack) ReadEnv() (map[string]string, error) { return readEnv(s.folder.env()) }

// env is what the environment file holds.
func (s *Stack) env() map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL":      fmt.Sprintf("http://127.0.0.1:%d", s.ports[emulatorName]),
		"AWS_REGION":            "us-east-1",
		"AWS_ACCESS_KEY_ID":     "test",
		"AWS_SECRET_ACCESS_KEY": "test",
		"PGVECTOR_DSN":          s.postgresDSN(postgresDatabase),
		"MYSQL_DSN":             s.mysqlDSN(mysqlDatabase),
	}
	maps.Copy(env, s.config.Resources)
	return env
}

// lockPoll is how often a waiting command looks whether the lock is free; a person does not notice it.
const lockPoll = 100 * time.Millisecond

// lock takes an advisory lock that the kernel frees when this process ends. waiting is called once
// if it must wait.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for first := true; ; first = false {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("wait for lock: %w", ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}
