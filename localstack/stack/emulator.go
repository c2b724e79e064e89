package stack

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	emulatorName    = "localstack"
	emulatorVersion = "4.14.0"
	// emulatorServices are those that the project or its Terraform uses; each costs nothing until it is called.
	emulatorServices = "s3,s3control,kinesis,firehose,lambda,sqs,sns,sts,iam,logs,cloudwatch,events,secretsmanager,kms," +
		"ssm,stepfunctions,scheduler"
)

// emulatorSettings are LocalStack's in both modes: compose.yaml has them too.
var emulatorSettings = []string{
	"GATEWAY_SERVER=loopback", // the stock server listens on every interface, whatever GATEWAY_LISTEN says
	"PYTHONDONTWRITEBYTECODE=1",
	"LAMBDA_RUNTIME_EXECUTOR=process", "PROVIDER_OVERRIDE_KINESIS=moto", "PROVIDER_OVERRIDE_S3=private",
	"LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC=0.05",
	"STRICT_SERVICE_LOADING=1", "SERVICES=" + emulatorServices,
	"DNS_ADDRESS=0", "SKIP_SSL_CERT_DOWNLOAD=1", "DISABLE_EVENTS=1", "LS_LOG=warning",
}

//go:embed requirements.txt
var requirements []byte // 88 packages with hashes, locked by `uv pip compile` from requirements.in

// usersVariable lists the numbers of the users whose processes may reach LocalStack and the functions'
// Runtime API (package kindred_localstack, peer.py).
const usersVariable = "KINDRED_USERS"

// emulator is LocalStack, with the plugins of localstack/executor.
type emulator struct{ *Stack }

func (e *emulator) name() string         { return emulatorName }
func (e *emulator) portVariable() string { return "KINDRED_LOCALSTACK_PORT" }
func (e *emulator) defaultPort() int     { return DefaultLocalStackPort }

// stopping: SIGTERM also ends the functions, in 2 to 14 seconds.
func (e *emulator) stopping() stopping {
	return stopping{signal: syscall.SIGTERM, grace: 30 * time.Second}
}

// venvName names the virtual environment's folder.
const venvName = emulatorName + "-" + emulatorVersion

func (e *emulator) install(ctx context.Context) error {
	_, err := e.Venv(ctx, venvName, requirements)
	return err
}

// prepare makes an empty data folder, which only LocalStack's user may enter. LocalStack keeps its
// state in memory, so whatever is there is left over from the last run.
func (e *emulator) prepare(context.Context) error {
	dir := e.folder.data(emulatorName)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear data of the last run: %w", err)
	}
	owner, err := e.emulatorAccount()
	if err != nil {
		return err
	}
	for _, d := range []string{dir, filepath.Join(dir, "tmp")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		if err := giveAway(d, owner); err != nil {
			return err
		}
	}
	return nil
}

func (e *emulator) command(context.Context) (command, error) {
	as, err := e.emulatorAccount()
	if err != nil {
		return command{}, err
	}
	root, own := e.folder.data(emulatorName), filepath.Join(e.config.home, "localstack", "executor")
	users := strconv.Itoa(os.Geteuid())
	if as.drop {
		users += "," + strconv.Itoa(int(as.uid)) // the functions
	}
	env := append(slices.Concat(cleanEnv(), emulatorSettings),
		"FILESYSTEM_ROOT="+root, "TMPDIR="+filepath.Join(root, "tmp"), "XDG_CACHE_HOME="+filepath.Join(root, "cache"),
		"OVERRIDE_IN_DOCKER=0", // else a /.dockerenv on the machine makes it use /var/lib/localstack
		fmt.Sprintf("GATEWAY_LISTEN=127.0.0.1:%d", e.ports[emulatorName]),
		"PYTHONPATH="+own, "HOME="+root, usersVariable+"="+users,
	)
	return command{path: filepath.Join(e.venvFolder(venvName, requirements), "bin", "python"),
		args: []string{"-m", "localstack.runtime.main"}, env: env, dir: root, as: as, also: own}, nil
}

// ready asks for its health, and for the Lambda executor: LocalStack would fall back to Docker
// without failing.
func (e *emulator) ready(ctx context.Context) (string, error) {
	var health struct {
		Version  string
		Services map[string]string
	}
	if err := e.get(ctx, "/_localstack/health", &health); err != nil {
		return "", err
	}
	for _, name := range strings.Split(emulatorServices, ",") {
		if state := health.Services[name]; state != "available" && state != "running" {
			return "", fmt.Errorf("service %s is %q", name, state)
		}
	}
	var own struct {
		Executor string `json:"lambda_executor"`
	}
	if err := e.get(ctx, "/_localstack/kindred", &own); err != nil {
		return "", err
	}
	if own.Executor != "ProcessExecutor" {
		return "", fmt.Errorf("it runs functions by %q, not as processes", own.Executor)
	}
	return "LocalStack " + health.Version, nil
}

func (e *emulator) get(ctx context.Context, path string, into any) error {
	url := fmt.Sprintf("http://127.0.0.1:%d%s", e.ports[emulatorName], path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return fmt.Errorf("ask LocalStack: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	const limit = 1 << 20 // far above any answer of these pages
	body, err := io.ReadAll(io.LimitReader(response.Body, limit))
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode answer of %s: %w", path, err)
	}
	return nil
}
