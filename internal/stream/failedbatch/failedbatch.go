// Package failedbatch reads what Lambda writes to the OnFailure bucket of a Kinesis mapping when it
// has given a batch up: where the batch lay on the stream, and its records. See
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html.
package failedbatch

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"kindred/internal/stream/activity"
)

// ErrMalformed says that an object is no failed batch.
var ErrMalformed = errors.New("no failed batch")

// Batch is one failed batch.
type Batch struct {
	Stream, Shard string
	First, Final  string    // sequence numbers
	Last          time.Time // when the final record arrived
	Records       []Record  // in their order; empty when the object holds no payload, as for other destinations than S3
}

// Record is one record of a failed batch.
type Record struct {
	Position activity.Position
	Data     []byte
}

// object is the JSON. AWS writes the payload as a string that holds JSON, LocalStack as JSON.
type object struct {
	Info struct {
		StreamARN string    `json:"streamArn"`
		Shard     string    `json:"shardId"`
		First     string    `json:"startSequenceNumber"`
		Final     string    `json:"endSequenceNumber"`
		Last      time.Time `json:"approximateArrivalOfLastRecord"`
	} `json:"KinesisBatchInfo"`
	Payload json.RawMessage `json:"payload"`
}

type payload struct {
	Records []struct {
		Kinesis struct {
			SequenceNumber string  `json:"sequenceNumber"`
			PartitionKey   string  `json:"partitionKey"`
			ArrivedAt      float64 `json:"approximateArrivalTimestamp"` // Unix seconds
			Data           []byte  `json:"data"`
		} `json:"kinesis"`
	}
}

// Parse reads one object. Its error is ErrMalformed.
func Parse(data []byte) (Batch, error) {
	var o object
	if json.Unmarshal(data, &o) != nil || o.Info.Shard == "" || o.Info.First == "" || o.Info.Final == "" {
		return Batch{}, ErrMalformed
	}
	_, stream, _ := strings.Cut(o.Info.StreamARN, ":stream/")
	b := Batch{Stream: stream, Shard: o.Info.Shard, First: o.Info.First, Final: o.Info.Final, Last: o.Info.Last}
	var text string
	if json.Unmarshal(o.Payload, &text) == nil {
		o.Payload = []byte(text)
	}
	var p payload
	if len(o.Payload) > 0 && json.Unmarshal(o.Payload, &p) != nil {
		return Batch{}, ErrMalformed
	}
	for _, r := range p.Records {
		if r.Kinesis.SequenceNumber == "" {
			return Batch{}, ErrMalformed
		}
		b.Records = append(b.Records, Record{Data: r.Kinesis.Data, Position: activity.Position{
			Stream: b.Stream, Shard: b.Shard, SequenceNumber: r.Kinesis.SequenceNumber, PartitionKey: r.Kinesis.PartitionKey,
			ArrivedAt: time.UnixMilli(int64(math.Round(r.Kinesis.ArrivedAt * 1000))).UTC(),
		}})
	}
	return b, nil
}
