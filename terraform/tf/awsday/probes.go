package awsday

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"kindred/terraform/tf/promotion"
)

// coldStarts are calls at the same time, more than there are instances after a smoke test: some start new ones.
const coldStarts = 5

// mostStart is Lambda's limit for the start of a function
// (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html).
const mostStart = 10 * time.Second

var started = regexp.MustCompile(`Init Duration: ([0-9.]+) ms`)

// coldStart calls serve several times at once, and reads how long new instances took to start.
func (e *Environment) coldStart(ctx context.Context, o promotion.Outputs) (string, error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	var slowest time.Duration
	var failed error
	count := 0
	for range coldStarts {
		all.Go(func() {
			_, log, err := e.Promotion.Call(ctx, o, o.Functions.Serve.Name, getting("/health", ""))
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
			took, found := startTime(log)
			if found {
				count, slowest = count+1, max(slowest, took)
			}
		})
	}
	all.Wait()
	switch {
	case failed != nil:
		return "", failed
	case count == 0:
		return "", fmt.Errorf("%w: none of %d calls at once started an instance", ErrNotAsked, coldStarts)
	case slowest >= mostStart:
		return "", fmt.Errorf("a new instance took %v to start", slowest)
	}
	return fmt.Sprintf("%d instances started, the slowest in %v", count, slowest), nil
}

// startTime reads the line REPORT of a call, in the base64 of Lambda's answer.
func startTime(log []byte) (time.Duration, bool) {
	text, err := base64.StdEncoding.DecodeString(string(log))
	if err != nil {
		return 0, false
	}
	found := started.FindSubmatch(text)
	if found == nil {
		return 0, false
	}
	ms, err := strconv.ParseFloat(string(found[1]), 64)
	return time.Duration(ms * float64(time.Millisecond)), err == nil
}

// getting is the request of a function URL.
func getting(path, query string) string {
	return fmt.Sprintf(`{"version": "2.0", "rawPath": %[1]q, "rawQueryString": %[2]q, "requestContext": {"http": `+
		`{"method": "GET", "path": %[1]q}}}`, path, query)
}

// unsigned calls the function URL as anybody can.
func (e *Environment) unsigned(ctx context.Context, o promotion.Outputs) (string, error) {
	return status(ctx, strings.TrimSuffix(o.Functions.Serve.URL, "/")+"/health", http.StatusForbidden)
}

// front loads the pages' program through the REST API.
func (e *Environment) front(ctx context.Context, o promotion.Outputs) (string, error) {
	if o.Front == "" {
		return "", fmt.Errorf("%w: the variables have no front", ErrNotAsked)
	}
	return status(ctx, o.Front+"/kindred.js", http.StatusOK)
}

// status asks an address for its status, which must be want.
func status(ctx context.Context, address string, want int) (string, error) {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", address, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", address, err)
	}
	defer func() { _ = answer.Body.Close() }() // not kept
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode != want {
		return "", fmt.Errorf("ask %s: it answers %s, want %d", address, answer.Status, want)
	}
	return answer.Status, nil
}

// connectionsPerGiB is about what RDS for PostgreSQL accepts, as in terraform/aws/main.tf.
const connectionsPerGiB = 75

// connections compares the most connections of the last hours with what the class accepts.
func (e *Environment) connections(ctx context.Context, o promotion.Outputs) (string, error) {
	seen, err := rds.NewFromConfig(e.Promotion.AWS).DescribeDBInstances(ctx,
		&rds.DescribeDBInstancesInput{DBInstanceIdentifier: &o.Vectors.Identifier})
	if err != nil || len(seen.DBInstances) == 0 {
		return "", fmt.Errorf("look up %s: %w", o.Vectors.Identifier, err)
	}
	gib := promotion.MemoryGiB(aws.ToString(seen.DBInstances[0].DBInstanceClass))
	end := time.Now()
	got, err := cloudwatch.NewFromConfig(e.Promotion.AWS).GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("AWS/RDS"), MetricName: aws.String("DatabaseConnections"),
		Dimensions: []cwtypes.Dimension{{Name: aws.String("DBInstanceIdentifier"), Value: &o.Vectors.Identifier}},
		StartTime:  aws.Time(end.Add(-mostHours * time.Hour)), EndTime: &end, Period: aws.Int32(60),
		Statistics: []cwtypes.Statistic{cwtypes.StatisticMaximum}})
	if err != nil {
		return "", fmt.Errorf("read the connections of %s: %w", o.Vectors.Identifier, err)
	}
	most := 0.0
	for _, point := range got.Datapoints {
		most = max(most, aws.ToFloat64(point.Maximum))
	}
	switch {
	case most == 0:
		return "", fmt.Errorf("%w: CloudWatch has no value of DatabaseConnections yet", ErrNotAsked)
	case most >= connectionsPerGiB*gib:
		return "", fmt.Errorf("%.0f connections were open, and a class of %.0f GiB accepts about %.0f", most, gib,
			connectionsPerGiB*gib)
	}
	return fmt.Sprintf("at most %.0f of about %.0f", most, connectionsPerGiB*gib), nil
}

// schedule looks whether the hourly rollup has run.
func (e *Environment) schedule(ctx context.Context, o promotion.Outputs) (string, error) {
	group := "/ecs/" + strings.TrimSuffix(o.Batch.Cluster, "-batch") + "-rollup"
	seen, err := cloudwatchlogs.NewFromConfig(e.Promotion.AWS).DescribeLogStreams(ctx,
		&cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: &group})
	if err != nil {
		return "", fmt.Errorf("look for the log of rollup, %s: %w", group, err)
	}
	if len(seen.LogStreams) == 0 {
		return "", fmt.Errorf("%w: no rollup has run yet: it runs ten minutes after each hour", ErrNotAsked)
	}
	return fmt.Sprintf("%d runs", len(seen.LogStreams)), nil
}
