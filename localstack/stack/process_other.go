//go:build !linux

package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// toolTimeout bounds ps and lsof, which answer in milliseconds.
const toolTimeout = 10 * time.Second

func tool(name string, args ...string) (string, error) {
	ctx, stop := context.WithTimeout(context.Background(), toolTimeout)
	defer stop()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return strings.TrimSpace(string(out)), err
}

// birth tells a process from all others that ever had its number: when it was started. A zombie
// counts as ended.
func birth(pid int) (string, error) {
	line, err := tool("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid))
	if err != nil {
		return "", fmt.Errorf("look for process %d: %w", pid, err)
	}
	state, started, _ := strings.Cut(line, " ")
	if strings.HasPrefix(state, "Z") {
		return "", os.ErrProcessDone
	}
	return strings.TrimSpace(started), nil
}

// memoryBytes is what the processes hold in memory together.
func memoryBytes(pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		if text, err := tool("ps", "-o", "rss=", "-p", strconv.Itoa(pid)); err == nil {
			kib, _ := strconv.ParseInt(text, 10, 64)
			sum += kib * 1024
		}
	}
	return sum
}

// family is the process and its descendants.
func family(pid int) []int {
	members := []int{pid}
	for i := 0; i < len(members); i++ {
		text, err := tool("pgrep", "-P", strconv.Itoa(members[i]))
		if err != nil {
			continue // none
		}
		for child := range strings.FieldsSeq(text) {
			if n, err := strconv.Atoi(child); err == nil {
				members = append(members, n)
			}
		}
	}
	return members
}

// leftovers finds nothing here: another process's environment cannot be read. Functions and
// database workers end by themselves when their server is gone.
func leftovers(folder, string) []int { return nil }

// listeners are the TCP sockets that wait for connections. With pid 0 those of all processes, as
// far as we may see.
func listeners(pid int) ([]listener, error) {
	args := []string{"-nP", "-iTCP", "-sTCP:LISTEN", "-Fpn"}
	if pid != 0 {
		args = append(args, "-a", "-p", strconv.Itoa(pid))
	}
	text, err := tool("lsof", args...)
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("list sockets: %w", err)
	}
	var found []listener // lsof also fails when it finds none
	owner := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if number, ok := strings.CutPrefix(line, "p"); ok {
			owner, _ = strconv.Atoi(number)
		}
		if address, ok := strings.CutPrefix(line, "n"); ok {
			host, port, err := net.SplitHostPort(address)
			number, _ := strconv.Atoi(port)
			if err == nil {
				ip := net.ParseIP(host) // nil for *
				found = append(found, listener{pid: owner, port: number, loopback: ip != nil && ip.IsLoopback()})
			}
		}
	}
	return found, nil
}

// processName is the program's name, for messages.
func processName(pid int) string {
	name, err := tool("ps", "-o", "comm=", "-p", strconv.Itoa(pid))
	if err != nil {
		return ""
	}
	return name
}
