package delivery

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/platform/retry"
)

// strict is a Firehose that counts the 4 MiB of a call as it is sent, in base64, and refuses a larger one
// with InvalidArgument. Besides, by faults, a call is throttled, loses its answer after a long silence, or
// is refused in part.
type strict struct {
	faults []string // of the first calls
	taken  map[string]bool
}

func (s *strict) putRecordBatch(ctx context.Context, records [][]byte) (*outcome, error) {
	fault := ""
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	size := 0
	for _, r := range records {
		size += base64.StdEncoding.EncodedLen(len(r))
	}
	switch {
	case size > MaxBatchBytes:
		return nil, &retry.StatusError{Code: http.StatusBadRequest, Status: "400 Bad Request",
			Service: "InvalidArgumentException", Message: "Records size exceeds 4 MB limit"}
	case fault == "throttle":
		return nil, &retry.StatusError{Code: http.StatusBadRequest, Status: "400 Bad Request",
			Service: "ThrottlingException"}
	case fault == "hang": // as long as package patience waits
		return nil, errors.Join(retry.Sleep(ctx, 20*time.Second), errors.New("no answer"))
	}
	out := &outcome{}
	for i, r := range records {
		var entry struct{ ErrorCode, ErrorMessage string }
		if fault == "part" && i%2 == 0 {
			entry.ErrorCode = "ServiceUnavailableException"
			out.FailedPutCount++
		} else {
			s.taken[string(r[:8])] = true
		}
		out.RequestResponses = append(out.RequestResponses, entry)
	}
	return out, nil
}

// TestStrictFirehoseHoldsNoBatch puts batches as the function recommend does: what is not taken comes back
// with the next call of Lambda. Whatever Firehose does, each record is taken, no call of Lambda takes
// longer than its time limit, and after the last fault one more call is enough.
func TestStrictFirehoseHoldsNoBatch(t *testing.T) {
	t.Parallel()
	const limit = 55 * time.Second
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom([]int{8, 100, 1000, 4000, 100_000, MaxRecordBytes})
		sizes := rapid.SliceOfN(size, 1, 700).Draw(rt, "sizes")
		faults := rapid.SliceOfN(rapid.SampledFrom([]string{"", "throttle", "hang", "part"}), 0, 20).Draw(rt, "faults")
		synctest.Test(t, func(t *testing.T) {
			buffer := make([]byte, MaxRecordBytes)
			records := make([][]byte, len(sizes))
			for i, size := range sizes {
				records[i] = append(fmt.Appendf(nil, "%08d", i), buffer[:size-8]...)
			}
			fake := &strict{faults: slices.Clone(faults), taken: map[string]bool{}}
			d := newDelivery(fake, "s", Config{})
			for calls, left := 0, records; len(left) > 0; calls++ {
				healthy, start := len(fake.faults) == 0, time.Now()
				ctx, stop := context.WithTimeout(t.Context(), limit)
				failed, err := d.Put(ctx, left)
				stop()
				if held := time.Since(start); held > limit+time.Second {
					rt.Fatalf("a call took %v", held)
				}
				if err == nil {
					break
				}
				if healthy || calls > len(faults) {
					rt.Fatalf("after %d calls, healthy %t: %v", calls, healthy, err)
				}
				left = left[failed[0]:]
			}
			if len(fake.taken) != len(records) {
				rt.Fatalf("%d of %d records were taken", len(fake.taken), len(records))
			}
		})
	})
}

// TestInvalidStreamEndsSoon is refused whatever is sent: the calls stay few.
func TestInvalidStreamEndsSoon(t *testing.T) {
	t.Parallel()
	fake := &fakeFirehose{err: func(int) error {
		return &retry.StatusError{Code: http.StatusBadRequest, Service: "InvalidArgumentException"}
	}}
	failed, err := newDelivery(fake, "s", Config{}).Put(t.Context(), numbered(500))
	if err == nil || len(failed) != 500 || fake.calls > 10 {
		t.Errorf("%d of 500 records failed after %d calls: %v", len(failed), fake.calls, err)
	}
}
