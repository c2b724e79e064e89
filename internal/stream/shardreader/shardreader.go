// Package shardreader reads a Kinesis data stream without consuming it: every shard, closed ones
// too, from the oldest record kept, or from where an earlier read ended, to the tip. It owns
// iterators, paging and throttling; what the records mean is the caller's.
package shardreader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"kindred/internal/platform/retry"
	"kindred/internal/stream/activity"
)

const (
	pageRecords = 10_000 // what GetRecords gives at most
	// A shard allows five reads a second, and the function's mapping takes one of them.
	// See https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html.
	shortestPause = 250 * time.Millisecond
	longestPause  = 4 * time.Second
)

// patience with a shard that others read too: it reads on as long as the context allows.
var patience = retry.Policy{FirstPause: shortestPause, LongestPause: longestPause, Jitter: 0.2}

// option is an option of one call.
type option = func(*kinesis.Options)

// client is the part of the Kinesis API that reading needs.
type client interface {
	ListShards(context.Context, *kinesis.ListShardsInput, ...option) (*kinesis.ListShardsOutput, error)
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput,
		...option) (*kinesis.DescribeStreamSummaryOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...option) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...option) (*kinesis.GetRecordsOutput, error)
}

// Reader reads one stream. It is safe for concurrent use.
type Reader struct {
	client client
	stream string
	pause  func(context.Context, time.Duration) error
}

// New makes a Reader of the named stream. It makes no request.
func New(client client, stream string) *Reader { return &Reader{client, stream, retry.Sleep} }

// Retention is how long the stream keeps a record.
func (r *Reader) Retention(ctx context.Context) (time.Duration, error) {
	out, err := r.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(r.stream)})
	if err != nil {
		return 0, fmt.Errorf("describe stream %s: %w", r.stream, err)
	}
	return time.Duration(aws.ToInt32(out.StreamDescriptionSummary.RetentionPeriodHours)) * time.Hour, nil
}

// Shards lists the ids of all shards that still hold records, closed ones too.
func (r *Reader) Shards(ctx context.Context) (shards []string, err error) {
	in := &kinesis.ListShardsInput{StreamName: aws.String(r.stream)}
	for {
		out, err := r.client.ListShards(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list shards of stream %s: %w", r.stream, err)
		}
		for _, s := range out.Shards {
			shards = append(shards, aws.ToString(s.ShardId))
		}
		if out.NextToken == nil {
			return shards, nil
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken} // the token stands for the name
	}
}

// Read visits the records of a shard in order, from the one that follows the
// sequence number after ("": from the oldest one kept) to the tip as it was when the call began;
// some newer ones may come too. It ends with the first error of visit.
func (r *Reader) Read(ctx context.Context, shard, after string, visit func(activity.Position, []byte) error) error {
	return r.read(ctx, start{shard: shard, after: after}, visit)
}

// ReadSince is Read from the first record that arrived at since or later.
func (r *Reader) ReadSince(ctx context.Context, shard string, since time.Time,
	visit func(activity.Position, []byte) error) error {
	return r.read(ctx, start{shard: shard, since: since}, visit)
}

// start is where reading a shard begins: after a sequence number, else at a time, else at the oldest record.
type start struct {
	shard, after string
	since        time.Time
}

func (r *Reader) read(ctx context.Context, from start, visit func(activity.Position, []byte) error) error {
	began, pauses := time.Now(), patience.Pauses()
	var iterator *string
	for {
		if iterator == nil {
			var err error
			if iterator, err = r.iterator(ctx, from); err != nil {
				return err
			}
		}
		out, err := r.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(pageRecords)})
		var expired *types.ExpiredIteratorException // iterators live five minutes
		switch {
		case errors.As(err, &expired):
			iterator = nil
			continue
		case retry.Throttled(err):
			if err := r.pause(ctx, pauses.Next()); err != nil {
				return fmt.Errorf("read shard %s of stream %s: %w", from.shard, r.stream, err)
			}
			continue
		case err != nil:
			return fmt.Errorf("read shard %s of stream %s: %w", from.shard, r.stream, err)
		}
		pauses.Reset()
		var last time.Time
		for _, record := range out.Records {
			from.after, last = aws.ToString(record.SequenceNumber), aws.ToTime(record.ApproximateArrivalTimestamp)
			p := activity.Position{
				Stream: r.stream, Shard: from.shard, SequenceNumber: from.after, PartitionKey: aws.ToString(record.PartitionKey),
				ArrivedAt: last.UTC(),
			}
			if err := visit(p, record.Data); err != nil {
				return err
			}
		}
		// Zero behind is not yet the tip: the figure is in whole milliseconds, and several records may share one.
		atTip := aws.ToInt64(out.MillisBehindLatest) == 0 && (len(out.Records) == 0 || last.After(began))
		if iterator = out.NextShardIterator; iterator == nil || atTip { // nil: the shard is closed and read to its end
			return nil
		}
	}
}

func (r *Reader) iterator(ctx context.Context, from start) (*string, error) {
	in := &kinesis.GetShardIteratorInput{StreamName: aws.String(r.stream), ShardId: aws.String(from.shard)}
	switch {
	case from.after != "":
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, aws.String(from.after)
	case !from.since.IsZero():
		in.ShardIteratorType, in.Timestamp = types.ShardIteratorTypeAtTimestamp, aws.Time(from.since)
	default:
		in.ShardIteratorType = types.ShardIteratorTypeTrimHorizon
	}
	out, err := r.client.GetShardIterator(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("start reading shard %s of stream %s: %w", from.shard, r.stream, err)
	}
	return out.ShardIterator, nil
}
