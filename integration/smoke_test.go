package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"kindred/internal/job/publish"
	"kindred/internal/lake/linefile"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/localstack/settings"
)

// smokeTime is how long an answer may take: Firehose waits a minute, a function that starts some seconds.
const smokeTime = 5 * time.Minute

// TestSmoke sends one event and finds its answer in the recommendations bucket: stream, mapping,
// function, vector database and delivery work together. With KINDRED_SERVICES=deployed it meets
// what the variables name, as after `make promote`, and asks serve too: the function that SERVE_FUNCTION
// names, and its function URL, SERVE_URL, as a caller does; else it builds its own on the local stack. It leaves one
// event of the session "smoke-…".
func TestSmoke(t *testing.T) {
	t.Parallel()
	getenv := os.Getenv
	var cfg aws.Config
	if os.Getenv(servicesVariable) == "deployed" {
		var err error
		if cfg, err = awsclient.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	} else {
		stack := mustStack(t)
		env := mustDeploy(t, stack)
		getenv, cfg = func(name string) string { return env[name] }, stack.AWS
	}
	id, start := "smoke-"+randomName(), time.Now()
	_, err := kinesis.NewFromConfig(cfg).PutRecord(t.Context(),
		&kinesis.PutRecordInput{StreamName: aws.String(getenv("ACTIVITY_STREAM")),
			PartitionKey: &id, Data: fmt.Appendf(nil, `{"session_id":%[1]q,"event_id":%[1]q,"occurred_at":%[2]q,%[3]s`+
				`"customer_number":%[1]q,"browse_history":[{"product_code":%[1]q,"quantity":1,"purchased":true}]}`, id,
				start.UTC().Format(time.RFC3339), smokeShop(getenv("SHOP_NAME")))})
	if err != nil {
		t.Fatalf("send an event: %v", err)
	}
	if function := getenv("SERVE_FUNCTION"); function != "" {
		smokeServe(t, cfg, function)
	}
	if url := getenv("SERVE_URL"); url != "" {
		smokeURL(t, cfg, url)
	}
	ctx, stop := context.WithTimeout(t.Context(), smokeTime)
	defer stop()
	record, err := delivered(ctx, awsclient.S3(cfg), getenv("RECOMMENDATIONS_BUCKET"), id, start)
	if err != nil {
		t.Fatalf("no answer to event %s after %v: %v", id, time.Since(start).Round(time.Second), err)
	}
	if record.Recommendation.ModelVersion == "" || len(record.RecommendedItems) == 0 ||
		record.Recommendation.ID != activity.RecommendationID(id, "") {
		t.Errorf("the answer is %+v", record)
	}
	t.Logf("version %s answered from %s, %v after the event was sent", record.Recommendation.ModelVersion,
		record.Recommendation.Source, time.Since(start).Round(time.Second))
}

// smokeShop is the field of the event that names its shop: other shops may share the stream.
func smokeShop(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(`"shop":%q,`, name)
}

// mustDeploy builds the streaming half on the local stack, with a small model live, and returns its
// variables.
func mustDeploy(t *testing.T, stack Stack) map[string]string {
	t.Helper()
	own, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	own = own.WithSuffix(randomName())
	env := own.Env()
	env["PGVECTOR_DSN"] = stack.mustVectorDatabase(t)
	version := randomVersion("m30000000000000a", 1, 30, 5, 4)
	if _, err := publish.Run(t.Context(), publish.Database{Store: mustVectorStore(t, env["PGVECTOR_DSN"])},
		trained{version}, "", byTest); err != nil {
		t.Fatal(err)
	}
	mustProvision(t, stack, own, env)
	return env
}

// delivered looks for the event's record among the objects that came since start.
func delivered(ctx context.Context, client *s3.Client, bucket, event string,
	start time.Time) (record activity.Record, err error) {
	input := &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String(envconfig.RecommendationPrefix)}
	if client.Options().BaseEndpoint == nil { // on AWS the keys begin with the hour, and there may be many
		input.StartAfter = aws.String(start.UTC().Format(envconfig.RecommendationPrefix + "dt=2006-01-02/hour=15/"))
	}
	read := map[string]bool{}
	for {
		pages := s3.NewListObjectsV2Paginator(client, input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return record, err
			}
			for _, object := range page.Contents {
				if read[*object.Key] || object.LastModified.Before(start.Add(-time.Minute)) { // clocks differ
					continue
				}
				read[*object.Key] = true
				line, err := findLine(ctx, client, bucket, *object.Key, event)
				if err != nil {
					return record, err
				}
				if line != nil {
					return activity.ParseRecord(line)
				}
			}
		}
		select {
		case <-ctx.Done():
			return record, errors.New("it is in none of the objects that came since")
		case <-time.After(time.Second):
		}
	}
}

// findLine returns the line of the object that has the event, or nil.
func findLine(ctx context.Context, client *s3.Client, bucket, key, event string) ([]byte, error) {
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer object.Body.Close()
	for line, err := range linefile.Lines(object.Body) {
		if err != nil || bytes.Contains(line, []byte(event)) {
			return bytes.Clone(line), err
		}
	}
	return nil, nil
}

// smokeServe asks the function serve, as its URL does, whether a model is live.
func smokeServe(t *testing.T, cfg aws.Config, function string) {
	t.Helper()
	request := events.LambdaFunctionURLRequest{Version: "2.0", RawPath: "/health"}
	request.RequestContext.HTTP.Method = "GET"
	payload, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := lambda.NewFromConfig(cfg).Invoke(t.Context(),
		&lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		t.Fatalf("ask %s: %v", function, err)
	}
	var response events.LambdaFunctionURLResponse
	if err := json.Unmarshal(answer.Payload, &response); err != nil || answer.FunctionError != nil ||
		response.StatusCode != 200 {
		t.Errorf("%s answers %s", function, answer.Payload)
	}
}

// smokeURL asks the function URL of serve with a signed request whether a model is live.
func smokeURL(t *testing.T, cfg aws.Config, address string) {
	t.Helper()
	address = strings.TrimSuffix(address, "/") + "/health"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	who, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(nil)
	if err := v4.NewSigner().SignHTTP(t.Context(), who, request, hex.EncodeToString(sum[:]), "lambda", cfg.Region,
		time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("ask the function URL of serve: %v", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("the function URL of serve answers %s: %s. A caller needs lambda:InvokeFunctionUrl and "+
			"lambda:InvokeFunction", answer.Status, body)
	}
}

// TestTheURLOfServeIsSigned asks a server that admits only requests that are signed for Lambda.
func TestTheURLOfServeIsSigned(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if signed := r.Header.Get("Authorization"); !strings.Contains(signed, "/eu-west-1/lambda/aws4_request") ||
			r.URL.Path != "/health" {
			t.Errorf("%s is signed with %q", r.URL, signed)
		}
	}))
	t.Cleanup(server.Close)
	smokeURL(t, aws.Config{Region: "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, server.URL+"/")
}
