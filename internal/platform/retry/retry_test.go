package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"kindred/internal/platform/retry"
)

// quick has pauses that no test feels.
var quick = retry.Policy{Tries: 4, FirstPause: time.Microsecond, LongestPause: 4 * time.Microsecond, Jitter: 0.5}

func TestDoRepeatsWhatMayHelp(t *testing.T) {
	t.Parallel()
	throttled := &retry.StatusError{Code: 400, Status: "400 Bad Request", Service: "ThrottlingException"}
	denied := &retry.StatusError{Code: 403, Status: "403 Forbidden", Service: "AccessDenied"}
	for name, test := range map[string]struct {
		errs  []error // of the calls, the last one for ever
		calls int
		want  error
	}{
		"succeeds":                 {[]error{nil}, 1, nil},
		"succeeds at the third":    {[]error{throttled, io.ErrUnexpectedEOF, nil}, 3, nil},
		"never succeeds":           {[]error{throttled}, 4, throttled},
		"wrong request":            {[]error{denied, nil}, 1, denied},
		"wrong at the second call": {[]error{throttled, denied, nil}, 2, denied},
		"given up by the caller":   {[]error{context.Canceled, nil}, 1, context.Canceled},
	} {
		calls := 0
		err := quick.Do(t.Context(), func(context.Context) error {
			calls++
			return test.errs[min(calls, len(test.errs))-1]
		})
		if !errors.Is(err, test.want) || calls != test.calls {
			t.Errorf("%s: %v after %d calls, want %v after %d", name, err, calls, test.want, test.calls)
		}
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	forever := retry.Policy{FirstPause: time.Hour, LongestPause: time.Hour}
	err := forever.Do(ctx, func(context.Context) error {
		calls++
		time.AfterFunc(time.Millisecond, cancel)
		return down
	})
	if !errors.Is(err, down) || !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	// The pause of an hour would be cut off: it does not begin.
	if err := forever.Do(ctx, func(context.Context) error { return down }); !errors.Is(err, down) ||
		time.Since(began) > 50*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestPausesDoubleWithinTheirBounds(t *testing.T) {
	t.Parallel()
	pauses := retry.Policy{FirstPause: time.Second, LongestPause: 8 * time.Second, Jitter: 0.25}.Pauses()
	for _, want := range []time.Duration{1, 2, 4, 8, 8, 8} {
		want *= time.Second
		if got := pauses.Next(); got < want*3/4 || got > want*5/4+1 {
			t.Errorf("pause of %v, want about %v", got, want)
		}
	}
	pauses.Reset()
	if got := pauses.Next(); got > 2*time.Second {
		t.Errorf("pause of %v after Reset", got)
	}
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	status := func(code int, service string) error {
		return fmt.Errorf("call: %w", &retry.StatusError{Code: code, Status: fmt.Sprint(code), Service: service})
	}
	for _, err := range []error{io.EOF, context.DeadlineExceeded, status(408, ""), status(409, ""), status(429, ""),
		status(500, ""), status(503, "SlowDown"), status(400, "ProvisionedThroughputExceededException"),
		status(400, "KMSThrottlingException")} {
		if !retry.Retryable(err) {
			t.Errorf("%v is not retried", err)
		}
	}
	for _, err := range []error{nil, context.Canceled, status(400, "ValidationException"), status(403, ""),
		status(404, "NoSuchBucket"), status(412, "")} {
		if retry.Retryable(err) {
			t.Errorf("%v is retried", err)
		}
	}
}
