package native

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// Step is one line of progress.
type Step struct {
	Part    string
	Text    string
	Seconds float64 // how long it took; 0 when it only begins
}

// step reports what begins and, by the function it returns, how long it took.
func (s *Stack) step(part, text string) (done func(string)) {
	s.config.Report(Step{Part: part, Text: text})
	began := time.Now()
	return func(result string) {
		s.config.Report(Step{Part: part, Text: result, Seconds: max(time.Since(began).Seconds(), 0.001)})
	}
}

// listener is a TCP socket that waits for connections. pid is 0 when it belongs to a process we may not look into.
type listener struct {
	pid, port int
	loopback  bool
}

// clear finds out whether the part must be started. If so, it ends what is left of it and sees that its port is free,
// before anything is installed for nothing.
func (s *Stack) clear(ctx context.Context, p part) (start bool, err error) {
	if r, version, err := s.check(ctx, p); err == nil {
		s.config.Report(Step{Part: p.name(), Text: fmt.Sprintf("%s runs on port %d (process %d)", version, r.Port, r.PID)})
		return false, nil
	}
	if err := s.lower(ctx, p); err != nil {
		return true, err
	}
	return true, s.checkPort(ctx, p)
}

// raise installs, prepares and starts a part.
func (s *Stack) raise(ctx context.Context, p part) error {
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
	return nil
}

// launch starts the part and waits until it is healthy. What fails to become so is ended again.
func (s *Stack) launch(ctx context.Context, p part) (version string, err error) {
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
func (s *Stack) lower(ctx context.Context, p part) error {
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
func (s *Stack) check(ctx context.Context, p part) (record, string, error) {
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
func (s *Stack) probe(ctx context.Context, p part, r record) (version string, err error) {
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

// checkPort finds out who has the part's port. It waits a little for one whose owner is not to be seen: that may be a
// process that is ending.
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
		return &PortTakenError{Port: port, Owner: fmt.Sprintf("process %d (%s)", owner, processName(owner)), Variable: p.portVariable()}
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
