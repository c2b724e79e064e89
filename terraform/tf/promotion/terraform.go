// Package promotion runs Terraform for this repository. It prepares the provider (from the mirror
// that KINDRED_TERRAFORM_MIRROR names, otherwise from the registry), builds the packages, reads
// plans, and promotes a commit to an environment on AWS. Everything it writes is in the state
// folder. It does not own the configuration, which is in the folder terraform/.
package promotion

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"kindred/internal/platform/artifact"
)

// Workspace is the repository, and the folder for Terraform's provider and states.
type Workspace struct {
	Repository string // root folder of this repository
	State      string // <state folder>/terraform
	config     string // Terraform's CLI configuration
}

// Open prepares the workspace of the repository in which the process runs.
func Open(ctx context.Context) (*Workspace, error) {
	w, err := workspace()
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("terraform"); err != nil {
		return nil, fmt.Errorf("%w; version 1.11 or later, https://developer.hashicorp.com/terraform/install", err)
	}
	if err := w.prepareProvider(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

// workspace finds the folders. It prepares nothing.
func workspace() (*Workspace, error) {
	repository, err := artifact.FindRepository()
	if err != nil {
		return nil, err
	}
	state, err := filepath.Abs(filepath.Join(cmp.Or(os.Getenv("KINDRED_STATE"), filepath.Join(repository, ".kindred")),
		"terraform"))
	if err != nil {
		return nil, fmt.Errorf("find the state folder: %w", err)
	}
	return &Workspace{Repository: repository, State: state, config: filepath.Join(state, "terraform.rc")}, nil
}

// Root is a folder of configuration with its own environment and working data.
type Root struct {
	Dir     string
	Env     []string // NAME=value; wins over the process's own environment
	Program string   // terraform, or a wrapper of it
	Out     *os.File // where Run shows the output; nil returns it instead
}

// Root returns the configuration in terraform/<folder>. data names the working data. Two Roots of
// one folder must not share it.
func (w *Workspace) Root(folder, data string, env ...string) *Root {
	own := []string{
		"TF_CLI_CONFIG_FILE=" + w.config, "TF_DATA_DIR=" + filepath.Join(w.State, "data", data),
		"TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
	}
	return &Root{Dir: filepath.Join(w.Repository, "terraform", folder), Env: append(own, env...), Program: "terraform"}
}

// Emulator returns the environment for an emulator of AWS at endpoint. The provider reads the tags
// of buckets at http://<account>.<host>, a name that does not resolve. Therefore the emulator is also
// the HTTP proxy. Requests to a loopback address do not use a proxy.
func Emulator(endpoint, region string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + endpoint, "HTTP_PROXY=" + endpoint, "http_proxy=" + endpoint,
		"NO_PROXY=", "no_proxy=", "AWS_REGION=" + region,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_SESSION_TOKEN=", "AWS_PROFILE=",
		"AWS_EC2_METADATA_DISABLED=true",                        // otherwise the provider waits for an EC2 role
		"S3_HOSTNAME=127.0.0.1", "DISABLE_DEPRECATION_NOTICE=1", // for tflocal
	}
}

// Init runs terraform init with backend settings. The committed lock file chooses the provider's
// version and is not changed: a promotion refuses a clone with changed files.
func (r *Root) Init(ctx context.Context, settings ...string) error {
	_, err := r.Run(ctx, append([]string{"init", "-input=false", "-no-color", "-reconfigure", "-lockfile=readonly"},
		settings...)...)
	return err
}

// interruptTime is how long Terraform may take to finish the calls that it has begun: a database takes 15 minutes.
const interruptTime = 30 * time.Minute

// Run runs terraform with args in the root and returns what it printed. It does not pass on TF_VAR_…
// of the caller's shell: values come by -var and -var-file.
func (r *Root) Run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, r.Program, args...)
	cmd.Dir = r.Dir
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "TF_VAR_") {
			cmd.Env = append(cmd.Env, line)
		}
	}
	cmd.Env = append(cmd.Env, r.Env...)
	// Terraform ends by itself when it is interrupted: it finishes what it has begun, and saves the state. A kill, or
	// a second interrupt, would lose what was created meanwhile. So it is in a group of its own, which a terminal
	// does not interrupt.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, interruptTime
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if r.Out != nil {
		cmd.Stdout, cmd.Stderr = r.Out, r.Out
	}
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("terraform %s in %s: %w\n%s%s", args[0], filepath.Base(r.Dir), err,
			tail(stdout.String()), stderr.String())
	}
	return stdout.Bytes(), nil
}

// tail returns the end of a long output, where the error is.
func tail(s string) string {
	const most = 6000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}
