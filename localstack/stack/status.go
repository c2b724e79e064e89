package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"text/tabwriter"
	"time"
)

// Status is what one part does now.
type Status struct {
	Part        string    `json:"part"`
	State       string    `json:"state"` // healthy, stopped or broken
	Problem     string    `json:"problem,omitempty"`
	PID         int       `json:"pid,omitempty"`
	Port        int       `json:"port"`
	Version     string    `json:"version,omitempty"`
	MemoryBytes int64     `json:"memory_bytes,omitempty"` // of a native part, with its child processes
	Started     time.Time `json:"started,omitzero"`
	Log         string    `json:"log"` // a file, or the command that shows a container's
	// Processes are the part's server and its descendants, such as Lambda functions.
	Processes []int        `json:"processes,omitempty"`
	published map[int]bool // a container's ports on this machine, each with whether only this machine reaches it
}

// The states of a part.
const (
	Healthy = "healthy"
	Stopped = "stopped"
	Broken  = "broken" // its process lives, but something is wrong with it
)

// Statuses are the parts' states.
type Statuses []Status

// Status looks at every part. It changes nothing.
func (s *Stack) Status(ctx context.Context) (Statuses, error) {
	secrets, err := s.folder.readSecrets()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s.secrets = secrets
	return s.engine.status(ctx)
}

// each looks at all parts at the same time.
func (s *Stack) each(look func(part) Status) Statuses {
	all := make(Statuses, len(s.parts))
	var wait sync.WaitGroup
	for i, p := range s.parts {
		wait.Go(func() { all[i] = look(p) })
	}
	wait.Wait()
	return all
}

// Healthy says whether all parts are.
func (all Statuses) Healthy() bool {
	for _, st := range all {
		if st.State != Healthy {
			return false
		}
	}
	return true
}

// Stopped says whether no part runs.
func (all Statuses) Stopped() bool {
	for _, st := range all {
		if st.State != Stopped {
			return false
		}
	}
	return true
}

// Write prints a table for people.
func (all Statuses) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PART\tSTATE\tPID\tPORT\tMEMORY\tUP\tVERSION")
	for _, st := range all {
		if st.PID == 0 {
			fmt.Fprintf(table, "%s\t%s\t\t%d\t\t\t\n", st.Part, st.State, st.Port)
			continue
		}
		memory := ""
		if st.MemoryBytes > 0 {
			memory = fmt.Sprintf("%d MB", st.MemoryBytes>>20)
		}
		up := time.Since(st.Started).Round(time.Second)
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", st.Part, st.State, st.PID, st.Port, memory, up, st.Version)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print status: %w", err)
	}
	for _, st := range all {
		if st.Problem != "" {
			if _, err := fmt.Fprintf(w, "%s: %s (log: %s); `make local-up` mends it\n", st.Part, st.Problem,
				st.Log); err != nil {
				return fmt.Errorf("print status: %w", err)
			}
		}
	}
	return nil
}

// OpenSockets are the addresses the stack's processes listen on, each with whether only this
// machine reaches it.
func (s *Stack) OpenSockets(all Statuses) (map[int]bool, error) {
	return s.engine.openSockets(all)
}

// Remaining are the processes of the stack that run, with or without a record.
func (s *Stack) Remaining() []int {
	var pids []int
	for _, p := range s.parts {
		pids = append(pids, leftovers(s.folder, p.name())...)
	}
	return pids
}
