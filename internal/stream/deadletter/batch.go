package deadletter

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"kindred/internal/stream/activity"
)

// Batch is what Lambda writes to the OnFailure bucket of a Kinesis mapping when it has given a batch
// up: where the batch lay on the stream, and its records. See
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html.
type Batch struct {
	Stream, Shard string
	First, Final  string    // sequence numbers
	Earliest      time.Time // when the first record arrived; zero: it does not say
	Last          time.Time // when the final record arrived
	Records       []Record  // in their order; empty when the object holds no payload, as for other destinations than S3
}

// object is the JSON. AWS writes the payload as a string that holds JSON, LocalStack as JSON.
type object struct {
	Info struct {
		StreamARN string    `json:"streamArn"`
		Shard     string    `json:"shardId"`
		First     string    `json:"startSequenceNumber"`
		Final     string    `json:"endSequenceNumber"`
		Earliest  time.Time `json:"approximateArrivalOfFirstRecord"`
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

// parseBatch reads one object. Its error is ErrStrange.
func parseBatch(data []byte) (Batch, error) {
	var o object
	if json.Unmarshal(data, &o) != nil || o.Info.Shard == "" || o.Info.First == "" || o.Info.Final == "" {
		return Batch{}, fmt.Errorf("%w: it is not the JSON of a failed batch", ErrStrange)
	}
	b := Batch{Stream: StreamOf(o.Info.StreamARN), Shard: o.Info.Shard, First: o.Info.First, Final: o.Info.Final,
		Earliest: o.Info.Earliest, Last: o.Info.Last}
	var text string
	if json.Unmarshal(o.Payload, &text) == nil {
		o.Payload = []byte(text)
	}
	var p payload
	if len(o.Payload) > 0 && json.Unmarshal(o.Payload, &p) != nil {
		return Batch{}, fmt.Errorf("%w: its payload is cut off or not JSON", ErrStrange)
	}
	for _, r := range p.Records {
		p := activity.Position{
			Stream: b.Stream, Shard: b.Shard, SequenceNumber: r.Kinesis.SequenceNumber, PartitionKey: r.Kinesis.PartitionKey,
			ArrivedAt: time.UnixMilli(int64(math.Round(r.Kinesis.ArrivedAt * 1000))).UTC(),
		}
		if CheckPosition(p) != nil {
			return Batch{}, fmt.Errorf("%w: a record of it names no place on a stream", ErrStrange)
		}
		b.Records = append(b.Records, Record{Position: p, Data: r.Kinesis.Data})
	}
	return b, nil
}
