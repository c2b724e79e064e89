package delivery

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/retry"
)

// firehose is PutRecordBatch and nothing else of the service: the batch is written once, straight
// as it is sent.
type firehose struct {
	client *awsenv.Client
	target *url.URL
	stream string
}

func newFirehose(e awsenv.Environment, stream string) (*firehose, error) {
	client, err := awsenv.NewClient(e, "firehose")
	if err != nil {
		return nil, err
	}
	f := &firehose{client, client.Local, stream}
	if f.target == nil {
		f.target = &url.URL{Scheme: "https", Host: client.Host(), Path: "/"}
	}
	return f, nil
}

// putRecordBatch makes one call. An answer that is no success is a *retry.StatusError.
func (f *firehose) putRecordBatch(ctx context.Context, records [][]byte) (*outcome, error) {
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"Firehose_20150804.PutRecordBatch"}}
	answer, err := f.client.Send(ctx, http.MethodPost, f.target, header, f.body(records))
	if err != nil {
		return nil, err
	}
	if answer.Code != http.StatusOK {
		var fault struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		_ = json.Unmarshal(answer.Body, &fault) // without such a body, the error names the status
		return nil, &retry.StatusError{Code: answer.Code, Status: answer.Status, Message: fault.Message,
			Service: cmp.Or(fault.Type, answer.Header.Get("X-Amzn-Errortype"))}
	}
	out := &outcome{FailedPutCount: -1}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if out.FailedPutCount < 0 {
		return nil, fmt.Errorf("the answer of %d bytes is not PutRecordBatch's", len(answer.Body))
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
