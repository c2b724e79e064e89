package archive

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// demonstrate runs the loop in the folder of an installed release, with processes instead of containers, and
// looks at the console. The go that is first on the PATH fails.
func demonstrate(t *testing.T, home string) {
	t.Helper()
	tools := t.TempDir()
	asked := filepath.Join(tools, "asked")
	if err := os.WriteFile(filepath.Join(tools, "go"), []byte("#!/bin/sh\necho \"go $*\" >>"+asked+"\nexit 1\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	env := slices.DeleteFunc(os.Environ(), func(line string) bool { return strings.HasPrefix(line, "KINDRED_") })
	env = append(env, "PATH="+tools+":"+os.Getenv("PATH"), "STACK=native", "KINDRED_RUNTIMES="+runtimes(t))
	for _, part := range []string{"LOCALSTACK", "PGVECTOR", "MYSQL"} {
		env = append(env, "KINDRED_"+part+"_PORT="+strconv.Itoa(freePort(t)))
	}
	target := func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "make", args...)
		cmd.Dir, cmd.Env = home, env
		return cmd
	}
	succeed := func(ctx context.Context, args ...string) {
		t.Helper()
		if said, err := target(ctx, args...).CombinedOutput(); err != nil {
			t.Errorf("make %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
	t.Cleanup(func() {
		succeed(context.WithoutCancel(t.Context()), "local-reset")
		if said, err := os.ReadFile(asked); err == nil {
			t.Errorf("a release asked for Go:\n%s", said)
		}
	})
	succeed(t.Context(), "demo", "ARGS=--scale 0.1 --events 200")
	succeed(t.Context(), "doctor")
	console := target(t.Context(), "console", "ARGS=--listen 127.0.0.1:0")
	lookAt(t, console, liveVersion(t, filepath.Join(home, ".kindred", "demo-report.json")))
}

// runtimes is the folder of the local stack's downloads that other tests have filled, so that this one
// downloads nothing again.
func runtimes(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("KINDRED_RUNTIMES"); given != "" {
		return given
	}
	dir, err := filepath.Abs(filepath.Join(repository, ".kindred"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// liveVersion is the model version that the demonstration's report names.
func liveVersion(t *testing.T, report string) string {
	t.Helper()
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		ModelVersion string `json:"model_version"`
	}
	if err := json.Unmarshal(data, &r); err != nil || r.ModelVersion == "" {
		t.Fatalf("the report names no version: %v\n%s", err, data)
	}
	return r.ModelVersion
}

// lookAt starts the console, opens the address that it prints, and ends it. The page must show want.
func lookAt(t *testing.T, console *exec.Cmd, want string) {
	t.Helper()
	console.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // make and what it starts
	out, err := console.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := console.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-console.Process.Pid, syscall.SIGTERM)
		_ = console.Wait() // make reports the signal
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), "The console is open at ")
	if err != nil || !found {
		t.Fatalf("the console says %q, %v", line, err)
	}
	jar := &http.Client{CheckRedirect: func(next *http.Request, before []*http.Request) error {
		for _, cookie := range next.Response.Cookies() {
			next.AddCookie(cookie)
		}
		return nil
	}}
	response, err := jar.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(page), want) {
		t.Errorf("the console answers %s without the live version %s (%v):\n%s", response.Status, want, err, page)
	}
}
