package stack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"kindred/internal/platform/envconfig"

	"github.com/go-sql-driver/mysql"
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

// makeFolder is MkdirAll. Every user may enter the last folder, independently of the umask.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the databases' user enters it
		return fmt.Errorf("open folder to the databases: %w", err)
	}
	return nil
}

// secrets are the passwords of the databases' users, made once for a state folder.
type secrets struct {
	Postgres string `json:"postgres"`
	MySQL    string `json:"mysql"`
	// of PostgreSQL's roles for the functions; "" in a folder of an earlier version
	Reader string `json:"reader"`
	Writer string `json:"writer"`
	// with which erase marks persons; "" in a folder of an earlier version
	Erase string `json:"erase"`
}

// loadSecrets reads the secrets. It creates missing ones, and rebuilds a damaged file.
func (f folder) loadSecrets() (secrets, error) {
	s, err := f.readSecrets()
	if errors.Is(err, os.ErrNotExist) {
		s, err = secrets{Postgres: rand.Text(), MySQL: rand.Text()}, nil
	}
	if err != nil {
		return s, err
	}
	for _, secret := range []*string{&s.Reader, &s.Writer, &s.Erase} {
		if *secret == "" {
			*secret = rand.Text() // `up` gives the first two to their roles
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return s, fmt.Errorf("encode passwords: %w", err)
	}
	if old, err := os.ReadFile(f.secrets()); err == nil && bytes.Equal(old, text) {
		return s, nil
	}
	return s, writeSecret(f.secrets(), text)
}

// readSecrets reads the passwords, from the environment file where their own is damaged: the
// databases keep theirs, so other ones would lock everybody out.
func (f folder) readSecrets() (secrets, error) {
	var s secrets
	text, err := os.ReadFile(f.secrets())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return s, fmt.Errorf("read passwords: %w", err)
	}
	if err == nil && json.Unmarshal(text, &s) == nil && s.Postgres != "" && s.MySQL != "" {
		return s, nil
	}
	if rebuilt, ok := f.secretsOfEnv(); ok {
		return rebuilt, nil
	}
	if err != nil {
		return s, fmt.Errorf("read passwords: %w", err)
	}
	return s, fmt.Errorf("%w: %s is damaged and %s does not hold the passwords either: `make local-reset` deletes the "+
		"folder's data, then `make local-up` starts afresh", ErrConfig, f.secrets(), f.env())
}

// secretsOfEnv finds the passwords in the environment file.
func (f folder) secretsOfEnv() (secrets, bool) {
	env, err := envconfig.ReadFile(f.env())
	if err != nil {
		return secrets{}, false
	}
	u, err := url.Parse(env["PGVECTOR_DSN"])
	if err != nil || u.User.Username() != postgresUser {
		return secrets{}, false
	}
	my, err := mysql.ParseDSN(env["MYSQL_DSN"])
	if err != nil || my.User != mysqlUser {
		return secrets{}, false
	}
	password, _ := u.User.Password()
	s := secrets{Postgres: password, MySQL: my.Passwd, Erase: env[eraseVariable]}
	for variable, role := range map[string]*string{readerVariable: &s.Reader, writerVariable: &s.Writer} {
		if u, err := url.Parse(env[variable]); err == nil {
			*role, _ = u.User.Password()
		}
	}
	return s, s.Postgres != "" && s.MySQL != ""
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

// writeEnv writes an environment file, for `source`, compose and package envconfig.
func writeEnv(path string, env map[string]string) error {
	text, err := envconfig.FormatFile(env)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return writeSecret(path, text)
}

// ReadEnv reads the environment file that Up wrote. A file that an earlier program wrote is refused if it
// lacks a variable.
func (s *Stack) ReadEnv() (map[string]string, error) {
	env, err := envconfig.ReadFile(s.folder.env())
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: no local stack was started here: run `make local-up`", ErrConfig)
	}
	if err == nil && env[writerVariable] == "" {
		err = fmt.Errorf("%w: an earlier commit started this stack, and %s has no %s: run `make local-up`", ErrConfig,
			s.folder.env(), writerVariable)
	}
	return env, err
}

// These name the vector database as the functions see it: serve by a role that only reads, recommend by
// one that also writes the state beside the model versions.
const (
	readerVariable = "PGVECTOR_READER_DSN"
	writerVariable = "PGVECTOR_WRITER_DSN"
)

// eraseVariable has the secret of package erased.
const eraseVariable = "ERASE_SECRET"

// env is what the environment file holds.
func (s *Stack) env() map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL":      fmt.Sprintf("http://127.0.0.1:%d", s.ports[emulatorName]),
		"AWS_REGION":            "us-east-1",
		"AWS_ACCESS_KEY_ID":     "test",
		"AWS_SECRET_ACCESS_KEY": "test",
		"PGVECTOR_DSN":          s.postgresDSN(postgresDatabase),
		readerVariable:          s.readerDSN(),
		writerVariable:          s.writerDSN(),
		eraseVariable:           s.secrets.Erase,
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
