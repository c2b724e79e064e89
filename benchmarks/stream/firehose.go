package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// firehose takes everything and counts the records.
type firehose struct {
	*httptest.Server
	taken atomic.Int64
}

func newFirehose() *firehose {
	f := &firehose{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the function has ended
		}
		n := bytes.Count(body, []byte(`{"Data":`))
		f.taken.Add(int64(n))
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		answers := bytes.Repeat([]byte(`{"RecordId":"1"},`), n)
		_, _ = fmt.Fprintf(w, `{"FailedPutCount":0,"RequestResponses":[%s]}`, bytes.TrimSuffix(answers, []byte(",")))
	}))
	return f
}
