package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kindred/terraform/tf/promotion"
)

// TestAWSPatchesOfMoto runs moto/test_server.py: each patch is needed, and works.
func TestAWSPatchesOfMoto(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	bin, err := w.Python(t.Context(), "moto")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "python"), "test_server.py")
	cmd.Dir = filepath.Join(w.Repository, "terraform", "moto")
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// moto is a running server that answers as AWS's control plane, from memory.
type moto struct {
	endpoint string
	log      string // path
}

// motoStart is how long the server may take to answer: loading IAM's managed policies takes some seconds.
const motoStart = 5 * time.Minute

// mustMoto starts terraform/moto/server.py on a free port. It ends with the test. Its log is moto.log
// in the state folder.
func mustMoto(t *testing.T, w *promotion.Workspace) moto {
	t.Helper()
	bin, err := w.Python(t.Context(), "moto")
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	m := moto{endpoint: "http://" + address, log: filepath.Join(w.State, "moto.log")}
	log, err := os.Create(m.log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "python"),
		filepath.Join(w.Repository, "terraform", "moto", "server.py"), "-H", "127.0.0.1", "-p", port)
	cmd.Env = append(os.Environ(), "MOTO_IAM_LOAD_MANAGED_POLICIES=true", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	for deadline := time.Now().Add(motoStart); ; time.Sleep(100 * time.Millisecond) {
		if _, err = m.held(t.Context()); err == nil {
			return m
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto does not answer (%v); its log is %s", err, m.log)
		}
	}
}

// held counts what the server holds, by service and collection.
func (m moto) held(ctx context.Context) (map[string]int, error) {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.endpoint+"/kindred/held", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }() // read whole
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("moto answers %s", answer.Status)
	}
	count := map[string]int{}
	return count, json.NewDecoder(answer.Body).Decode(&count)
}

// mustCount is held, which must answer.
func mustCount(t *testing.T, m moto) map[string]int {
	t.Helper()
	count, err := m.held(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return count
}
