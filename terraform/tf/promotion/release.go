package promotion

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// push uploads the packaged image without a container engine, unless the registry already has it.
// Tags are immutable, so another image with the same tag is an error.
func (p *Promotion) push(ctx context.Context, repository string) error {
	image, err := tarball.ImageFromPath(filepath.Join(p.Packages, imageFile), nil)
	if err != nil {
		return fmt.Errorf("read image: %w", err)
	}
	ref, err := name.NewTag(repository + ":" + p.Tag)
	if err != nil {
		return fmt.Errorf("push image: %w", err)
	}
	token, err := ecr.NewFromConfig(p.AWS).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return fmt.Errorf("get the registry's token: %w", err)
	}
	if len(token.AuthorizationData) == 0 {
		return errors.New("get the registry's token: the answer is empty")
	}
	login, err := base64.StdEncoding.DecodeString(aws.ToString(token.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		return errors.New("read the registry's token: it is not base64")
	}
	user, password, _ := strings.Cut(string(login), ":")
	options := []remote.Option{remote.WithContext(ctx),
		remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: user, Password: password}))}
	if p.Registry != nil {
		options = append(options, remote.WithTransport(p.Registry))
	}
	there, err := remote.Head(ref, options...)
	var status *transport.Error
	switch own, digestErr := image.Digest(); {
	case digestErr != nil:
		return fmt.Errorf("read image: %w", digestErr)
	case err == nil && there.Digest == own:
		return nil
	case err == nil:
		return fmt.Errorf("push image %s: %w: the registry has %s, the package %s", ref, ErrOtherImage, there.Digest, own)
	case !errors.As(err, &status) || status.StatusCode != http.StatusNotFound:
		return fmt.Errorf("look up image %s: %w", ref, err)
	}
	if err := remote.Write(ref, image, options...); err != nil {
		return fmt.Errorf("push image %s: %w", ref, err)
	}
	return nil
}

// Time limits of a promotion's steps.
const (
	taskTime  = 20 * time.Minute // a task starts within 2 minutes; a migration waits at most a minute for another one
	chainTime = 6 * time.Hour
)

// mostMissed is how many looks in a row may fail before a promotion gives up: 3 minutes of a broken
// network. The task or the chain goes on meanwhile.
const mostMissed = 18

// RunTask runs a program's task with another command, waits until it has succeeded, and returns the task's ARN.
func (p *Promotion) RunTask(ctx context.Context, o Outputs, program string, command ...string) (task string,
	err error) {
	ctx, stop := context.WithTimeout(ctx, taskTime)
	defer stop()
	client := ecs.NewFromConfig(p.AWS)
	public := types.AssignPublicIpDisabled
	if o.Batch.Public {
		public = types.AssignPublicIpEnabled
	}
	started, err := client.RunTask(ctx, &ecs.RunTaskInput{
		Cluster: &o.Batch.Cluster, TaskDefinition: aws.String(o.Batch.Tasks[program]), LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: o.Batch.SubnetIDs, SecurityGroups: []string{o.Batch.SecurityGroups[program]},
			AssignPublicIp: public}},
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: &program, Command: command}}},
	})
	if err != nil {
		return "", fmt.Errorf("start task %s: %w", program, err)
	}
	if len(started.Tasks) == 0 {
		return "", fmt.Errorf("start task %s: %w: %s", program, ErrTask, failures(started.Failures))
	}
	task = aws.ToString(started.Tasks[0].TaskArn)
	for missed := 0; ; {
		seen, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &o.Batch.Cluster, Tasks: []string{task}})
		if err == nil && len(seen.Tasks) == 0 {
			err = fmt.Errorf("%w: %s", ErrTask, failures(seen.Failures)) // ECS may know a task a moment later
		}
		switch {
		case err != nil:
			if missed++; missed > mostMissed {
				return task, fmt.Errorf("watch task %s: %w", task, err)
			}
		case aws.ToString(seen.Tasks[0].LastStatus) == string(types.DesiredStatusStopped):
			return task, ended(seen.Tasks[0])
		default:
			missed = 0
		}
		if err := p.wait(ctx); err != nil {
			return task, fmt.Errorf("watch task %s: %w", task, err)
		}
	}
}

// ended returns nil if the task's container ended with exit code 0.
func ended(task types.Task) error {
	if len(task.Containers) == 1 && task.Containers[0].ExitCode != nil && *task.Containers[0].ExitCode == 0 {
		return nil
	}
	reasons := []string{aws.ToString(task.StoppedReason)}
	for _, c := range task.Containers {
		if c.ExitCode != nil {
			reasons = append(reasons, fmt.Sprintf("%s ended with %d", aws.ToString(c.Name), *c.ExitCode))
		}
		if c.Reason != nil {
			reasons = append(reasons, *c.Reason)
		}
	}
	return fmt.Errorf("%w: %s; see its log group", ErrTask, strings.Join(reasons, ", "))
}

func failures(all []types.Failure) string {
	var reasons []string
	for _, f := range all {
		reasons = append(reasons, aws.ToString(f.Reason))
	}
	return strings.Join(reasons, ", ")
}

// runChain runs etl, train and publish, and waits until they have succeeded.
func (p *Promotion) runChain(ctx context.Context, machine string) error {
	ctx, stop := context.WithTimeout(ctx, chainTime)
	defer stop()
	client := sfn.NewFromConfig(p.AWS)
	started, err := client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &machine})
	if err != nil {
		return fmt.Errorf("start the chain: %w", err)
	}
	for missed := 0; ; {
		seen, err := client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
		if err != nil {
			if missed++; missed > mostMissed {
				return fmt.Errorf("watch the chain: %w", err)
			}
			seen = &sfn.DescribeExecutionOutput{Status: sfntypes.ExecutionStatusRunning}
		} else {
			missed = 0
		}
		switch seen.Status {
		case sfntypes.ExecutionStatusRunning, sfntypes.ExecutionStatusPendingRedrive:
		case sfntypes.ExecutionStatusSucceeded:
			return nil
		default:
			return fmt.Errorf("%w: %s, %s; see the log groups of etl, train and publish. "+
				"Training needs a shop with data: fill it, then promote again with --chain",
				ErrChain, seen.Status, aws.ToString(seen.Cause))
		}
		if err := p.wait(ctx); err != nil {
			return fmt.Errorf("watch the chain: %w", err)
		}
	}
}

// wait waits until it is time to look again.
func (p *Promotion) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(cmp.Or(p.Probe, defaultProbe)):
		return nil
	}
}
