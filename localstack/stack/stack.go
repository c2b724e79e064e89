// Package stack runs the local stack on 127.0.0.1: LocalStack, PostgreSQL with pgvector and a
// MySQL-protocol server, as containers of the compose file or, without an engine, as ordinary
// processes. It owns the processes' downloads, data, logs and records, all below one state folder,
// and the environment file that says how to reach the servers, which is the same in both modes. It
// does not create AWS resources or tables.
//
// Rejected: embedding the servers into our own process (they would end with it) and a service
// manager (needs root).
package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/envconfig"
)

// Config says where the stack lives. Zero values are chosen by Open.
type Config struct {
	State string // folder of data, logs and records; default $KINDRED_STATE, then .kindred of the repository or release
	// folder of downloads and installed programs, which stacks may share; default $KINDRED_RUNTIMES,
	// then State
	Runtimes string
	// default: the KINDRED_…_PORT variables, then the ports a running part has, then Default…Port
	Ports     Ports
	Resources map[string]string // further lines of the environment file: the AWS resources' names and region
	Mode      string            // Native or Docker; default $STACK, then what Choose finds
	Report    func(Step)        // told what is being done; may be called from several goroutines
	home      string
}

// Ports are the parts' TCP ports on 127.0.0.1.
type Ports struct{ LocalStack, PGVector, MySQL int }

// Default ports: LocalStack's own; the databases' stay clear of servers the machine may run already
// (5432, 3306, and 33060, which MySQL 8 uses for its X protocol).
const (
	DefaultLocalStackPort = 4566
	DefaultPGVectorPort   = 54320
	DefaultMySQLPort      = 33306
)

// part is one server of the stack.
type part interface {
	name() string
	portVariable() string
	defaultPort() int
	install(ctx context.Context) error            // the programs, into Runtimes; returns at once when they are there
	prepare(ctx context.Context) error            // the data folder; returns at once when it is there
	command(ctx context.Context) (command, error) // how to start it
	ready(ctx context.Context) (version string, err error)
	stopping() stopping
}

// Stack is the local stack of one state folder.
type Stack struct {
	folder  folder
	secrets secrets
	parts   []part
	ports   map[string]int
	engine  engine
	python  func(context.Context) (string, error)
	config  Config
}

// Open finds the state folder and reads what it says. It starts nothing.
func Open(cfg Config) (*Stack, error) {
	home, err := artifact.FindHome()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	cfg.home = home
	state, err := filepath.Abs(cmp.Or(cfg.State, os.Getenv("KINDRED_STATE"), filepath.Join(home, ".kindred")))
	if err != nil {
		return nil, fmt.Errorf("find state folder: %w", err)
	}
	runtimes, err := filepath.Abs(cmp.Or(cfg.Runtimes, os.Getenv("KINDRED_RUNTIMES"), state))
	if err != nil {
		return nil, fmt.Errorf("find folder of programs: %w", err)
	}
	if cfg.Report == nil {
		cfg.Report = func(Step) {}
	}
	s := &Stack{folder: folder{state: state, runtimes: runtimes}, config: cfg, python: oncePython(),
		ports: map[string]int{}}
	s.parts = []part{&emulator{s}, &postgres{s}, &mysqlServer{s}}
	s.engine, _ = s.recordedEngine()
	given := map[string]int{emulatorName: cfg.Ports.LocalStack, postgresName: cfg.Ports.PGVector,
		mysqlName: cfg.Ports.MySQL}
	for _, p := range s.parts {
		if s.ports[p.name()], err = s.choosePort(p, given[p.name()]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Stack) choosePort(p part, given int) (int, error) {
	if given != 0 {
		return given, nil
	}
	if text := os.Getenv(p.portVariable()); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil || port < 1 || port > 65535 {
			return 0, fmt.Errorf("%w: %s is not a port: %q", ErrConfig, p.portVariable(), text)
		}
		return port, nil
	}
	if r, err := s.folder.record(p.name()); err == nil && r.alive() {
		return r.Port, nil
	}
	if s.engine.mode() == Docker {
		if env, err := envconfig.ReadFile(s.folder.composeEnv()); err == nil {
			if port, err := strconv.Atoi(env[p.portVariable()]); err == nil {
				return port, nil
			}
		}
	}
	return p.defaultPort(), nil
}

// State is the folder of everything this stack keeps.
func (s *Stack) State() string { return s.folder.state }

// Runtimes is the folder of downloads and installed programs.
func (s *Stack) Runtimes() string { return s.folder.runtimes }

// EnvFile is the file of addresses and passwords that Up writes.
func (s *Stack) EnvFile() string { return s.folder.env() }

// Home is the folder of the repository or release that the working directory is in.
func (s *Stack) Home() string { return s.config.home }

// Up installs what is missing, starts what does not run, mends what is half started and writes the
// environment file. Healthy parts are left alone.
func (s *Stack) Up(ctx context.Context) error {
	if err := s.Claim(); err != nil {
		return err
	}
	unlock, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.secrets, err = s.folder.loadSecrets(); err != nil {
		return err
	}
	if err := s.chooseEngine(ctx); err != nil {
		return err
	}
	if err := s.engine.up(ctx); err != nil {
		return err
	}
	if err := s.admitFunctions(ctx); err != nil {
		return err
	}
	return writeEnv(s.folder.env(), s.env())
}

// FunctionOS is the operating system that Lambda functions run on.
func (s *Stack) FunctionOS() string {
	if s.engine.mode() == Docker {
		return "linux"
	}
	return runtime.GOOS
}

// begin takes the folder's lock.
func (s *Stack) begin(ctx context.Context) (unlock func(), err error) {
	if err := s.folder.create(); err != nil {
		return nil, err
	}
	return lock(ctx, filepath.Join(s.folder.state, "lock"), func() {
		s.config.Report(Step{Part: "stack", Text: "another command works on it; waiting"})
	})
}

// Down ends every process or container of the stack and reports those that would not end.
func (s *Stack) Down(ctx context.Context) error {
	if _, err := os.Stat(s.folder.run("")); errors.Is(err, os.ErrNotExist) && !isFile(s.folder.mode()) {
		return nil // nothing was ever started here
	}
	unlock, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.down(ctx)
}

func (s *Stack) down(ctx context.Context) error {
	s.engine, _ = s.recordedEngine()
	if err := s.engine.down(ctx); err != nil {
		return err
	}
	return deleteFile(s.folder.mode())
}

// Reset stops the stack and deletes its data, logs and passwords, and nothing else. With programs,
// it also deletes downloads and programs. It refuses a folder that Claim never accepted.
func (s *Stack) Reset(ctx context.Context, programs bool) error {
	if _, err := os.Stat(s.folder.state); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := s.folder.owned(); err != nil {
		return err
	}
	unlock, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.down(ctx); err != nil {
		return err
	}
	if err := (docker{s}).remove(ctx, "--volumes"); err != nil {
		return err
	}
	names := make([]string, 0, len(s.parts))
	for _, p := range s.parts {
		names = append(names, p.name())
	}
	if err := s.folder.deleteData(names); err != nil || !programs {
		return err
	}
	return s.folder.deletePrograms()
}
