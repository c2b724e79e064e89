package integration

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"kindred/internal/platform/artifact"

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
		cmd := exec.CommandContext(t.Context(), "curl", append([]string{"--silent", "--show-error", "--max-time",
			"60"}, args...)...)
		if uid != 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	zip, err := artifact.Pack([]byte("#!/bin/sh\nexec sleep 300\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	functions := endpoint + "/2015-03-31/functions"
	create := func(name string) []string {
		body := fmt.Sprintf(`{"FunctionName":%q,"Runtime":"provided.al2023","Handler":"bootstrap",`+
			`"Role":"arn:aws:iam::000000000000:role/any","Code":{"ZipFile":%q}}`, name, base64.StdEncoding.EncodeToString(zip))
		return []string{"--request", "POST", "--header", "Content-Type: application/json", "--data", body, functions}
	}
	if out, err := ask(0, create("own")...); err != nil || !strings.Contains(out, "FunctionArn") {
		t.Fatalf("the stack's own user makes no function: %s, %v", out, err)
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
		name := fmt.Sprintf("of-%d", uid)
		if out, err := ask(uid, create(name)...); err == nil {
			t.Errorf("user %d gets an answer: %s", uid, out)
		}
		if out, err := ask(0, functions+"/"+name); err != nil || !strings.Contains(out, "not found") {
			t.Errorf("user %d made a function: %s, %v", uid, out, err)
		}
	}
	closed := filepath.Dir(n.stack.State())         // else the test would show no more than that
	if err := os.Chmod(closed, 0o755); err != nil { // opened on purpose
		t.Fatal(err)
	}
	n.wantNoPasswordFor(t, stranger, env)
	if err := os.Chmod(closed, 0o700); err != nil { // a folder
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
	for _, name := range []string{"PGVECTOR_DSN", "PGVECTOR_READER_DSN", "PGVECTOR_WRITER_DSN"} {
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
			places = append(places, filepath.Join("/proc", strconv.Itoa(pid), "environ"),
				filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		}
	}
	for _, password := range passwords {
		if n.placesThat(t, 0, password, places) == "" {
			t.Error("root does not find the password either, so the search shows nothing")
		}
		if found := n.placesThat(t, uid, password, places); found != "" {
			t.Errorf("user %d reads a password in %s", uid, found)
		}
	}
}

// placesThat are those of places that hold text, as a user sees them.
func (ownStack) placesThat(t *testing.T, uid uint32, text string, places []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "grep", append([]string{"--recursive", "--text", "--no-messages",
		"--files-with-matches", "--fixed-strings", text}, places...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, _ := cmd.Output() // no match, and a place that may not be read, are exit codes too
	return string(out)
}
