package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/platform/awsenv"
)

// double is a stream that answers a call as it is told, and keeps what it took.
type double struct {
	refuse func(call int, data string) bool
	status func(call int) int
	mu     sync.Mutex
	calls  int
	taken  map[string]int // by key and data
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		StreamName string
		Records    []struct {
			PartitionKey string
			Data         []byte
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.StreamName != "clicks.eu-1" ||
		r.Header.Get("X-Amz-Target") != "Kinesis_20131202.PutRecords" ||
		!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/kinesis/aws4_request") {
		http.Error(w, `{"__type":"SerializationException"}`, http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	call := d.calls
	d.calls++
	if status := d.status(call); status != http.StatusOK {
		http.Error(w, `{"__type":"SomeException","message":"of the stream"}`, status)
		return
	}
	type entry struct {
		SequenceNumber, ErrorCode string `json:",omitempty"`
	}
	var out struct{ Records []entry }
	for _, record := range in.Records {
		if d.refuse(call, string(record.Data)) {
			out.Records = append(out.Records, entry{ErrorCode: "ProvisionedThroughputExceededException"})
			continue
		}
		d.taken[record.PartitionKey+"/"+string(record.Data)]++
		out.Records = append(out.Records, entry{SequenceNumber: "1"})
	}
	_ = json.NewEncoder(w).Encode(out)
}

func mustStream(t *testing.T, d *double) *Stream {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	env, err := awsenv.Load(func(name string) string {
		return map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
			"AWS_ENDPOINT_URL": server.URL}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(env, "clicks.eu-1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPutSaysWhatWasNotTaken: whatever the stream refuses in each call, what failed is what it did not take, and
// everything else was taken once.
func TestPutSaysWhatWasNotTaken(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		refused := rapid.MapOfN(rapid.IntRange(0, 4), rapid.SliceOfN(rapid.IntRange(0, 6), 0, 4), 0, 2).Draw(rt, "refused")
		down := rapid.IntRange(0, 1).Draw(rt, "calls that fail at first")
		d := &double{taken: map[string]int{}, status: func(call int) int {
			if call < down {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}, refuse: func(call int, data string) bool {
			return slices.ContainsFunc(refused[call], func(i int) bool { return data == fmt.Sprintf("é %d", i) })
		}}
		n := rapid.IntRange(0, 6).Draw(rt, "records")
		records := make([]Record, n)
		for i := range records {
			records[i] = Record{Key: fmt.Sprintf(`"key" %d`, i%2), Data: fmt.Appendf(nil, "é %d", i)}
		}
		failed, err := mustStream(t, d).Put(t.Context(), records)
		if (err == nil) != (len(failed) == 0) || !slices.IsSorted(failed) {
			rt.Fatalf("failed %v: %v", failed, err)
		}
		for i, r := range records {
			want := 1
			if slices.Contains(failed, i) {
				want = 0
			}
			if got := d.taken[r.Key+"/"+string(r.Data)]; got != want {
				rt.Fatalf("record %d was taken %d times, want %d; failed %v", i, got, want, failed)
			}
		}
	})
}

func TestPutEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status, calls int
	}{"no such stream": {http.StatusBadRequest, 1}, "down": {http.StatusServiceUnavailable, 5}} {
		d := &double{status: func(int) int { return test.status }}
		failed, err := mustStream(t, d).Put(t.Context(), []Record{{"a", []byte("1")}, {"b", []byte("2")}})
		if len(failed) != 2 || err == nil || !strings.Contains(err.Error(), "SomeException") || d.calls != test.calls {
			t.Errorf("%s: failed %v after %d calls: %v", name, failed, d.calls, err)
		}
	}
	gone := &double{status: func(int) int { return http.StatusServiceUnavailable }}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if failed, err := mustStream(t, gone).Put(ctx, []Record{{"a", []byte("1")}}); err == nil || len(failed) != 1 {
		t.Errorf("failed %v: %v", failed, err)
	}
}
