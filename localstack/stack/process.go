package stack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stackVariable is in the environment of every process of a stack, and of what those start; its
// value names the state folder and the part.
const stackVariable = "KINDRED_STACK"

func (f folder) mark(part string) string { return stackVariable + "=" + f.state + ":" + part }

// Times of waiting. None is slept through: each bounds a loop that looks every processPoll.
const (
	processPoll  = 20 * time.Millisecond
	startTimeout = 90 * time.Second // LocalStack takes 4 s, 15 s on a busy machine whose files are not cached
	killTimeout  = 10 * time.Second // after SIGKILL; longer only for a process that the kernel holds
	probeTimeout = 5 * time.Second  // of one health check
	// of using a part: LocalStack loads a service when it is first asked, more than 10 s on a busy
	// machine
	useTimeout = 90 * time.Second
)

// command is how a part is started.
type command struct {
	path string
	args []string
	env  []string // whole environment, without stackVariable
	dir  string
	as   account
	also string // a folder that it needs, besides its program and the stack's folders
}

// stopping is how a part is ended: a signal that asks, and how long it may take to obey before SIGKILL.
type stopping struct {
	signal syscall.Signal
	grace  time.Duration
}

// record is what is kept of a started process. Born tells it from a later process with the same number.
type record struct {
	PID     int       `json:"pid"`
	Born    string    `json:"born"`
	Port    int       `json:"port"`
	Started time.Time `json:"started"`
}

// alive says whether the recorded process still runs.
func (r record) alive() bool {
	born, err := birth(r.PID)
	return err == nil && born == r.Born
}

func (f folder) record(part string) (record, error) {
	var r record
	text, err := os.ReadFile(f.run(part + ".json"))
	if err != nil {
		return r, fmt.Errorf("read process record: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("decode process record: %w", err)
	}
	return r, nil
}

func (f folder) writeRecord(part string, r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode process record: %w", err)
	}
	return writeSecret(f.run(part+".json"), text)
}

func (f folder) deleteRecord(part string) error {
	return deleteFile(f.run(part + ".json"))
}

// deleteFile deletes a file that need not be there.
func deleteFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", filepath.Base(path), err)
	}
	return nil
}

// start runs the part's command as a daemon: in a session of its own, with its output in the log.
// ended is closed when the process ends while we are still its parent.
func (s *Stack) start(name string, c command) (r record, ended <-chan struct{}, err error) {
	log, err := os.OpenFile(s.folder.log(name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return r, nil, fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = log.Close() }()
	// Not CommandContext: the daemon outlives the command that starts it.
	cmd := exec.Command(c.path, c.args...) //nolint:noctx // see above
	cmd.Env = append(c.env, s.folder.mark(name))
	cmd.Dir = c.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.startCommand(cmd, c); err != nil {
		return r, nil, fmt.Errorf("start %s: %w", filepath.Base(c.path), err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // how it ended is in its log; waiting keeps it from staying as a zombie
	}()
	r = record{PID: cmd.Process.Pid, Port: s.ports[name], Started: time.Now()}
	if r.Born, err = birth(r.PID); err != nil {
		return r, done, nil // it has ended already: the caller sees that by ended
	}
	if err := s.folder.writeRecord(name, r); err != nil {
		return r, nil, errors.Join(err, cmd.Process.Kill())
	}
	return r, done, nil
}

// run executes a short command of a part to its end and returns an error that holds the last of
// what it printed.
func (s *Stack) run(ctx context.Context, c command) error {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env = c.env
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that an interrupt ends its children as well
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := s.startCommand(cmd, c); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(c.path), err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("run %s: %w%s", filepath.Base(c.path), err, lastLines(out.Bytes()))
	}
	return nil
}

func (s *Stack) startCommand(cmd *exec.Cmd, c command) error {
	program, err := filepath.EvalSymlinks(c.path)
	if err != nil {
		program = c.path // a name to be found in PATH
	}
	return startAs(cmd, c.as, s.folder.state, s.folder.runtimes, filepath.Dir(program), cmp.Or(c.also, "/"))
}

// terminate ends a recorded process and what else is in its process group: it asks, waits, then
// kills. It returns when none is left.
func terminate(ctx context.Context, r record, how stopping) error {
	if !r.alive() {
		return nil
	}
	if err := syscall.Kill(r.PID, how.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end process %d: %w", r.PID, err)
	}
	gone := func() bool { return !r.alive() }
	if waitUntil(ctx, how.grace, gone) {
		return nil
	}
	if !r.alive() {
		return nil
	}
	// The group has the leader's number, which cannot be given to another process while the leader lives.
	if err := syscall.Kill(-r.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process %d: %w", r.PID, err)
	}
	if !waitUntil(context.WithoutCancel(ctx), killTimeout, gone) {
		return fmt.Errorf("process %d does not end even by SIGKILL", r.PID)
	}
	return nil
}

// endLeftovers kills the processes that a part's server left behind, such as Lambda functions and
// database workers.
func (s *Stack) endLeftovers(ctx context.Context, part string) error {
	var left []int
	done := waitUntil(context.WithoutCancel(ctx), killTimeout, func() bool {
		left = leftovers(s.folder, part)
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended since; the next look tells
		}
		return len(left) == 0
	})
	if !done {
		return fmt.Errorf("processes %v that it left behind do not end even by SIGKILL", left)
	}
	return nil
}

// waitUntil looks at once and then every processPoll until condition holds, the time is over or ctx ends.
func waitUntil(ctx context.Context, limit time.Duration, condition func() bool) bool {
	if condition() {
		return true
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	tick := time.NewTicker(processPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
			if condition() {
				return true
			}
		}
	}
}
