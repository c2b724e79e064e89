package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// native runs the parts as daemons of this machine, known by the records in the state folder.
type native struct{ *Stack }

func (s native) mode() string { return Native }

// up clears what is not healthy, so that its port is free, and raises it again.
func (s native) up(ctx context.Context) error {
	start := make([]bool, len(s.parts))
	failures := make([]error, len(s.parts))
	var wait sync.WaitGroup
	for i, p := range s.parts {
		wait.Go(func() { start[i], failures[i] = s.clear(ctx, p) })
	}
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for i, p := range s.parts {
		if !start[i] {
			continue
		}
		group.Go(func() error {
			if err := s.raise(groupCtx, p); err != nil {
				return fmt.Errorf("%s: %w", p.name(), err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (s native) down(ctx context.Context) error {
	failures := make([]error, len(s.parts))
	var wait sync.WaitGroup
	for i, p := range s.parts {
		wait.Go(func() { failures[i] = s.lower(ctx, p) })
	}
	wait.Wait()
	return errors.Join(failures...)
}

func (s native) status(ctx context.Context) (Statuses, error) {
	return s.each(func(p part) Status { return s.look(ctx, p) }), nil
}

func (s native) look(ctx context.Context, p part) Status {
	st := Status{Part: p.name(), State: Healthy, Port: s.ports[p.name()], Log: s.folder.log(p.name())}
	r, version, err := s.check(ctx, p)
	if errors.Is(err, ErrNotRunning) {
		st.State = Stopped
		return st
	}
	if err != nil {
		st.State, st.Problem = Broken, err.Error()
	}
	st.PID, st.Started, st.Version, st.Processes = r.PID, r.Started, version, family(r.PID)
	st.MemoryBytes = memoryBytes(st.Processes)
	return st
}

func (s native) openSockets(all Statuses) (map[int]bool, error) {
	loopback := map[int]bool{}
	for _, st := range all {
		for _, pid := range st.Processes {
			sockets, err := listeners(pid)
			if err != nil {
				return nil, err
			}
			for _, l := range sockets {
				before, seen := loopback[l.port]
				loopback[l.port] = l.loopback && (before || !seen)
			}
		}
	}
	return loopback, nil
}

func (s native) examine(ctx context.Context) Finding {
	path, err := s.python(ctx)
	if err != nil {
		return Finding{Check: "Python " + pythonVersion, Detail: "none found", Advice: err.Error()}
	}
	return Finding{Check: "Python " + pythonVersion, OK: true, Detail: path}
}

// listener is a TCP socket that waits for connections. pid is 0 when it belongs to a process we may
// not look into.
type listener struct {
	pid, port int
	loopback  bool
}

// clear finds out whether the part must be started. If so, it ends what is left of it and sees that
// its port is free, before anything is installed for nothing.
func (s native) clear(ctx context.Context, p part) (start bool, err error) {
	if r, version, err := s.check(ctx, p); err == nil {
		s.config.Report(Step{Part: p.name(), Text: fmt.Sprintf("%s runs on port %d (process %d)", version, r.Port, r.PID)})
		return false, forget(p)
	}
	if err := s.lower(ctx, p); err != nil {
		return true, err
	}
	return true, s.checkPort(ctx, p)
}

// raise installs, prepares and starts a part.
func (s native) raise(ctx context.Context, p part) error {
	name := p.name()
	if err := p.install(ctx); err != nil {
		return err
	}
	if err := p.prepare(ctx); err != nil {
		return err
	}
	done := s.step(name, fmt.Sprintf("starting on port %d", s.ports[name]))
	version, err := s.launch(ctx, p)
	if err != nil {
		return err
	}
	done(fmt.Sprintf("%s is ready on port %d", version, s.ports[name]))
	return forget(p)
}

// forget removes what a part needed only to start.
func forget(p part) error {
	if starting, ok := p.(interface{ forget() error }); ok {
		return starting.forget()
	}
	return nil
}

// launch starts the part and waits until it is healthy. What fails to become so is ended again.
func (s native) launch(ctx context.Context, p part) (version string, err error) {
	name := p.name()
	c, err := p.command(ctx)
	if err != nil {
		return "", err
	}
	r, ended, err := s.start(name, c)
	if err != nil {
		return "", err
	}
	exited := func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
	healthy := waitUntil(ctx, startTimeout, func() bool {
		version, err = s.probe(ctx, p, r)
		return err == nil || exited()
	})
	if healthy && err == nil {
		return version, nil
	}
	log, _ := os.ReadFile(s.folder.log(name)) // absent means that nothing was said
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case exited():
		err = fmt.Errorf("it ended at once; %s says:%s", s.folder.log(name), lastLines(log))
	default:
		err = fmt.Errorf("not ready within %s: %w; %s says:%s", startTimeout, err, s.folder.log(name), lastLines(log))
	}
	if lowerErr := s.lower(context.WithoutCancel(ctx), p); lowerErr != nil {
		return "", fmt.Errorf("%w; and %w", err, lowerErr)
	}
	return "", err
}

// lower ends the part's process, if it has one, and what that left behind, and forgets it.
func (s native) lower(ctx context.Context, p part) error {
	r, err := s.folder.record(p.name())
	if err == nil && r.alive() {
		done := s.step(p.name(), fmt.Sprintf("stopping process %d", r.PID))
		if err := terminate(ctx, r, p.stopping()); err != nil {
			return err
		}
		done("stopped")
	}
	if err := s.endLeftovers(ctx, p.name()); err != nil {
		return err
	}
	return s.folder.deleteRecord(p.name())
}

// check finds the part's process and asks whether it is healthy where it should be.
func (s native) check(ctx context.Context, p part) (record, string, error) {
	r, err := s.folder.record(p.name())
	if err != nil || !r.alive() {
		return record{}, "", ErrNotRunning
	}
	if r.Port != s.ports[p.name()] {
		return r, "", fmt.Errorf("it listens on port %d, wanted is %d", r.Port, s.ports[p.name()])
	}
	version, err := s.probe(ctx, p, r)
	return r, version, err
}

// probe asks a process that lives: does it listen on its port, on loopback only, and answer properly?
func (s native) probe(ctx context.Context, p part, r record) (version string, err error) {
	ctx, stop := context.WithTimeout(ctx, probeTimeout)
	defer stop()
	sockets, err := listeners(r.PID)
	if err != nil {
		return "", err
	}
	listens := false
	for _, l := range sockets {
		if !l.loopback {
			return "", fmt.Errorf("process %d listens to the network on port %d", r.PID, l.port)
		}
		listens = listens || l.port == r.Port
	}
	if !listens {
		return "", fmt.Errorf("process %d does not listen on port %d", r.PID, r.Port)
	}
	return p.ready(ctx)
}

// checkPort finds out who has the part's port. If the owner of the port cannot be found, it waits a
// little, because that may be a process that is ending.
func (s *Stack) checkPort(ctx context.Context, p part) error {
	const patience = 3 * time.Second
	port := s.ports[p.name()]
	var owner int
	var err error
	free := waitUntil(ctx, patience, func() bool {
		var taken bool
		owner, taken, err = portOwner(port)
		return err != nil || !taken || owner != 0
	})
	switch {
	case err != nil:
		return err
	case owner != 0:
		return &PortTakenError{Port: port, Owner: fmt.Sprintf("process %d (%s)", owner, processName(owner)),
			Variable: p.portVariable()}
	case !free:
		return &PortTakenError{Port: port, Owner: "another process", Variable: p.portVariable()}
	default:
		return nil
	}
}

// portOwner is the process that listens on a port, 0 when it is another user's.
func portOwner(port int) (pid int, taken bool, err error) {
	sockets, err := listeners(0)
	for _, l := range sockets {
		if l.port == port {
			pid, taken = max(pid, l.pid), true
		}
	}
	return pid, taken, err
}

// lastLines is the end of a program's output, for an error message.
func lastLines(output []byte) string {
	const lines = 8
	parts := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(output, nil))), "\n")
	return "\n  " + strings.Join(parts[max(0, len(parts)-lines):], "\n  ")
}
