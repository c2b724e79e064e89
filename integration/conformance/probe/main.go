// Probe is the function of the conformance rows. It does what an event asks for: a record or a
// payload names the fault. Of each batch it writes first which records it got to the journal, an S3
// object, because that is the one place that every emulator and AWS have.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"kindred/integration/conformance/journal"
	"kindred/internal/platform/awsclient"
)

// probe is one process of the function.
type probe struct {
	objects *s3.Client
	bucket  string
	calls   atomic.Int64
}

func main() {
	cfg, err := awsclient.Load(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv("PROBE_FAIL_INIT") != "" {
		fmt.Fprintln(os.Stderr, "told to fail its start")
		os.Exit(3)
	}
	p := &probe{objects: awsclient.S3(cfg), bucket: os.Getenv(journal.BucketVariable)}
	lambda.Start(p.handle)
}

func (p *probe) handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var batch events.KinesisEvent
	if err := json.Unmarshal(payload, &batch); err == nil && len(batch.Records) > 0 {
		return p.batch(ctx, batch)
	}
	var c journal.Command
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, err
	}
	return p.command(ctx, c)
}

// batch obeys the words in its records.
func (p *probe) batch(ctx context.Context, batch events.KinesisEvent) (any, error) {
	entry := journal.Entry{Began: time.Now()}
	for _, r := range batch.Records {
		entry.Records = append(entry.Records, journal.Record{
			EventID: r.EventID, Stream: r.EventSourceArn, SequenceNumber: r.Kinesis.SequenceNumber, Key: r.Kinesis.PartitionKey,
			Data: string(r.Kinesis.Data), Arrived: r.Kinesis.ApproximateArrivalTimestamp.Time,
		})
	}
	id := "none"
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id = lc.AwsRequestID
	}
	if err := p.write(ctx, fmt.Sprintf("%s%020d-%s", journal.Prefix, entry.Began.UnixNano(), id), entry); err != nil {
		return nil, err
	}
	response := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	for _, r := range batch.Records {
		word, _, _ := strings.Cut(string(r.Kinesis.Data), " ")
		if rest, once := strings.CutSuffix(word, journal.Once); once {
			again, err := p.seen(ctx, r.Kinesis.SequenceNumber)
			if err != nil {
				return nil, err
			}
			if again {
				continue
			}
			word = rest
		}
		switch word {
		case journal.Fail:
			return nil, errors.New("told to fail")
		case journal.Refuse:
			response.BatchItemFailures = append(response.BatchItemFailures,
				events.KinesisBatchItemFailure{ItemIdentifier: r.Kinesis.SequenceNumber})
		case journal.Nap:
			time.Sleep(journal.NapTime)
		}
	}
	return response, nil
}

// seen says whether a record came before.
func (p *probe) seen(ctx context.Context, sequenceNumber string) (bool, error) {
	prefix := "seen/" + sequenceNumber
	list, err := p.objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &p.bucket, Prefix: &prefix})
	if err != nil || len(list.Contents) > 0 {
		return err == nil, err
	}
	return false, p.write(ctx, prefix, nil)
}

func (p *probe) write(ctx context.Context, key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = p.objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &p.bucket, Key: &key, Body: bytes.NewReader(data)})
	return err
}

// command obeys a direct call.
func (p *probe) command(ctx context.Context, c journal.Command) (any, error) {
	switch c.Do {
	case "error":
		return nil, errors.New("told to fail")
	case "panic":
		panic("told to panic")
	case "exit":
		os.Exit(7)
	case "sleep":
		time.Sleep(time.Duration(c.N) * time.Millisecond)
	case "text":
		return strings.Repeat("x", c.N), nil
	case "print":
		fmt.Println(c.Text)
	}
	deadline, _ := ctx.Deadline()
	environment := map[string]string{}
	for _, line := range os.Environ() {
		name, value, _ := strings.Cut(line, "=")
		environment[name] = value
	}
	lc, _ := lambdacontext.FromContext(ctx)
	if lc == nil {
		lc = &lambdacontext.LambdaContext{}
	}
	return journal.Answer{
		Process: os.Getpid(), Calls: p.calls.Add(1), Left: time.Until(deadline), Environment: environment,
		RequestID: lc.AwsRequestID, FunctionARN: lc.InvokedFunctionArn,
	}, nil
}
