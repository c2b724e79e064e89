package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"kindred/integration/lambdaruntime"
	"kindred/internal/platform/artifact"
	"kindred/internal/platform/envconfig"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// functionTime is the time limit of an invocation, unless a test sets another one: enough on a busy machine.
const functionTime = 2 * time.Minute

// function runs lambdas/recommend as Lambda does: as a process that asks a Runtime API for work,
// started when there is none. It takes one invocation at a time. See
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
type function struct {
	binary  string
	env     []string
	command func() *exec.Cmd
	timeout time.Duration
	began   func(*os.Process)      // called when a process has taken its work; nil: nothing
	process *lambdaruntime.Process // nil before the first invocation
}

// functionBinary builds the function once; TestMain removes its folder.
var functionBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kindred-function-")
	if err != nil {
		return "", err
	}
	functionFolder = dir
	binary := filepath.Join(dir, "bootstrap")
	program, err := artifact.Compile(context.Background(), "..", "./lambdas/recommend", runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	return binary, os.WriteFile(binary, program, 0o755)
})

// functionFolder holds the function's binary, "" as long as no test needs it.
var functionFolder string

// mustFunction makes the function with a delivery stream of its own into bucket. env comes on top
// of its environment.
func mustFunction(t *testing.T, stack Stack, dsn, bucket string, env ...string) *function {
	t.Helper()
	binary, err := functionBinary()
	if err != nil {
		t.Fatal(err)
	}
	env = append([]string{
		"AWS_LAMBDA_FUNCTION_NAME=recommend", "AWS_ENDPOINT_URL=" + aws.ToString(stack.AWS.BaseEndpoint), "AWS_REGION=" +
			stack.AWS.Region,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true", "HOME=" + t.TempDir(),
		"PGVECTOR_DSN=" + dsn, "RECOMMENDATIONS_BUCKET=" + bucket, "RECOMMENDATIONS_DELIVERY_STREAM=" + mustDeliveryStream(t,
			stack, bucket),
	}, env...)
	return newFunction(t, binary, env)
}

func newFunction(t *testing.T, binary string, env []string) *function {
	t.Helper()
	var log bytes.Buffer
	f := &function{binary: binary, env: env, timeout: functionTime, command: func() *exec.Cmd {
		command := exec.Command(binary)
		command.Env, command.Stderr = slices.Clone(env), &log // standard output is metrics
		return command
	}}
	t.Cleanup(func() {
		if f.process != nil {
			ctx, stop := cleanupContext()
			defer stop()
			if err := f.process.Stop(ctx); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("function: %s", log.String())
		}
	})
	return f
}

// another is a further process of the function.
func (f *function) another(t *testing.T) *function {
	t.Helper()
	return newFunction(t, f.binary, f.env)
}

// running reports whether the function has a process that has not ended.
func (f *function) running() bool {
	if f.process == nil {
		return false
	}
	select {
	case <-f.process.Ended():
		return false
	default:
		return true
	}
}

// invoke sends the batch and returns the failures that the function reports. An error says that the
// function did not answer: its process ended, it answered with an error, or its time was up.
func (f *function) invoke(batch events.KinesisEvent) ([]events.KinesisBatchItemFailure, error) {
	event, err := json.Marshal(batch)
	if err != nil {
		return nil, err
	}
	if !f.running() {
		if f.process, err = lambdaruntime.Start(f.command()); err != nil {
			return nil, err
		}
	}
	answer, err := f.process.Invoke(event, f.timeout, f.began)
	if err != nil {
		return nil, err
	}
	var response events.KinesisEventResponse
	if err := json.Unmarshal(answer, &response); err != nil || response.BatchItemFailures == nil {
		return nil, fmt.Errorf("the function answers %s", answer)
	}
	return response.BatchItemFailures, nil
}

// mustInvoke is invoke for a function that has to answer.
func (f *function) mustInvoke(t *testing.T, batch events.KinesisEvent) []events.KinesisBatchItemFailure {
	t.Helper()
	failures, err := f.invoke(batch)
	if err != nil {
		t.Fatal(err)
	}
	return failures
}

// mustDeliveryStream makes a delivery stream of the test's own into bucket.
func mustDeliveryStream(t *testing.T, stack Stack, bucket string) string {
	t.Helper()
	client := firehose.NewFromConfig(stack.AWS)
	name := "kindred-" + randomName()
	_, err := client.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name, DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" + bucket), RoleARN: aws.String("arn:aws:iam::000000000000:role/firehose"),
			Prefix: aws.String(envconfig.RecommendationPrefix),
		},
	})
	if err != nil {
		t.Fatalf("create delivery stream: %v", err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), cleanupTime)
		defer stop()
		if _, err := client.DeleteDeliveryStream(ctx,
			&firehose.DeleteDeliveryStreamInput{DeliveryStreamName: &name}); err != nil {
			t.Errorf("delete delivery stream: %v", err)
		}
	})
	deadline := time.Now().Add(functionTime)
	for {
		out, err := client.DescribeDeliveryStream(t.Context(),
			&firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
		if err == nil && out.DeliveryStreamDescription.DeliveryStreamStatus == types.DeliveryStreamStatusActive {
			return name
		}
		if time.Now().After(deadline) {
			t.Fatalf("delivery stream is not active: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
