package deadletter

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/stream/activity"
)

const (
	info    = `{"KinesisBatchInfo":{"shardId":"shard-0","startSequenceNumber":"1","endSequenceNumber":"2","approximateArrivalOfLastRecord":"2026-03-01T12:00:00.5Z","streamArn":"arn:aws:kinesis:eu-west-1:000000000000:stream/clicks"}%s}`
	records = `{"Records":[{"kinesis":{"sequenceNumber":"1","partitionKey":"s","data":"eA==","approximateArrivalTimestamp":1772366400.123}}]}`
)

// AWS writes the payload as text that holds JSON, LocalStack as JSON, other destinations than S3 get none.
func TestParseReadsEveryForm(t *testing.T) {
	t.Parallel()
	want := Batch{Stream: "clicks", Shard: "shard-0", First: "1", Final: "2",
		Last: time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC)}
	for payload, list := range map[string][]Record{
		"": nil, `,"payload":` + records: {record()}, fmt.Sprintf(`,"payload":%q`, records): {record()},
	} {
		want.Records = list
		got, err := parseBatch(fmt.Appendf(nil, info, payload))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", payload, err, diff)
		}
	}
}

func record() Record {
	return Record{Data: []byte("x"), Position: activity.Position{Stream: "clicks", Shard: "shard-0", SequenceNumber: "1",
		PartitionKey: "s",
		ArrivedAt:    time.UnixMilli(1772366400123).UTC()}}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "{}", `{"KinesisBatchInfo":{"shardId":"shard-0"}}`,
		fmt.Sprintf(info, `,"payload":"cut off {"`),
		fmt.Sprintf(info, `,"payload":{"Records":[{"kinesis":{}}]}`)} {
		if b, err := parseBatch([]byte(data)); !errors.Is(err, ErrStrange) {
			t.Errorf("%s: %+v, %v", data, b, err)
		}
	}
}
