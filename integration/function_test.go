package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kindred/internal/envconfig"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// functionTime is the time limit of an invocation, unless a test sets another one.
const functionTime = 30 * time.Second

// function runs lambdas/recommend as Lambda does: as a process that asks a Runtime API for work, started when there is none. It takes one
// invocation at a time. See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
type function struct {
	command func() *exec.Cmd
	timeout time.Duration
	began   func(*os.Process) // called when a process has taken its work; nil: nothing
	process *process          // nil before the first invocation
}

// process is one process of a function, with a Runtime API of its own.
type process struct {
	*exec.Cmd
	api     *httptest.Server
	work    chan invocation
	answers chan posted
	ended   chan struct{} // closed at its end
}

// invocation is an event and how long its answer may take.
type invocation struct {
	event   []byte
	timeout time.Duration
}

// posted is what a process posts: the response, or an error.
type posted struct {
	body  []byte
	fault bool
}

// functionBinary builds the function once; TestMain removes its folder.
var functionBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kindred-function-")
	if err != nil {
		return "", err
	}
	functionFolder = dir
	binary := filepath.Join(dir, "bootstrap")
	if out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", binary, "kindred/lambdas/recommend").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build function: %w: %s", err, out)
	}
	return binary, nil
})

// functionFolder holds the function's binary, "" as long as no test needs it.
var functionFolder string

// mustFunction makes the function with a delivery stream of its own into bucket. env comes on top of its environment.
func mustFunction(t *testing.T, stack Stack, dsn, bucket string, env ...string) *function {
	t.Helper()
	binary, err := functionBinary()
	if err != nil {
		t.Fatal(err)
	}
	env = append([]string{
		"AWS_LAMBDA_FUNCTION_NAME=recommend", "AWS_ENDPOINT_URL=" + aws.ToString(stack.AWS.BaseEndpoint), "AWS_REGION=" + stack.AWS.Region,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true", "HOME=" + t.TempDir(),
		"PGVECTOR_DSN=" + dsn, "RECOMMENDATIONS_BUCKET=" + bucket, "RECOMMENDATIONS_DELIVERY_STREAM=" + mustDeliveryStream(t, stack, bucket),
	}, env...)
	var log bytes.Buffer
	f := &function{timeout: functionTime, command: func() *exec.Cmd {
		command := exec.Command(binary)
		command.Env, command.Stderr = env, &log // standard output is metrics
		return command
	}}
	t.Cleanup(func() {
		if f.process != nil {
			f.process.stop(t)
		}
		if t.Failed() {
			t.Logf("function: %s", log.String())
		}
	})
	return f
}

func (f *function) start() (*process, error) {
	p := &process{Cmd: f.command(), work: make(chan invocation), answers: make(chan posted), ended: make(chan struct{})}
	p.api = httptest.NewServer(p.runtimeAPI())
	p.Env = append(p.Env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(p.api.URL, "http://"))
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("start function: %w", err)
	}
	go func() {
		_ = p.Wait() // how it ended is in ProcessState
		close(p.ended)
		p.api.Close()
	}()
	return p, nil
}

// stop ends a process as Lambda does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(cleanupTime):
		t.Error("the function does not end")
		_ = p.Process.Kill()
	}
}

// runtimeAPI serves the calls of the process. Each handler ends with its connection.
func (p *process) runtimeAPI() http.Handler {
	const runtime = "/2018-06-01/runtime/"
	requests := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtime+"invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case work := <-p.work:
			requests++ // a process asks for one at a time
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", strconv.Itoa(requests))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(work.timeout).UnixMilli(), 10))
			_, _ = w.Write(work.event)
		}
	})
	take := func(fault bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			if _, err := body.ReadFrom(r.Body); err != nil {
				return // it was killed while it answered
			}
			w.WriteHeader(http.StatusAccepted)
			select {
			case <-r.Context().Done():
			case p.answers <- posted{body.Bytes(), fault}:
			}
		}
	}
	mux.HandleFunc("POST "+runtime+"invocation/{id}/response", take(false))
	mux.HandleFunc("POST "+runtime+"invocation/{id}/error", take(true))
	mux.HandleFunc("POST "+runtime+"init/error", take(true))
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "test")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}

// errProcessEnded says that the process ended before it answered.
var errProcessEnded = errors.New("the process ended")

// invoke sends the batch and returns the failures that the function reports. An error says that the function did not answer: its process
// ended, it answered with an error, or its time was up.
func (f *function) invoke(batch events.KinesisEvent) ([]events.KinesisBatchItemFailure, error) {
	event, err := json.Marshal(batch)
	if err != nil {
		return nil, err
	}
	p := f.process
	select {
	case <-p.done():
		if p, err = f.start(); err != nil {
			return nil, err
		}
		f.process = p
	default:
	}
	timeout := time.After(f.timeout)
	select {
	case p.work <- invocation{event, f.timeout}:
	case <-p.ended:
		return nil, errProcessEnded
	case <-timeout:
		return nil, errors.New("the function does not ask for work")
	}
	if f.began != nil {
		f.began(p.Process)
	}
	select {
	case a := <-p.answers:
		var response events.KinesisEventResponse
		if err := json.Unmarshal(a.body, &response); err != nil || a.fault || response.BatchItemFailures == nil {
			return nil, fmt.Errorf("the function answers %s", a.body)
		}
		return response.BatchItemFailures, nil
	case <-p.ended:
		return nil, errProcessEnded
	case <-timeout:
		_ = p.Process.Kill() // it may have ended
		return nil, errors.New("the function's time is up")
	}
}

// done is closed when no process runs.
func (p *process) done() <-chan struct{} {
	if p != nil {
		return p.ended
	}
	none := make(chan struct{})
	close(none)
	return none
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
		if _, err := client.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: &name}); err != nil {
			t.Errorf("delete delivery stream: %v", err)
		}
	})
	deadline := time.Now().Add(functionTime)
	for {
		out, err := client.DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
		if err == nil && out.DeliveryStreamDescription.DeliveryStreamStatus == types.DeliveryStreamStatusActive {
			return name
		}
		if time.Now().After(deadline) {
			t.Fatalf("delivery stream is not active: %v", err)
		}
	}
}
