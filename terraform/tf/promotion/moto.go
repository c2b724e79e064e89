package promotion

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Moto is a running server that answers as AWS's control plane, from memory.
type Moto struct {
	Endpoint string
	cmd      *exec.Cmd
}

// motoStart is how long the server may take to answer: loading IAM's managed policies takes some seconds.
const motoStart = 2 * time.Minute

// StartMoto starts terraform/moto/server.py on a free port; its log is moto.log in the state
// folder. It ends with ctx or Stop.
func (w *Workspace) StartMoto(ctx context.Context) (*Moto, error) {
	bin, err := w.Python(ctx, "moto")
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port for moto: %w", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("find a port for moto: %w", err)
	}
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a port for moto: %w", err)
	}
	log, err := os.Create(filepath.Join(w.State, "moto.log"))
	if err != nil {
		return nil, fmt.Errorf("start moto: %w", err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	m := &Moto{Endpoint: "http://127.0.0.1:" + port}
	m.cmd = exec.CommandContext(ctx, filepath.Join(bin, "python"),
		filepath.Join(w.Repository, "terraform", "moto", "server.py"), "-H", "127.0.0.1", "-p", port)
	m.cmd.Env = append(os.Environ(), "MOTO_IAM_LOAD_MANAGED_POLICIES=true", "PYTHONDONTWRITEBYTECODE=1")
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start moto: %w", err)
	}
	deadline := time.Now().Add(motoStart)
	for {
		if _, err = m.Held(ctx); err == nil {
			return m, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			m.Stop()
			return nil, fmt.Errorf("start moto: it does not answer (%w); see %s", err, log.Name())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Stop ends the server.
func (m *Moto) Stop() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait() // killed
}

// Held counts what the server holds, by service and collection, as JSON.
func (m *Moto) Held(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Endpoint+"/kindred/held", nil)
	if err != nil {
		return nil, fmt.Errorf("ask moto: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask moto: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // read whole
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("ask moto: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask moto: %s", answer.Status)
	}
	return data, nil
}
