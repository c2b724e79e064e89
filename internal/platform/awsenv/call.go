package awsenv

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"kindred/internal/platform/retry"
)

// Call makes one call of a service that speaks JSON in version 1.1, such as Kinesis_20131202.PutRecords, and returns
// the body of its answer. An answer that is no success is a *retry.StatusError.
func (c *Client) Call(ctx context.Context, action string, body []byte) ([]byte, error) {
	target := c.Local
	if target == nil {
		target = &url.URL{Scheme: "https", Host: c.Host(), Path: "/"}
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {action}}
	answer, err := c.Send(ctx, http.MethodPost, target, header, body)
	if err != nil {
		return nil, err
	}
	if answer.Code == http.StatusOK {
		return answer.Body, nil
	}
	var fault struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answer.Body, &fault) // without such a body, the error names the status
	return nil, &retry.StatusError{Code: answer.Code, Status: answer.Status, Message: fault.Message,
		Service: cmp.Or(fault.Type, answer.Header.Get("X-Amzn-Errortype"))}
}
