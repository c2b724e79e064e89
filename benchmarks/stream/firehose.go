package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"
)

// firehose takes everything and counts the records.
type firehose struct {
	*httptest.Server
	taken   atomic.Int64
	arrived chan time.Time // when records came, if nobody took an earlier time
}

func newFirehose() *firehose {
	f := &firehose{arrived: make(chan time.Time, 1)}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the function has ended
		}
		n := bytes.Count(body, []byte(`{"Data":`))
		f.taken.Add(int64(n))
		select {
		case f.arrived <- time.Now():
		default:
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		answers := bytes.Repeat([]byte(`{"RecordId":"1"},`), n)
		_, _ = fmt.Fprintf(w, `{"FailedPutCount":0,"RequestResponses":[%s]}`, bytes.TrimSuffix(answers, []byte(",")))
	}))
	return f
}
