package delivery

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"kindred/internal/platform/awsenv"
)

// firehose is PutRecordBatch and nothing else of the service: the batch is written once, straight
// as it is sent.
type firehose struct {
	client *awsenv.Client
	stream string
}

func newFirehose(e awsenv.Environment, stream string) (*firehose, error) {
	client, err := awsenv.NewClient(e, "firehose")
	if err != nil {
		return nil, err
	}
	return &firehose{client, stream}, nil
}

// putRecordBatch makes one call. An answer that is no success is a *retry.StatusError.
func (f *firehose) putRecordBatch(ctx context.Context, records [][]byte) (*outcome, error) {
	answer, err := f.client.Call(ctx, "Firehose_20150804.PutRecordBatch", f.body(records))
	if err != nil {
		return nil, err
	}
	out := &outcome{FailedPutCount: -1}
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if out.FailedPutCount < 0 {
		return nil, fmt.Errorf("the answer of %d bytes is not PutRecordBatch's", len(answer))
	}
	return out, nil
}

func (f *firehose) body(records [][]byte) []byte {
	const open, end = `{"Data":"`, `"}`
	size := len(f.stream) + 100
	for _, r := range records {
		size += base64.StdEncoding.EncodedLen(len(r)) + len(open) + len(end) + len(",")
	}
	body := make([]byte, 0, size)
	body = append(body, `{"DeliveryStreamName":`...)
	body = strconv.AppendQuote(body, f.stream) // a stream's name has letters, digits and _.- only
	body = append(body, `,"Records":[`...)
	for i, r := range records {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(base64.StdEncoding.AppendEncode(append(body, open...), r), end...)
	}
	return append(body, `]}`...)
}
