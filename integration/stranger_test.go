package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// stranger is the number of a user that this machine does not have.
const stranger = 61000

// testStranger: another user of the machine is refused by the stack, and finds no password in its
// files and processes. A web page is refused by its Host header. A function has none of the rights
// that its server has.
func (n ownStack) testStranger(t *testing.T) {
	env, err := n.stack.ReadEnv()
	if err != nil {
		t.Fatal(err)
	}
	endpoint := env["AWS_ENDPOINT_URL"]
	ask := func(uid int, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "curl", append([]string{"--silent", "--show-error", "--max-time", "60"}, args...)...)
		if uid != 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	create := []string{"--request", "POST", "--data", "{}", endpoint + "/2015-03-31/functions"}
	if out, err := ask(0, create...); err != nil || !strings.Contains(out, "Exception") { // LocalStack's own, of an empty request
		t.Fatalf("the stack's own user: %s, %v", out, err)
	}
	page, err := ask(0, "--header", "Host: evil.example", "--write-out", "%{http_code}", endpoint+"/_localstack/health")
	if err != nil || !strings.HasSuffix(page, "421") {
		t.Errorf("a foreign Host header: %s, %v", page, err)
	}
	if os.Getuid() != 0 {
		t.Log("only root can be another user: the rest is tested by whoever runs this as root")
		return
	}
	for _, uid := range []int{stranger, 65534} {
		if out, err := ask(uid, create...); err == nil {
			t.Errorf("user %d gets an answer: %s", uid, out)
		}
	}
	closed := filepath.Dir(n.stack.State())         // else the test would show no more than that
	if err := os.Chmod(closed, 0o755); err != nil { //nolint:gosec // opened on purpose
		t.Fatal(err)
	}
	n.wantNoPasswordFor(t, stranger, env)
	if err := os.Chmod(closed, 0o700); err != nil { //nolint:gosec // a folder
		t.Fatal(err)
	}
	n.wantNoRights(t)
}

// wantNoRights checks that LocalStack and its function run as a user without a name, and the function
// without capabilities.
func (n ownStack) wantNoRights(t *testing.T) {
	t.Helper()
	all, err := n.stack.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	functions := 0
	for _, pid := range all[0].Processes {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
		if err != nil {
			continue // it has ended
		}
		status := map[string][]string{}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			status[name] = strings.Fields(value)
		}
		if uid := status["Uid"][1]; uid == "0" || uid == "65534" {
			t.Errorf("process %d runs as user %s", pid, uid)
		}
		if pid != all[0].PID {
			functions++
			if caps := status["CapEff"][0] + status["CapPrm"][0]; strings.Trim(caps, "0") != "" {
				t.Errorf("function %d has capabilities %s", pid, caps)
			}
		}
	}
	if functions == 0 {
		t.Error("no function runs")
	}
}

// wantNoPasswordFor reads everything below the state folder, and the processes' environments and
// arguments, as another user.
func (n ownStack) wantNoPasswordFor(t *testing.T, uid uint32, env map[string]string) {
	t.Helper()
	var passwords []string
	for _, name := range []string{"PGVECTOR_DSN", "PGVECTOR_READER_DSN"} {
		c, err := pgx.ParseConfig(env[name])
		if err != nil {
			t.Fatal(err)
		}
		passwords = append(passwords, c.Password)
	}
	all, err := n.stack.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	places := []string{n.stack.State()}
	for _, st := range all {
		for _, pid := range st.Processes {
			places = append(places, filepath.Join("/proc", strconv.Itoa(pid), "environ"), filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		}
	}
	for _, password := range passwords {
		cmd := exec.CommandContext(t.Context(), "grep", append([]string{"--recursive", "--text", "--no-messages",
			"--files-with-matches", "--fixed-strings", password}, places...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		cmd.WaitDelay = time.Minute
		if out, _ := cmd.Output(); len(out) > 0 { // no match is an exit code too
			t.Errorf("user %d reads a password in %s", uid, out)
		}
	}
}
