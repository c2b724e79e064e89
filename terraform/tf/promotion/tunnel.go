package promotion

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/program"
)

// tunnelCommand opens a way from this machine to the vector database of an environment.
type tunnelCommand struct {
	Environment string        `arg:"" help:"Environment, such as dev, stage or prod. With region_in_names: dev-eu-west-1."`
	Name        string        `default:"kindred" help:"First part of the names of the environment's resources."`
	Port        int           `default:"15432" help:"Port of this machine that leads to the vector database."`
	For         time.Duration `default:"1h" help:"How long the tunnel stays open, if nobody closes it: at most the hours of the variable tunnel."`
}

// Run opens the tunnel, and closes it when ctx ends or the session does.
func (c *tunnelCommand) Run(ctx context.Context, out *program.Output) error {
	if c.Port < 1 || c.Port > 65535 || c.For < time.Minute {
		return fmt.Errorf("%w: --port is %d and --for %v, want 1 to 65535 and at least 1m", program.ErrConfig, c.Port, c.For)
	}
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return err
	}
	t := Tunnel{AWS: cfg, Name: c.Name + "-" + c.Environment, Port: c.Port, For: c.For, Out: out.Stderr}
	open, err := t.Run(ctx)
	if err != nil {
		return err
	}
	return out.Result(fmt.Sprintf("the tunnel to %s was open for %v", c.Environment, open.Round(time.Second)),
		map[string]any{"open_seconds": open.Seconds()})
}

// Tunnel is a port of this machine that leads to an environment's vector database, through a task of module
// tunnel. It is for one Run.
type Tunnel struct {
	AWS     aws.Config
	Name    string        // of the environment's resources, such as kindred-dev
	Port    int           // of this machine
	For     time.Duration // after which the task ends by itself
	Program string        // the AWS CLI; "" means aws
	Plugin  string        // its plugin for sessions; "" means session-manager-plugin
	Probe   time.Duration // between two looks at the task; 0 means 3 s
	Out     io.Writer     // where a person reads
}

// Waits of a tunnel.
const (
	tunnelProbe = 3 * time.Second
	openTime    = 5 * time.Minute  // for the task to start, and its agent
	closeTime   = 30 * time.Second // to stop the task, after an interrupt too
	sessionTime = 5 * time.Second  // for the session to end after an interrupt
)

// tunnelLabel is where module tunnel says what the task is for.
const tunnelLabel = "kindred.tunnel"

// agentName is the one of ECS Exec's agent in a container.
const agentName = "ExecuteCommandAgent"

// entrance is what the label says.
type entrance struct {
	Cluster       string
	Subnets       []string
	SecurityGroup string `json:"security_group"`
	Public        bool
	Host          string
	Port          int
	Database      string
	User          string
	Hours         int
	Environment   map[string]string
}

// Run starts a task, waits until it takes sessions, forwards the port until ctx ends or the session does, and stops
// the task. It returns for how long the port was open. That ctx ends is no error once the port is open.
func (t *Tunnel) Run(ctx context.Context) (open time.Duration, err error) {
	if err := t.tools(); err != nil {
		return 0, err
	}
	at, err := t.find(ctx)
	if err != nil {
		return 0, err
	}
	if most := time.Duration(at.Hours) * time.Hour; t.For > most {
		return 0, fmt.Errorf("%w: --for is %v, and the environment's variable tunnel allows %v", program.ErrConfig, t.For,
			most)
	}
	task, err := t.start(ctx, at)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.stop(ctx, at.Cluster, task)) }()
	target, err := t.ready(ctx, at.Cluster, task)
	if err != nil {
		return 0, err
	}
	t.explain(at)
	began := time.Now()
	err = t.session(ctx, at, target)
	return time.Since(began), err
}

// tools finds the programs that a session needs.
func (t *Tunnel) tools() error {
	for program, page := range map[string]string{
		cmp.Or(t.Program, "aws"): "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
		cmp.Or(t.Plugin, "session-manager-plugin"): "https://docs.aws.amazon.com/systems-manager/latest/userguide/" +
			"session-manager-working-with-install-plugin.html",
	} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("open a tunnel: %w; install it: %s", err, page)
		}
	}
	return nil
}

// find reads the newest task definition, whose label says all the rest.
func (t *Tunnel) find(ctx context.Context) (at entrance, err error) {
	name := t.Name + "-tunnel"
	seen, err := ecs.NewFromConfig(t.AWS).DescribeTaskDefinition(ctx,
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: &name})
	var absent *types.ClientException
	if errors.As(err, &absent) {
		return at, fmt.Errorf("%w: %s has no task definition %s in %s: set the variable tunnel and promote: %w", ErrNoTunnel,
			t.Name, name, t.AWS.Region, err)
	}
	if err != nil {
		return at, fmt.Errorf("find task definition %s: %w", name, err)
	}
	for _, c := range seen.TaskDefinition.ContainerDefinitions {
		if text := c.DockerLabels[tunnelLabel]; text != "" {
			if err := json.Unmarshal([]byte(text), &at); err != nil {
				return at, fmt.Errorf("read the label %s of %s: %w", tunnelLabel, name, err)
			}
			return at, nil
		}
	}
	return at, fmt.Errorf("%w: task definition %s has no label %s: promote this commit", ErrNoTunnel, name, tunnelLabel)
}

// start starts the task and returns its ARN.
func (t *Tunnel) start(ctx context.Context, at entrance) (string, error) {
	fmt.Fprintf(t.Out, "start a task for %v (%.2f USD an hour)\n", t.For, taskHour(t.AWS.Region, 0.25, 0.5))
	public := types.AssignPublicIpDisabled
	if at.Public {
		public = types.AssignPublicIpEnabled
	}
	started, err := ecs.NewFromConfig(t.AWS).RunTask(ctx, &ecs.RunTaskInput{
		Cluster: &at.Cluster, TaskDefinition: aws.String(t.Name + "-tunnel"), LaunchType: types.LaunchTypeFargate,
		EnableExecuteCommand: true,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: at.Subnets, SecurityGroups: []string{at.SecurityGroup}, AssignPublicIp: public}},
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("tunnel"),
			Command: []string{"/tunnel", "--json", "--for", t.For.String()}}}},
	})
	if err != nil {
		return "", fmt.Errorf("start task %s-tunnel: %w", t.Name, err)
	}
	if len(started.Tasks) == 0 {
		return "", fmt.Errorf("start task %s-tunnel: %w: %s", t.Name, ErrTask, failures(started.Failures))
	}
	return aws.ToString(started.Tasks[0].TaskArn), nil
}

// ready waits until the task takes sessions, and returns the target of one.
func (t *Tunnel) ready(ctx context.Context, cluster, task string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	for missed := 0; ; {
		seen, err := ecs.NewFromConfig(t.AWS).DescribeTasks(ctx,
			&ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{task}})
		if err == nil && len(seen.Tasks) == 0 {
			err = fmt.Errorf("%w: %s", ErrTask, failures(seen.Failures)) // ECS may know a task a moment later
		}
		switch {
		case err != nil:
			if missed++; missed > mostMissed {
				return "", fmt.Errorf("watch task %s: %w", task, err)
			}
		case aws.ToString(seen.Tasks[0].LastStatus) == string(types.DesiredStatusStopped):
			return "", cmp.Or(ended(seen.Tasks[0]), fmt.Errorf("%w: it ended before a session was opened", ErrTask))
		default:
			missed = 0
			if runtime := sessionRuntime(seen.Tasks[0]); runtime != "" {
				return "ecs:" + cluster + "_" + task[strings.LastIndex(task, "/")+1:] + "_" + runtime, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%w: task %s takes no sessions: %w", ErrTask, task, ctx.Err())
		case <-time.After(cmp.Or(t.Probe, tunnelProbe)):
		}
	}
}

// sessionRuntime is the runtime id of a task's container whose agent takes sessions, or "".
func sessionRuntime(task types.Task) string {
	for _, c := range task.Containers {
		for _, agent := range c.ManagedAgents {
			if string(agent.Name) == agentName && aws.ToString(agent.LastStatus) == string(types.DesiredStatusRunning) {
				return aws.ToString(c.RuntimeId)
			}
		}
	}
	return ""
}

// explain says how programs use the port.
func (t *Tunnel) explain(at entrance) {
	fmt.Fprintf(t.Out, "\nIn another shell, with the same AWS credentials:\n\n")
	for _, name := range slices.Sorted(maps.Keys(at.Environment)) {
		fmt.Fprintf(t.Out, "export %s=%s\n", name, at.Environment[name])
	}
	fmt.Fprintf(t.Out, "export PGVECTOR_VIA=127.0.0.1:%d PGVECTOR_IAM_AUTH=true\n", t.Port)
	fmt.Fprintf(t.Out, "export PGVECTOR_DSN=\"postgres://%s@%s:%d/%s?sslmode=verify-full&sslrootcert="+
		"$ENVS/global-bundle.pem\"\n", at.User, at.Host, at.Port, at.Database)
	fmt.Fprintf(t.Out, "make console ARGS=--read-only\n\nCtrl-C closes the tunnel.\n")
}

// session forwards the port until ctx ends or the session does.
func (t *Tunnel) session(ctx context.Context, at entrance, target string) error {
	parameters, err := json.Marshal(map[string][]string{"host": {at.Host}, "portNumber": {fmt.Sprint(at.Port)},
		"localPortNumber": {fmt.Sprint(t.Port)}})
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	cmd := exec.CommandContext(ctx, cmp.Or(t.Program, "aws"), "ssm", "start-session", "--region", t.AWS.Region,
		"--target", target, "--document-name", "AWS-StartPortForwardingSessionToRemoteHost", "--parameters",
		string(parameters))
	cmd.Stdout, cmd.Stderr = t.Out, t.Out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // the plugin then ends the session
	cmd.WaitDelay = sessionTime
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil //nolint:nilerr // a person closed it
	}
	if err != nil {
		return fmt.Errorf("forward port %d: aws ssm start-session: %w", t.Port, err)
	}
	return nil
}

// stop stops the task, after an interrupt too.
func (t *Tunnel) stop(ctx context.Context, cluster, task string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	fmt.Fprintln(t.Out, "stop the task")
	if _, err := ecs.NewFromConfig(t.AWS).StopTask(ctx, &ecs.StopTaskInput{Cluster: &cluster, Task: &task,
		Reason: aws.String("make tunnel ended")}); err != nil {
		return fmt.Errorf("stop task %s: %w; it ends by itself %v after its start", task, err, t.For)
	}
	return nil
}
