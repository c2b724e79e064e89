package shardwriter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// stream is a Kinesis in memory that refuses what refuse says.
type stream struct {
	refuse func(call, entry int) bool
	calls  int
	taken  []string
}

func (s *stream) PutRecords(_ context.Context, in *kinesis.PutRecordsInput,
	_ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	s.calls++
	out := &kinesis.PutRecordsOutput{}
	for i, r := range in.Records {
		if s.refuse(s.calls, i) {
			out.Records = append(out.Records,
				types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException")})
			continue
		}
		s.taken = append(s.taken, string(r.Data))
		out.Records = append(out.Records, types.PutRecordsResultEntry{SequenceNumber: aws.String(fmt.Sprint(len(s.taken)))})
	}
	return out, nil
}

// pauses counts pauses instead of waiting.
type pauses []time.Duration

func (p *pauses) pause(ctx context.Context, d time.Duration) error {
	*p = append(*p, d)
	return ctx.Err()
}

func TestRefusedKeyIsNotOvertaken(t *testing.T) {
	t.Parallel()
	s := &stream{refuse: func(call, entry int) bool { return call == 1 && entry == 0 }}
	w := New(s, "clicks", new(pauses).pause)
	for _, r := range []Record{{"a", []byte("a1")}, {"a", []byte("a2")}, {"b", []byte("b1")}, {"a", []byte("a3")}} {
		w.Add(r)
	}
	for w.Pending() > 0 {
		if _, err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(s.taken, " ") != "b1 a1 a2 a3" || w.Retries() != 1 {
		t.Errorf("stream got %v with %d retries", s.taken, w.Retries())
	}
}

func TestBatchesStayWithinTheLimits(t *testing.T) {
	t.Parallel()
	w := New(nil, "clicks", nil)
	for i := range 1200 {
		w.Add(Record{fmt.Sprint(i), []byte("x")})
	}
	if n := len(w.batch()); n != MaxRecords {
		t.Errorf("batch of %d small records", n)
	}
	w = New(nil, "clicks", nil)
	for i := range 12 {
		w.Add(Record{fmt.Sprint(i), make([]byte, 1<<20-100)})
	}
	if n := len(w.batch()); n != 5 {
		t.Errorf("batch of %d records of 1 MiB", n)
	}
}

func TestStreamThatTakesNothingEndsInAnError(t *testing.T) {
	t.Parallel()
	var waited pauses
	w := New(&stream{refuse: func(int, int) bool { return true }}, "clicks", waited.pause)
	w.Add(Record{"a", []byte("a1")})
	var err error
	for err == nil {
		_, err = w.Flush(t.Context())
	}
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "ProvisionedThroughput") {
		t.Errorf("error %v", err)
	}
	for i, d := range waited {
		if d > patience.LongestPause*3/2 || (i == 0 && d > patience.FirstPause*3/2) {
			t.Errorf("pause %d lasts %v", i, d)
		}
	}
	if len(waited) != patience.Tries {
		t.Errorf("%d pauses", len(waited))
	}
}
