package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kindred/internal/platform/checksum"
	"kindred/internal/platform/envconfig"

	"golang.org/x/sync/errgroup"
)

// ComposeFile is the compose file's place in the repository.
const ComposeFile = "localstack/compose.yaml"

// containerTimeout bounds how long a part may take from its container's start to being ready: MySQL
// makes its data in 15 s, on a busy machine in a minute.
const containerTimeout = 3 * time.Minute

// docker runs the parts as the containers of ComposeFile, one compose project a state folder. The
// services have the parts' names.
type docker struct{ *Stack }

func (d docker) mode() string { return Docker }

// project is the compose project's name, and so the beginning of its containers' and volumes' names.
func (d docker) project() string {
	return "kindred-" + checksum.Bytes([]byte(d.folder.state))[:8]
}

// findDocker asks the engine that the docker program reaches for its version.
func findDocker(ctx context.Context) (string, error) {
	ctx, stop := context.WithTimeout(ctx, probeTimeout)
	defer stop()
	version, err := output(ctx, "docker", "version", "--format", "{{.Server.Version}}")
	if err != nil {
		return "", errNoEngine
	}
	return "Docker " + version, nil
}

// findCompose is the compose plugin, or the standalone program where there is no plugin.
func findCompose(ctx context.Context) ([]string, error) {
	for _, program := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if _, err := output(ctx, program[0], append(program[1:], "version")...); err == nil {
			return program, nil
		}
	}
	return nil, errNoCompose
}

// find is the engine with its compose, or an error that says what to do.
func (docker) find(ctx context.Context) (string, error) {
	version, err := findDocker(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %w: start one, or use %s=%s", ErrConfig, err, modeVariable, Native)
	}
	program, err := findCompose(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %w: install it (packages docker-compose-plugin, docker-compose-v2 or docker-compose; "+
			"`brew install docker-compose`), or use %s=%s", ErrConfig, err, modeVariable, Native)
	}
	return version + " with " + strings.Join(program, " "), nil
}

// output runs a program and returns what it prints.
func output(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run %s %s: %w%s", program, args[0], err, lastLines(said.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// compose runs a compose command on the project.
func (d docker) compose(ctx context.Context, args ...string) error {
	program, err := findCompose(ctx)
	if err != nil {
		return err
	}
	all := append(program[1:], "--project-name", d.project(), "--file", filepath.Join(d.config.home, ComposeFile),
		"--env-file", d.folder.composeEnv())
	chosen, err := envconfig.ReadFile(d.folder.composeEnv())
	if err != nil {
		return err
	}
	env := os.Environ() // in which a variable of that file's would win over it
	for name, value := range chosen {
		env = append(env, name+"="+value)
	}
	return d.run(ctx, command{path: program[0], args: append(all, args...), env: env, dir: d.config.home})
}

// composeEnv is what the compose file takes from outside.
func (d docker) composeEnv() map[string]string {
	env := map[string]string{
		"COMPOSE_PROJECT_NAME":      d.project(),
		"KINDRED_POSTGRES_PASSWORD": d.secrets.Postgres,
		"KINDRED_MYSQL_PASSWORD":    d.secrets.MySQL,
	}
	for _, p := range d.parts {
		env[p.portVariable()] = strconv.Itoa(d.ports[p.name()])
	}
	return env
}

// up removes the containers that run and are not well, lets compose start what is missing and waits
// until all is healthy.
func (d docker) up(ctx context.Context) error {
	if _, err := d.find(ctx); err != nil {
		return err
	}
	before, err := d.status(ctx)
	if err != nil {
		return err
	}
	if before.Healthy() {
		for _, st := range before {
			d.config.Report(Step{Part: st.Part, Text: fmt.Sprintf("%s runs on port %d", st.Version, st.Port)})
		}
		return nil
	}
	if err := writeEnv(d.folder.composeEnv(), d.composeEnv()); err != nil {
		return err
	}
	var sick []string
	for i, st := range before {
		if st.State == Stopped {
			if err := d.checkPort(ctx, d.parts[i]); err != nil {
				return err
			}
		}
		if st.State == Broken {
			sick = append(sick, st.Part)
		}
	}
	if len(sick) > 0 {
		if err := d.compose(ctx, append([]string{"rm", "--stop", "--force"}, sick...)...); err != nil {
			return err
		}
	}
	done := d.step("containers", "starting those of "+ComposeFile+"; the first time their images are downloaded")
	if err := d.compose(ctx, "up", "--detach", "--remove-orphans"); err != nil {
		return fmt.Errorf("%w\n(%s=%s needs no containers)", err, modeVariable, Native)
	}
	done("containers are started")
	group, groupCtx := errgroup.WithContext(ctx)
	for _, p := range d.parts {
		group.Go(func() error { return d.await(groupCtx, p) })
	}
	return group.Wait()
}

// await waits until a part's container is healthy.
func (d docker) await(ctx context.Context, p part) error {
	done := d.step(p.name(), fmt.Sprintf("waiting for port %d", d.ports[p.name()]))
	var version string
	var err error
	if waitUntil(ctx, containerTimeout, func() bool {
		probeCtx, stop := context.WithTimeout(ctx, probeTimeout)
		defer stop()
		version, err = p.ready(probeCtx)
		return err == nil
	}) {
		done(fmt.Sprintf("%s is ready on port %d", version, d.ports[p.name()]))
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	containers, inspectErr := d.containers(ctx)
	if inspectErr != nil {
		return fmt.Errorf("%s: %w; %w", p.name(), err, inspectErr)
	}
	// what it says is all there is
	log, _ := exec.CommandContext(ctx, "docker", "logs", "--tail", "8", containers[p.name()].ID).CombinedOutput()
	return fmt.Errorf("%s: not ready within %s: %w; its container says:%s", p.name(), containerTimeout, err,
		lastLines(log))
}

// down removes the containers. Where there never were any, it needs no engine.
func (d docker) down(ctx context.Context) error { return d.remove(ctx) }

// remove removes containers and network; with --volumes the data too.
func (d docker) remove(ctx context.Context, options ...string) error {
	if !isFile(d.folder.composeEnv()) {
		return nil
	}
	if _, err := findDocker(ctx); err != nil {
		return fmt.Errorf("%w: %w, and the stack's containers are the engine's: start it, or delete %s to leave them there",
			ErrConfig, err, d.folder.composeEnv())
	}
	done := d.step("containers", "stopping")
	if err := d.compose(ctx, append([]string{"down", "--remove-orphans"}, options...)...); err != nil {
		return err
	}
	done("containers are removed")
	return nil
}

// container is what the engine says of a service's container.
type container struct {
	ID    string `json:"Id"`
	Name  string
	State struct {
		Running   bool
		PID       int
		StartedAt time.Time
	}
	Config          struct{ Labels map[string]string }
	NetworkSettings struct {
		Ports map[string][]struct{ HostIP, HostPort string }
	}
}

// containers are those of the project by the service's name.
func (d docker) containers(ctx context.Context) (map[string]container, error) {
	ids, err := output(ctx, "docker", "ps", "--all", "--quiet", "--filter",
		"label=com.docker.compose.project="+d.project())
	if err != nil || ids == "" {
		return nil, err
	}
	text, err := output(ctx, "docker", append([]string{"inspect"}, strings.Fields(ids)...)...)
	if err != nil {
		return nil, err
	}
	var list []container
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("decode what docker inspect says: %w", err)
	}
	all := map[string]container{}
	for _, c := range list {
		all[c.Config.Labels["com.docker.compose.service"]] = c
	}
	return all, nil
}

func (d docker) status(ctx context.Context) (Statuses, error) {
	containers, err := d.containers(ctx)
	if err != nil {
		return nil, err
	}
	return d.each(func(p part) Status { return d.look(ctx, p, containers[p.name()]) }), nil
}

func (d docker) look(ctx context.Context, p part, c container) Status {
	st := Status{Part: p.name(), State: Stopped, Port: d.ports[p.name()],
		Log: "docker logs " + strings.TrimPrefix(c.Name, "/")}
	if !c.State.Running {
		return st
	}
	st.State, st.PID, st.Started, st.published = Healthy, c.State.PID, c.State.StartedAt, c.published()
	ctx, stop := context.WithTimeout(ctx, probeTimeout)
	defer stop()
	var err error
	if _, published := st.published[st.Port]; !published {
		err = fmt.Errorf("it is not published on port %d", st.Port)
	} else {
		st.Version, err = p.ready(ctx)
	}
	if err != nil {
		st.State, st.Problem = Broken, err.Error()
	}
	return st
}

// published are the machine's ports that lead to the container, each with whether only this machine
// reaches it.
func (c container) published() map[int]bool {
	ports := map[int]bool{}
	for _, bindings := range c.NetworkSettings.Ports {
		for _, b := range bindings {
			if port, err := strconv.Atoi(b.HostPort); err == nil {
				ports[port] = b.HostIP == "127.0.0.1" || b.HostIP == "::1"
			}
		}
	}
	return ports
}

func (docker) openSockets(all Statuses) (map[int]bool, error) {
	ports := map[int]bool{}
	for _, st := range all {
		maps.Copy(ports, st.published)
	}
	return ports, nil
}

func (d docker) examine(ctx context.Context) Finding {
	found, err := d.find(ctx)
	if err != nil {
		return Finding{Check: "container engine", Detail: "not usable", Advice: err.Error()}
	}
	return Finding{Check: "container engine", OK: true, Detail: found}
}
