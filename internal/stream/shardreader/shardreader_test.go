package shardreader

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"kindred/internal/stream/activity"
)

// script is a Kinesis of one shard whose GetRecords plays pages and errors one after the other.
type script struct {
	client
	pages   []any // error or page
	started []string
}

type page struct {
	numbers []int
	behind  int64
	last    bool
}

func (s *script) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput,
	_ ...option) (*kinesis.GetShardIteratorOutput, error) {
	s.started = append(s.started, string(in.ShardIteratorType)+" "+aws.ToString(in.StartingSequenceNumber))
	return &kinesis.GetShardIteratorOutput{ShardIterator: aws.String("i")}, nil
}

func (s *script) GetRecords(context.Context, *kinesis.GetRecordsInput, ...option) (*kinesis.GetRecordsOutput, error) {
	step := s.pages[0]
	s.pages = s.pages[1:]
	if err, ok := step.(error); ok {
		return nil, err
	}
	p := step.(page)
	out := &kinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(p.behind), NextShardIterator: aws.String("i")}
	if p.last {
		out.NextShardIterator = nil
	}
	for _, n := range p.numbers {
		out.Records = append(out.Records, types.Record{
			SequenceNumber: aws.String(strconv.Itoa(n)), PartitionKey: aws.String("k"),
			ApproximateArrivalTimestamp: aws.Time(time.Unix(1, 0)),
		})
	}
	return out, nil
}

func TestReadGoesToTheTip(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tc := range []struct {
		name    string
		pages   []any
		after   string
		want    []string
		started []string
		err     error
	}{
		{name: "empty pages before the records",
			pages: []any{page{behind: 900}, page{numbers: []int{1, 2}, behind: 5}, page{}},
			want:  []string{"1", "2"}, started: []string{"TRIM_HORIZON "}},
		{name: "zero behind with more to come", pages: []any{page{numbers: []int{1}}, page{numbers: []int{2}}, page{}},
			want: []string{"1", "2"}, started: []string{"TRIM_HORIZON "}},
		{name: "closed shard", pages: []any{page{numbers: []int{1}, behind: 9, last: true}},
			want: []string{"1"}, started: []string{"TRIM_HORIZON "}},
		{name: "goes on behind a number", after: "7", pages: []any{page{numbers: []int{8}}, page{}}, want: []string{"8"},
			started: []string{"AFTER_SEQUENCE_NUMBER 7"}},
		{name: "an expired iterator loses and repeats nothing",
			pages: []any{page{numbers: []int{1, 2}, behind: 3}, &types.ExpiredIteratorException{},
				page{numbers: []int{3}}, page{}},
			want: []string{"1", "2", "3"}, started: []string{"TRIM_HORIZON ", "AFTER_SEQUENCE_NUMBER 2"}},
		{name: "throttled",
			pages: []any{&types.ProvisionedThroughputExceededException{}, &types.LimitExceededException{},
				page{numbers: []int{1}}, page{}},
			want: []string{"1"}, started: []string{"TRIM_HORIZON "}},
		{name: "fault", pages: []any{page{numbers: []int{1}, behind: 3}, broken},
			want: []string{"1"}, started: []string{"TRIM_HORIZON "}, err: broken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := &script{pages: tc.pages}
			r := New(s, "stream")
			r.pause = func(context.Context, time.Duration) error { return nil }
			var got []string
			err := r.Read(t.Context(), "shard", tc.after, func(p activity.Position, _ []byte) error {
				got = append(got, p.SequenceNumber)
				return nil
			})
			if !errors.Is(err, tc.err) || !slices.Equal(got, tc.want) || !slices.Equal(s.started, tc.started) ||
				len(s.pages) > 0 {
				t.Errorf("read %v, %v; iterators %q; %d pages left", got, err, s.started, len(s.pages))
			}
		})
	}
}

// A page that is left out is a shard that nobody audits.
func TestShardsTakesEveryPage(t *testing.T) {
	t.Parallel()
	shards, err := New(&paged{}, "stream").Shards(t.Context())
	if err != nil || !slices.Equal(shards, []string{"shard-0", "shard-1", "shard-2"}) {
		t.Errorf("shards %q, %v", shards, err)
	}
}

// paged lists three shards, one a page. As Kinesis does, it takes either the stream's name or a token.
type paged struct{ client }

func (*paged) ListShards(_ context.Context, in *kinesis.ListShardsInput,
	_ ...option) (*kinesis.ListShardsOutput, error) {
	page := 0
	switch {
	case (in.StreamName == nil) == (in.NextToken == nil):
		return nil, &types.InvalidArgumentException{}
	case in.NextToken != nil:
		var err error
		if page, err = strconv.Atoi(*in.NextToken); err != nil {
			return nil, &types.ExpiredNextTokenException{}
		}
	}
	out := &kinesis.ListShardsOutput{Shards: []types.Shard{{ShardId: aws.String("shard-" + strconv.Itoa(page)),
		SequenceNumberRange: &types.SequenceNumberRange{}}}}
	if page == 0 { // closed by a split: its records stay
		out.Shards[0].SequenceNumberRange.EndingSequenceNumber = aws.String("9")
	}
	if page < 2 {
		out.NextToken = aws.String(strconv.Itoa(page + 1))
	}
	return out, nil
}

func TestReadEndsWhileRecordsKeepComing(t *testing.T) {
	t.Parallel()
	s := &endless{}
	if err := New(s, "stream").Read(t.Context(), "shard", "",
		func(activity.Position, []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// endless always has one more record, arrived just now.
type endless struct{ script }

func (*endless) GetRecords(context.Context, *kinesis.GetRecordsInput, ...option) (*kinesis.GetRecordsOutput, error) {
	return &kinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(0), NextShardIterator: aws.String("i"),
		Records: []types.Record{{
			SequenceNumber: aws.String("1"), ApproximateArrivalTimestamp: aws.Time(time.Now().Add(time.Millisecond))}}}, nil
}

func TestReadEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	s := &script{pages: []any{&types.ProvisionedThroughputExceededException{}}}
	if err := New(s, "stream").Read(ctx, "shard", "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}
