package stack

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// birth tells a process from all others that ever had its number: the boot and the clock tick it
// was started in. A zombie counts as ended.
func birth(pid int) (string, error) {
	fields, err := statFields(pid)
	if err != nil {
		return "", err
	}
	threads, _ := strconv.Atoi(fields[17])
	// the other threads of a killed process hold its sockets a little longer
	if fields[0] == "X" || fields[0] == "Z" && threads <= 1 {
		return "", os.ErrProcessDone
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19], nil
}

// statFields are the fields of /proc/<pid>/stat from the third, the state, on: the second may hold
// spaces. See proc(5).
func statFields(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, fmt.Errorf("read process %d: %w", pid, err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("read process %d: %d fields", pid, len(fields))
	}
	return fields, nil
}

// memoryBytes is what the processes hold in memory together; pages they share count once each.
func memoryBytes(pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if kib, ok := strings.CutPrefix(line, "Pss:"); ok {
				n, _ := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
				sum += n * 1024
			}
		}
	}
	return sum
}

// family is the process and its descendants.
func family(pid int) []int {
	children := map[int][]int{}
	for _, p := range processes() {
		if fields, err := statFields(p); err == nil && fields[0] != "Z" {
			parent, _ := strconv.Atoi(fields[1])
			children[parent] = append(children[parent], p)
		}
	}
	members := []int{pid}
	for i := 0; i < len(members); i++ {
		members = append(members, children[members[i]]...)
	}
	return members
}

func processes() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// leftovers are the processes that belong to the part by their environment. PostgreSQL overwrites
// its own: it is known by its program and its working directory. A shell that stands in the state
// folder is none.
func leftovers(f folder, part string) []int {
	mark := []byte(f.mark(part) + "\x00")
	var pids []int
	for _, pid := range processes() {
		if pid == os.Getpid() {
			continue
		}
		if _, err := birth(pid); err != nil {
			continue
		}
		proc := fmt.Sprintf("/proc/%d/", pid)
		env, err := os.ReadFile(proc + "environ")
		if err != nil {
			continue
		}
		if bytes.HasPrefix(env, mark) || bytes.Contains(env, append([]byte{0}, mark...)) {
			pids = append(pids, pid)
			continue
		}
		if part != postgresName {
			continue
		}
		program, err := os.Readlink(proc + "exe")
		if err != nil || filepath.Base(strings.TrimSuffix(program, " (deleted)")) != "postgres" {
			continue
		}
		if dir, err := os.Readlink(proc + "cwd"); err == nil &&
			strings.TrimSuffix(dir, " (deleted)") == f.data(postgresName) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// listeners are the TCP sockets that wait for connections. With pid 0 those of all processes, as
// far as we may see.
func listeners(pid int) ([]listener, error) {
	owners := map[string]int{} // socket's inode → process
	pids := []int{pid}
	if pid == 0 {
		pids = processes()
	}
	for _, p := range pids {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p))
		if err != nil {
			continue // another user's, or gone
		}
		for _, fd := range fds {
			target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p, fd.Name()))
			if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
				inode = strings.TrimSuffix(inode, "]")
				if owner, held := owners[inode]; !held || p < owner { // a child that was just forked holds it too
					owners[inode] = p
				}
			}
		}
	}
	var found []listener
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if errors.Is(err, os.ErrNotExist) {
			continue // no IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("read sockets: %w", err)
		}
		found = append(found, parseSockets(string(text), owners, pid == 0)...)
	}
	return found, nil
}

// parseSockets reads a table like /proc/net/tcp; strangers says whether sockets without a known owner count.
func parseSockets(table string, owners map[string]int, strangers bool) []listener {
	const listening = "0A"
	var found []listener
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		owner, known := owners[fields[9]]
		if !known && !strangers {
			continue
		}
		host, port, _ := strings.Cut(fields[1], ":")
		number, err := strconv.ParseUint(port, 16, 16)
		if err != nil {
			continue
		}
		found = append(found, listener{pid: owner, port: int(number), loopback: loopbackHex(host)})
	}
	return found
}

// loopbackHex reads an address of /proc/net/tcp: 32-bit words in the machine's byte order, all
// little-endian here.
func loopbackHex(host string) bool {
	switch len(host) {
	case 8:
		return strings.HasSuffix(host, "7F") // 127.0.0.0/8
	case 32:
		return host == "00000000000000000000000001000000" || // ::1
			strings.HasPrefix(host, "0000000000000000FFFF0000") && strings.HasSuffix(host, "7F") // ::ffff:127.0.0.0/104
	default:
		return false
	}
}

// processName is the program's name, for messages.
func processName(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}
