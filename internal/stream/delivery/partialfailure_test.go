package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fakeFirehose takes records unless refuse says no. It keeps the limits of the real one.
type fakeFirehose struct {
	refuse func(call int, record string) string // an error code, or ""
	err    func(call int) error
	short  bool // leave the entries of the answer out
	calls  int
	taken  []string
	sizes  []int
}

func (f *fakeFirehose) putRecordBatch(_ context.Context, records [][]byte) (*outcome, error) {
	call := f.calls
	f.calls++
	f.sizes = append(f.sizes, len(records))
	total := 0
	for _, r := range records {
		if total += len(r); len(r) > MaxRecordBytes {
			return nil, errors.New("record limit")
		}
	}
	if len(records) == 0 || len(records) > MaxBatchRecords || total > MaxBatchBytes {
		return nil, fmt.Errorf("batch limit: %d records, %d bytes", len(records), total)
	}
	if f.err != nil {
		if err := f.err(call); err != nil {
			return nil, err
		}
	}
	out := &outcome{}
	for _, r := range records {
		var entry struct{ ErrorCode, ErrorMessage string }
		if f.refuse != nil {
			entry.ErrorCode = f.refuse(call, string(r))
		}
		if entry.ErrorCode != "" {
			entry.ErrorMessage = "slow down"
			out.FailedPutCount++
		} else {
			f.taken = append(f.taken, string(r))
		}
		out.RequestResponses = append(out.RequestResponses, entry)
	}
	if f.short {
		out.RequestResponses = nil
	}
	return out, nil
}

func numbered(n int) [][]byte {
	records := make([][]byte, n)
	for i := range records {
		records[i] = fmt.Appendf(nil, "record %d\n", i)
	}
	return records
}

func TestPutKeepsTheBatchLimits(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("x"), MaxRecordBytes)
	for name, test := range map[string]struct {
		records [][]byte
		sizes   []int
	}{
		"none":             {nil, nil},
		"500":              {numbered(500), []int{500}},
		"1,201":            {numbered(1201), []int{500, 500, 201}},
		"4 MiB at a time":  {[][]byte{big, big, big, big, big, big}, []int{4, 2}},
		"big and small":    {append([][]byte{big, big, big, big}, numbered(3)...), []int{7}},
		"small before big": {append(numbered(2), big, big, big, big), []int{6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := &fakeFirehose{}
			if failed, err := newDelivery(fake, "s", Config{}).Put(t.Context(), test.records); err != nil || failed != nil {
				t.Fatalf("failed %v: %v", failed, err)
			}
			if !slices.Equal(fake.sizes, test.sizes) || len(fake.taken) != len(test.records) {
				t.Errorf("calls of %v records, want %v; %d taken", fake.sizes, test.sizes, len(fake.taken))
			}
		})
	}
}

func TestPutRetriesOnlyTheRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeFirehose{refuse: func(call int, record string) string {
			if call < 3 && (record == "record 1\n" || record == "record 3\n") {
				return "ServiceUnavailableException"
			}
			return ""
		}}
		if failed, err := newDelivery(fake, "s", Config{}).Put(t.Context(), numbered(5)); err != nil || failed != nil {
			t.Fatalf("failed %v: %v", failed, err)
		}
		if !slices.Equal(fake.sizes, []int{5, 2, 2, 2}) {
			t.Errorf("calls of %v records", fake.sizes)
		}
		if slices.Sort(fake.taken); len(slices.Compact(fake.taken)) != 5 {
			t.Errorf("taken %q", fake.taken)
		}
	})
}

func TestPutTellsWhichStayRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeFirehose{refuse: func(_ int, record string) string {
			if record == "record 1\n" || record == "record 3\n" {
				return "InternalFailure"
			}
			return ""
		}}
		failed, err := newDelivery(fake, "s", Config{Attempts: 4}).Put(t.Context(), numbered(502))
		if len(failed) != 4 || !slices.Equal(failed, []int{1, 3, 500, 501}) { // the second batch was not begun
			t.Errorf("failed %v", failed)
		}
		if err == nil || !strings.Contains(err.Error(), "InternalFailure") || fake.calls != 4 {
			t.Errorf("after %d calls: %v", fake.calls, err)
		}
	})
}

func TestPutSurvivesCallsThatFailWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		throttle := errors.New("ServiceUnavailableException: slow down")
		fake := &fakeFirehose{err: func(call int) error {
			if call < 2 {
				return throttle
			}
			return nil
		}}
		if failed, err := newDelivery(fake, "s", Config{}).Put(t.Context(), numbered(3)); err != nil || failed != nil ||
			len(fake.taken) != 3 {
			t.Fatalf("failed %v: %v", failed, err)
		}
		fake = &fakeFirehose{err: func(int) error { return throttle }}
		failed, err := newDelivery(fake, "s", Config{}).Put(t.Context(), numbered(3))
		if !errors.Is(err, throttle) || !slices.Equal(failed, []int{0, 1, 2}) || fake.calls != defaultAttempts {
			t.Errorf("failed %v after %d calls: %v", failed, fake.calls, err)
		}
	})
}

func TestPutDistrustsAnAnswerWithoutEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeFirehose{short: true, refuse: func(int, string) string { return "InternalFailure" }}
		if failed, err := newDelivery(fake, "s", Config{Attempts: 2}).Put(t.Context(), numbered(2)); err == nil ||
			len(failed) != 2 {
			t.Errorf("failed %v: %v", failed, err)
		}
	})
}

func TestPutNeverSendsARecordThatIsTooLarge(t *testing.T) {
	t.Parallel()
	records := append(numbered(2), make([]byte, MaxRecordBytes+1))
	records = append(records, numbered(1)...)
	fake := &fakeFirehose{}
	failed, err := newDelivery(fake, "s", Config{}).Put(t.Context(), records)
	if !errors.Is(err, ErrTooLarge) || !slices.Equal(failed, []int{2, 3}) || len(fake.taken) != 2 {
		t.Errorf("failed %v, taken %d: %v", failed, len(fake.taken), err)
	}
}

func TestPutEndsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeFirehose{refuse: func(int, string) string { return "InternalFailure" }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		failed, err := newDelivery(fake, "s", Config{Attempts: 1e6}).Put(ctx, numbered(1))
		if len(failed) != 1 || err == nil || ctx.Err() != nil || fake.calls < 3 {
			t.Errorf("failed %v after %d calls, context: %v, error: %v", failed, fake.calls, ctx.Err(), err)
		}
	})
}
