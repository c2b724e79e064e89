package promotion

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"kindred/internal/platform/program"
)

// tunnelAWS answers as ECS about one task, and writes down what it is asked. The task is pending, runs without
// an agent, and then takes sessions.
type tunnelAWS struct {
	mu     sync.Mutex
	steps  []string
	fails  string // this step
	states []string
	run    map[string]any // the last RunTask
}

const (
	taskARN = "arn:aws:ecs:eu-west-1:123456789012:task/kindred-dev-batch/0123abcd"
	label   = `{"cluster": "kindred-dev-batch", "subnets": ["subnet-1"], "security_group": "sg-1", "public": false,
		"host": "vectors.example", "port": 5432, "database": "kindred", "user": "recommend", "hours": 8,
		"environment": {"LAKE_BUCKET": "lake"}}`
	pending = `{"lastStatus": "PENDING", "containers": [{}]}`
	starts  = `{"lastStatus": "RUNNING", "containers": [{"runtimeId": "0123abcd-7", "managedAgents":
		[{"name": "ExecuteCommandAgent", "lastStatus": "PENDING"}]}]}`
	takes = `{"lastStatus": "RUNNING", "containers": [{"runtimeId": "0123abcd-7", "managedAgents":
		[{"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}]}]}`
	died = `{"lastStatus": "STOPPED", "stoppedReason": "CannotPullContainerError", "containers": [{"name": "tunnel"}]}`
)

func (a *tunnelAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, step, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if last := len(a.steps) - 1; last < 0 || a.steps[last] != step {
		a.steps = append(a.steps, step)
	}
	body, _ := io.ReadAll(r.Body)
	if step == a.fails {
		w.Header().Set("X-Amzn-Errortype", "ClientException")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch step {
	case "DescribeTaskDefinition":
		_ = json.NewEncoder(w).Encode(map[string]any{"taskDefinition": map[string]any{"containerDefinitions": []any{
			map[string]any{"dockerLabels": map[string]string{"kindred.tunnel": label}}}}})
	case "RunTask":
		_ = json.Unmarshal(body, &a.run)
		_, _ = fmt.Fprintf(w, `{"tasks": [{"taskArn": %q}]}`, taskARN)
	case "DescribeTasks":
		_, _ = fmt.Fprintf(w, `{"tasks": [%s]}`, a.states[0])
		a.states = a.states[min(1, len(a.states)-1):]
	default:
		_, _ = io.WriteString(w, `{}`)
	}
}

// mustTunnel returns a tunnel whose AWS is the double, and whose CLI is a script. The CLI writes its arguments to
// the returned file.
func (a *tunnelAWS) mustTunnel(t *testing.T, script string) (tunnel *Tunnel, called string, out *bytes.Buffer) {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	cli := filepath.Join(t.TempDir(), "aws")
	called = filepath.Join(t.TempDir(), "called")
	text := "#!/bin/sh\nprintf '%s\\n' \"$@\" > " + called + ".part && mv " + called + ".part " + called + "\n" + script
	if err := os.WriteFile(cli, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	out = new(bytes.Buffer)
	return &Tunnel{AWS: aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, Name: "kindred-dev", Port: 15432,
		For: time.Hour, Program: cli, Plugin: "/bin/sh", Probe: time.Millisecond, Out: out}, called, out
}

// TestTunnelIsOpenedAndClosed opens a tunnel with a failure at every step. What was started must be stopped.
func TestTunnelIsOpenedAndClosed(t *testing.T) {
	t.Parallel()
	all := []string{"DescribeTaskDefinition", "RunTask", "DescribeTasks", "StopTask"}
	for name, test := range map[string]struct {
		fails  string
		states []string
		script string
		steps  []string
		want   string // in the error; "" is none
	}{
		"opened":         {"", []string{pending, starts, takes}, "exit 0", all, ""},
		"no module":      {"DescribeTaskDefinition", nil, "", all[:1], "set the variable tunnel"},
		"not started":    {"RunTask", nil, "", all[:2], "start task kindred-dev-tunnel"},
		"died":           {"", []string{pending, died}, "", all, "CannotPullContainerError"},
		"not seen":       {"DescribeTasks", nil, "", all, "watch task " + taskARN},
		"session failed": {"", []string{takes}, "exit 3", all, "forward port 15432"},
		"not stopped":    {"StopTask", []string{takes}, "exit 0", all, "it ends by itself 1h0m0s after its start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &tunnelAWS{fails: test.fails, states: test.states}
			tunnel, called, out := a.mustTunnel(t, test.script)
			_, err := tunnel.Run(t.Context())
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if !slices.Equal(a.steps, test.steps) {
				t.Errorf("%v, want %v", a.steps, test.steps)
			}
			if name != "opened" {
				return
			}
			args, err := os.ReadFile(called)
			if want := "ssm\nstart-session\n--region\neu-west-1\n--target\necs:kindred-dev-batch_0123abcd_0123abcd-7\n" +
				"--document-name\nAWS-StartPortForwardingSessionToRemoteHost\n--parameters\n" +
				`{"host":["vectors.example"],"localPortNumber":["15432"],"portNumber":["5432"]}` + "\n"; err != nil ||
				string(args) != want {
				t.Errorf("the CLI got %s%v, want %s", args, err, want)
			}
			if a.run["enableExecuteCommand"] != true || !strings.Contains(fmt.Sprint(a.run), "[/tunnel --json --for 1h0m0s]") ||
				!strings.Contains(fmt.Sprint(a.run["networkConfiguration"]), "assignPublicIp:DISABLED") {
				t.Errorf("the task was started with %v", a.run)
			}
			for _, line := range []string{"export LAKE_BUCKET=lake\n", "PGVECTOR_VIA=127.0.0.1:15432",
				"postgres://recommend@vectors.example:5432/kindred?sslmode=verify-full"} {
				if !strings.Contains(out.String(), line) {
					t.Errorf("a person does not read %q in:\n%s", line, out)
				}
			}
		})
	}
}

// TestTunnelIsClosedByAnInterrupt: the session gets the interrupt, the task is stopped, and that is no error.
func TestTunnelIsClosedByAnInterrupt(t *testing.T) {
	t.Parallel()
	a := &tunnelAWS{states: []string{takes}}
	tunnel, called, _ := a.mustTunnel(t, "trap 'echo > "+filepath.Join(t.TempDir(), "ended")+"; exit 130' INT\n"+
		"while :; do sleep 0.05; done")
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := tunnel.Run(ctx)
		done <- err
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(called); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no session was opened")
		}
	}
	interrupt()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if last := len(a.steps) - 1; a.steps[last] != "StopTask" {
		t.Errorf("the task runs on: %v", a.steps)
	}
}

// TestTunnelBeginsWithItsTools: nothing is started that could not be used.
func TestTunnelBeginsWithItsTools(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Tunnel){
		"getting-started-install":                     func(t *Tunnel) { t.Program = "/nowhere/aws" },
		"session-manager-working-with-install-plugin": func(t *Tunnel) { t.Plugin = "/nowhere/plugin" },
	} {
		a := &tunnelAWS{}
		tunnel, _, _ := a.mustTunnel(t, "")
		change(tunnel)
		if _, err := tunnel.Run(t.Context()); err == nil || !strings.Contains(err.Error(), name) || len(a.steps) > 0 {
			t.Errorf("%s: %v after %v", name, err, a.steps)
		}
	}
	a := &tunnelAWS{}
	tunnel, _, _ := a.mustTunnel(t, "")
	tunnel.For = 9 * time.Hour
	if _, err := tunnel.Run(t.Context()); !errors.Is(err, program.ErrConfig) || slices.Contains(a.steps, "RunTask") {
		t.Errorf("longer than allowed: %v after %v", err, a.steps)
	}
}
