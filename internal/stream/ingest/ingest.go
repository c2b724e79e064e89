// Package ingest puts a few events on a Kinesis data stream while a caller waits: by signed requests without the
// SDK, whose client a function would take longer to start with. It owns PutRecords, and what the stream refuses
// of a call. Package shardwriter is for many records, in programs.
package ingest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/retry"
)

// Limits of a call, see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html.
const (
	MaxRecords     = 500
	MaxRecordBytes = 1 << 20 // data and partition key
	MaxBatchBytes  = 5 << 20
)

// patience with a stream that refuses records: five calls in about a second. A caller waits.
var patience = retry.Policy{Tries: 5, FirstPause: 60 * time.Millisecond, LongestPause: 500 * time.Millisecond,
	Jitter: 0.5}

// Record is one record for the stream.
type Record struct {
	Key  string // 1 to 256 characters
	Data []byte
}

// Stream takes records. It is safe for concurrent use.
type Stream struct {
	client *awsenv.Client
	name   string
}

// New makes a Stream to the named stream. It makes no request.
func New(e awsenv.Environment, name string) (*Stream, error) {
	client, err := awsenv.NewClient(e, "kinesis")
	if err != nil {
		return nil, fmt.Errorf("put events to %s: %w", name, err)
	}
	return &Stream{client, name}, nil
}

// Put sends records that keep the limits of one call, and those that the stream refused again. failed are the
// indexes of those that it did not take, ascending, and err is the reason of the last refusal; both are nil when
// all were taken. A record that failed without an answer may be on the stream all the same.
func (s *Stream) Put(ctx context.Context, records []Record) (failed []int, err error) {
	for i := range records {
		failed = append(failed, i)
	}
	if len(records) == 0 {
		return nil, nil
	}
	err = patience.Do(ctx, func(ctx context.Context) (err error) {
		failed, err = s.putOnce(ctx, records, failed)
		return err
	})
	if err != nil {
		return failed, fmt.Errorf("put %d of %d records to stream %s: %w", len(failed), len(records), s.name, err)
	}
	return nil, nil
}

// putOnce makes one call for the records at the indexes, and returns those that were refused, with a reason.
func (s *Stream) putOnce(ctx context.Context, records []Record, indexes []int) ([]int, error) {
	answer, err := s.client.Call(ctx, "Kinesis_20131202.PutRecords", s.body(records, indexes))
	if err != nil {
		return indexes, err
	}
	var out struct {
		Records []struct{ ErrorCode, ErrorMessage string }
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return indexes, fmt.Errorf("read answer: %w", err)
	}
	if len(out.Records) != len(indexes) {
		return indexes, fmt.Errorf("%d answers for %d records", len(out.Records), len(indexes))
	}
	var failed []int
	for i, r := range out.Records {
		if r.ErrorCode != "" {
			failed = append(failed, indexes[i])
			err = fmt.Errorf("refused with %s", r.ErrorCode) // its message names the account
		}
	}
	return failed, err
}

func (s *Stream) body(records []Record, indexes []int) []byte {
	size := 0
	for _, i := range indexes {
		size += base64.StdEncoding.EncodedLen(len(records[i].Data)) + len(records[i].Key) + 100
	}
	var body strings.Builder
	body.Grow(size)
	body.WriteString(`{"StreamName":` + strconv.Quote(s.name)) // a stream's name has letters, digits and _.- only
	body.WriteString(`,"Records":[`)
	for n, i := range indexes {
		if n > 0 {
			body.WriteByte(',')
		}
		key, err := json.Marshal(records[i].Key)
		if err != nil {
			panic(err) // a text can always be encoded
		}
		body.WriteString(`{"PartitionKey":`)
		body.Write(key)
		body.WriteString(`,"Data":"` + base64.StdEncoding.EncodeToString(records[i].Data) + `"}`)
	}
	body.WriteString(`]}`)
	return []byte(body.String())
}
