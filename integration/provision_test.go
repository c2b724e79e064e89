package integration

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/verify"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/artifact"
	"kindred/internal/platform/awsclient"
	"kindred/internal/stream/shardreader"
	"kindred/localstack/provision"
	"kindred/localstack/settings"
)

// pickyFunction is a Lambda function of the standard library alone: it fails a batch that holds a
// record "refuse me" and accepts any other.
const pickyFunction = `package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		var event struct{ Records []struct{ Kinesis struct{ Data []byte } } }
		body, _ := io.ReadAll(next.Body)
		_ = json.Unmarshal(body, &event)
		verdict, answer := "/response", "{\"batchItemFailures\":[]}"
		for _, r := range event.Records {
			if string(r.Kinesis.Data) == "refuse me" {
				verdict, answer = "/error", "{\"errorType\":\"Refused\",\"errorMessage\":\"refused\"}"
			}
		}
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		if _, err := http.Post(base+id+verdict, "application/json", strings.NewReader(answer)); err != nil {
			os.Exit(1)
		}
	}
}
`

func TestProvisionMakesAllThenNothingThenDestroysAll(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	s := mustOwnSettings(t, stack)
	s.Mapping.MaximumRetryAttempts = 0 // the first failure goes to the bucket
	function := provision.Function{Zip: mustPickyFunction(t, stack.FunctionOS),
		Env: map[string]string{"PGVECTOR_DSN": "postgres://nowhere"}}

	began := time.Now()
	first, err := provision.Apply(t.Context(), stack.AWS, s, function)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("first Apply: %v, %d changes", time.Since(began).Round(time.Millisecond), len(first.Changes))
	if len(first.Changes) == 0 {
		t.Error("the first Apply reports no change")
	}

	began = time.Now()
	second, err := provision.Apply(t.Context(), stack.AWS, s, function)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("second Apply: %v", time.Since(began).Round(time.Millisecond))
	if len(second.Changes) > 0 {
		t.Errorf("the second Apply changed %q", second.Changes)
	}
	first.Changes, second.Changes = nil, nil
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second Apply left other resources:\n%s", diff)
	}

	// What differs is changed in place, and nothing else is.
	s.Mapping.BatchSize, s.Functions.Recommend.TimeoutSeconds, s.Delivery.BufferingSizeMiB = 50, 30, 2
	third, err := provision.Apply(t.Context(), stack.AWS, s, function)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"delivery stream " + s.Delivery.Name + ": destination changed",
		"function " + s.Functions.Recommend.Name + ": configuration changed",
		"mapping of " + s.Stream.Name + " to " + s.Functions.Recommend.Name + ": changed",
	}
	if diff := cmp.Diff(want, third.Changes); diff != "" {
		t.Errorf("changes of the third Apply:\n%s", diff)
	}
	if third.MappingID != first.MappingID || third.FunctionRevision == first.FunctionRevision ||
		third.FunctionSHA256 != first.FunctionSHA256 {
		t.Errorf("third Apply: %+v, first: %+v", third, first)
	}

	mustReachFailureBucket(t, stack, s)

	if err := provision.Destroy(t.Context(), stack.AWS, s); err != nil {
		t.Fatal(err)
	}
	mustBeGone(t, stack, s)
	if err := provision.Destroy(t.Context(), stack.AWS, s); err != nil {
		t.Errorf("a second Destroy: %v", err)
	}
}

func TestProvisionRefusesWhatIsNotTheLocalStack(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	s := mustOwnSettings(t, stack)
	for name, change := range map[string]func(*aws.Config, *settings.Settings){
		"no endpoint": func(c *aws.Config, _ *settings.Settings) { c.BaseEndpoint = nil },
		"an AWS endpoint": func(c *aws.Config, _ *settings.Settings) {
			c.BaseEndpoint = aws.String("https://s3.eu-west-1.amazonaws.com")
		},
		"another account": func(_ *aws.Config, s *settings.Settings) { s.AccountID = "123456789012" },
		"another region":  func(c *aws.Config, _ *settings.Settings) { c.Region = "eu-west-2" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, s := stack.AWS, s
			change(&cfg, &s)
			if _, err := provision.Apply(t.Context(), cfg, s, provision.Function{Zip: []byte("zip")}); !errors.Is(err,
				provision.ErrWrongTarget) {
				t.Errorf("Apply: %v", err)
			}
			if err := provision.Destroy(t.Context(), cfg, s); !errors.Is(err, provision.ErrWrongTarget) {
				t.Errorf("Destroy: %v", err)
			}
		})
	}
}

// mustOwnSettings returns settings with names of the test's own, destroyed at its end.
func mustOwnSettings(t *testing.T, stack Stack) settings.Settings {
	t.Helper()
	s, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	s = s.WithSuffix("t" + randomName())
	s.Region = stack.AWS.Region
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), cleanupTime)
		defer stop()
		if err := provision.Destroy(ctx, stack.AWS, s); err != nil {
			t.Errorf("destroy the test's resources: %v", err)
		}
	})
	return s
}

// mustPickyFunction builds pickyFunction twice, as a module of its own, and checks that both zips
// are the same.
func mustPickyFunction(t *testing.T, goos string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "lambdas", "picky"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module picky\n\ngo 1.26\n",
		"lambdas/picky/main.go": pickyFunction} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	zip, err := artifact.BuildFunction(t.Context(), dir, "picky", goos)
	if err != nil {
		t.Fatal(err)
	}
	again, err := artifact.BuildFunction(t.Context(), dir, "picky", goos)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(zip, again) {
		t.Error("two builds of the same source differ")
	}
	return zip
}

// mustReachFailureBucket puts a record that the function refuses and waits until the mapping has
// written it to the bucket: stream, mapping, function and OnFailure destination work together, and
// the audit can read what comes of it.
func mustReachFailureBucket(t *testing.T, stack Stack, s settings.Settings) {
	t.Helper()
	_, err := kinesis.NewFromConfig(stack.AWS).PutRecord(t.Context(),
		&kinesis.PutRecordInput{StreamName: aws.String(s.Stream.Name), PartitionKey: aws.String("a"),
			Data: []byte("refuse me")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), catchUp)
	defer stop()
	for {
		out, err := awsclient.S3(stack.AWS).ListObjectsV2(ctx,
			&s3.ListObjectsV2Input{Bucket: aws.String(s.Buckets.Recommendations.Name), Prefix: aws.String("aws/lambda/")})
		if err != nil {
			t.Fatalf("wait for the failed batch in the bucket: %v", err)
		}
		if len(out.Contents) > 0 {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	reader := shardreader.New(kinesis.NewFromConfig(stack.AWS), s.Stream.Name)
	store := objectstore.NewS3(awsclient.S3(stack.AWS), s.Buckets.Recommendations.Name, "")
	r, err := verify.New(reader, store).Run(t.Context(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.DistinctEvents != r.OnFailure || r.OnFailure < 1 || r.Fault() != nil { // a retry may have put it twice
		t.Errorf("the audit does not find the failed batch:\n%s", r)
	}
}

// mustBeGone asks each service for each resource by name.
func mustBeGone(t *testing.T, stack Stack, s settings.Settings) {
	t.Helper()
	for _, b := range s.Buckets.All() {
		if _, err := awsclient.S3(stack.AWS).HeadBucket(t.Context(),
			&s3.HeadBucketInput{Bucket: aws.String(b.Name)}); err == nil {
			t.Errorf("bucket %s is left", b.Name)
		}
	}
	_, err := kinesis.NewFromConfig(stack.AWS).DescribeStreamSummary(t.Context(),
		&kinesis.DescribeStreamSummaryInput{StreamName: aws.String(s.Stream.Name)})
	if err == nil {
		t.Errorf("stream %s is left", s.Stream.Name)
	}
	_, err = firehose.NewFromConfig(stack.AWS).DescribeDeliveryStream(t.Context(),
		&firehose.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String(s.Delivery.Name)})
	if err == nil {
		t.Errorf("delivery stream %s is left", s.Delivery.Name)
	}
	functions := lambda.NewFromConfig(stack.AWS)
	_, err = functions.GetFunction(t.Context(),
		&lambda.GetFunctionInput{FunctionName: aws.String(s.Functions.Recommend.Name)})
	if err == nil {
		t.Errorf("function %s is left", s.Functions.Recommend.Name)
	}
	mappings, err := functions.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{
		EventSourceArn: aws.String("arn:aws:kinesis:" + s.Region + ":" + s.AccountID + ":stream/" + s.Stream.Name)})
	if err != nil || len(mappings.EventSourceMappings) > 0 {
		t.Errorf("mappings left: %+v, %v", mappings, err)
	}
	for _, role := range []string{s.Functions.Recommend.RoleName, s.Delivery.RoleName} {
		if _, err := iam.NewFromConfig(stack.AWS).GetRole(t.Context(),
			&iam.GetRoleInput{RoleName: aws.String(role)}); err == nil {
			t.Errorf("role %s is left", role)
		}
	}
}
