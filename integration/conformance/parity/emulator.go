package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"kindred/internal/platform/awsclient"
	"kindred/localstack/stack"
)

// The packages of each emulator, with hashes: `uv pip compile --python-version 3.13
// --generate-hashes NAME.in`.
var (
	//go:embed emulators/localemu.txt
	localemuPackages []byte
	//go:embed emulators/ministack.txt
	ministackPackages []byte
	//go:embed emulators/moto.txt
	motoPackages []byte
)

// emulator is one column.
type emulator struct {
	name  string
	start func(context.Context, *stack.Stack) (*server, error)
}

func emulators() []emulator {
	return []emulator{
		{"LocalStack", findLocalStack},
		{"LocalEmu", startLocalEmu},
		{"MiniStack", startMiniStack},
		{"moto", startMoto},
	}
}

// server is an emulator that runs.
type server struct {
	endpoint, version string
	stop              func()
}

// findLocalStack is the stack's, with kindred's plugins.
func findLocalStack(ctx context.Context, local *stack.Stack) (*server, error) {
	env, err := local.ReadEnv()
	if err != nil {
		return nil, fmt.Errorf("%w; `make local-up` starts the stack", err)
	}
	endpoint := env["AWS_ENDPOINT_URL"]
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/_localstack/health", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for its version: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for its version: %w; `make local-up` starts the stack", err)
	}
	defer func() { _ = answer.Body.Close() }() // read whole
	var health struct{ Version string }
	if err := json.NewDecoder(answer.Body).Decode(&health); err != nil {
		return nil, fmt.Errorf("read its version: %w", err)
	}
	return &server{endpoint: endpoint, version: health.Version, stop: func() {}}, nil
}

func startLocalEmu(ctx context.Context, local *stack.Stack) (*server, error) {
	s, err := prepare(ctx, local, "localemu", localemuPackages)
	if err != nil {
		return nil, err
	}
	if err := portExecutor(filepath.Join(local.Home(), "localstack", "executor"), s.root); err != nil {
		return nil, err
	}
	return s.run(ctx, []string{"-m", "localemu.runtime.main"},
		"FILESYSTEM_ROOT="+s.root, "OVERRIDE_IN_DOCKER=0", "DNS_ADDRESS=0", "SKIP_SSL_CERT_DOWNLOAD=1", "DISABLE_EVENTS=1",
		"LS_LOG=warning",
		"GATEWAY_LISTEN=127.0.0.1:"+s.port, "GATEWAY_SERVER=loopback", "LAMBDA_RUNTIME_EXECUTOR=process",
		"PYTHONPATH="+filepath.Join(s.root, "plugins"))
}

// portExecutor writes kindred's executor of functions and its server on loopback as plugins of
// LocalEmu, which is LocalStack under another name.
func portExecutor(from, root string) error {
	rename := func(text string) string { return strings.ReplaceAll(text, "localstack", "localemu") }
	for _, name := range []string{
		"kindred_localstack/__init__.py", "kindred_localstack/executor.py", "kindred_localstack/loopback.py",
		"kindred_localstack/plugin.py",
		"kindred_localstack/sandbox.py", "kindred_localstack-1.0.dist-info/METADATA",
		"kindred_localstack-1.0.dist-info/entry_points.txt",
	} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return fmt.Errorf("read the executor: %w", err)
		}
		// its Kinesis and S3 are to be seen as they are
		plugins, _, _ := strings.Cut(string(text), "[localstack.aws.provider]")
		file := filepath.Join(root, "plugins", rename(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("write the executor: %w", err)
		}
		if err := os.WriteFile(file, []byte(rename(plugins)), 0o644); err != nil {
			return fmt.Errorf("write the executor: %w", err)
		}
	}
	return nil
}

func startMiniStack(ctx context.Context, local *stack.Stack) (*server, error) {
	s, err := prepare(ctx, local, "ministack", ministackPackages)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, []string{"-m", "ministack"}, "GATEWAY_PORT="+s.port, "BIND_HOST=127.0.0.1",
		"S3_DATA_DIR="+filepath.Join(s.root, "s3"))
}

func startMoto(ctx context.Context, local *stack.Stack) (*server, error) {
	s, err := prepare(ctx, local, "moto", motoPackages)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, []string{"-m", "moto.server", "-H", "127.0.0.1", "-p", s.port})
}

// prepared is an emulator that is installed, with an empty folder and a port.
type prepared struct{ name, python, root, port string }

func prepare(ctx context.Context, local *stack.Stack, name string, packages []byte) (prepared, error) {
	folder, err := local.Venv(ctx, name, packages)
	if err != nil {
		return prepared{}, err
	}
	root := filepath.Join(local.State(), "conformance", name)
	if err := os.RemoveAll(root); err != nil {
		return prepared{}, fmt.Errorf("clear the folder of the last run: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o755); err != nil {
		return prepared{}, fmt.Errorf("make its folder: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return prepared{}, fmt.Errorf("find a port: %w", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return prepared{name, filepath.Join(folder, "bin", "python"), root, port}, errors.Join(err, l.Close())
}

// startTime is how long an emulator may take to answer; LocalEmu imports for 25 s on a slow machine.
const startTime = 2 * time.Minute

// run starts the server with nothing of this process's environment but the path, and returns when it answers.
func (p prepared) run(ctx context.Context, args []string, env ...string) (*server, error) {
	version, err := exec.CommandContext(ctx, p.python, "-c",
		"import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))", p.name).Output()
	if err != nil {
		return nil, fmt.Errorf("ask for its version: %w", err)
	}
	file := filepath.Join(p.root, "log")
	log, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	cmd := exec.CommandContext(ctx, p.python, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.root, log, log
	tmp := filepath.Join(p.root, "tmp")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.root, "TMPDIR=" + tmp, "XDG_CACHE_HOME=" + tmp,
		"PYTHONDONTWRITEBYTECODE=1"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its functions end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start it: %w", err)
	}
	s := &server{endpoint: "http://127.0.0.1:" + p.port, version: strings.TrimSpace(string(version)), stop: func() {
		_ = cmd.Cancel() // an error says that it has ended
		_ = cmd.Wait()   // killed
	}}
	if err := s.ready(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w; see %s", err, file)
	}
	return s, nil
}

func (s *server) ready(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, startTime)
	defer stop()
	client := awsclient.S3(emulatorConfig(s.endpoint))
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.ListBuckets(ctx, nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-tick.C:
		}
	}
}
