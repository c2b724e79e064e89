// Package retry repeats calls to services: how often, with which pauses, and after which errors. It
// owns the loop, the pauses (exponential with jitter, by cenkalti/backoff) and the one function that
// says what is retryable. What a call means, and whether it may be made twice, is the caller's
// business. Retries that a client library makes by itself come before these.
package retry

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Policy says how hard to try. FirstPause and LongestPause must be above 0.
type Policy struct {
	Tries        int           // calls, the first one included; 0: as many as the context allows
	FirstPause   time.Duration // about the pause before the second call; it doubles each time
	LongestPause time.Duration // about the longest pause
	// Jitter spreads a pause evenly from (1-Jitter) to (1+Jitter) times its length, so that several
	// clients that were refused together do not come back together. 0 to 1.
	Jitter float64
	// Again says which errors are worth another call. Default: Retryable.
	Again func(error) bool
}

// Do calls try until it succeeds, fails with an error that no other call may mend, or has been
// called Tries times. It starts no pause that the context's deadline would cut off. The error is the
// last one of try, joined with the context's error if that ended the wait.
func (p Policy) Do(ctx context.Context, try func(context.Context) error) error {
	again := p.Again
	if again == nil {
		again = Retryable
	}
	var last error
	options := []backoff.RetryOption{backoff.WithBackOff(p.backOff()), backoff.WithMaxTries(uint(max(p.Tries, 0)))}
	left := time.Duration(0) // no limit
	if deadline, ok := ctx.Deadline(); ok {
		left = max(time.Until(deadline), 1)
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if last = try(ctx); last != nil && !again(last) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, append(options, backoff.WithMaxElapsedTime(left))...)
	if err != nil && last != nil && !errors.Is(last, err) { // the context ended
		return errors.Join(last, err)
	}
	return err
}

func (p Policy) backOff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: p.FirstPause, MaxInterval: p.LongestPause, Multiplier: 2,
		RandomizationFactor: p.Jitter}
}

// Pauses gives the pauses of a loop that a caller must run itself, because something between two
// calls may reset them. It is not safe for concurrent use.
type Pauses struct{ backOff *backoff.ExponentialBackOff }

// Pauses begins with the first pause.
func (p Policy) Pauses() Pauses {
	b := p.backOff()
	b.Reset()
	return Pauses{b}
}

// Next is the next pause, about twice the one before.
func (p Pauses) Next() time.Duration { return p.backOff.NextBackOff() }

// Reset begins again with the first pause.
func (p Pauses) Reset() { p.backOff.Reset() }

// Sleep waits for d. It returns the context's error if that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// StatusError is an answer over HTTP that reports a failure, for clients without the AWS SDK.
type StatusError struct {
	Code    int    // such as 503
	Status  string // such as "503 Service Unavailable"
	Service string // the service's own code, such as SlowDown; may be empty
	Message string // the service's sentence; may be empty
}

// Error is the status with what the service said.
func (e *StatusError) Error() string {
	if said := strings.TrimSpace(e.Service + " " + e.Message); said != "" {
		return e.Status + ": " + said
	}
	return e.Status
}

// HTTPStatusCode is the status, under the name that the AWS SDK uses.
func (e *StatusError) HTTPStatusCode() int { return e.Code }

// ErrorCode is the service's own code, under the name that the AWS SDK uses.
func (e *StatusError) ErrorCode() string { return e.Service }

// Retryable is the one place that says whether the same call may succeed later. It may not after the
// caller has given up, nor when the service has answered that the request is wrong. It may when the
// service asks for it (throttling, a conflict, a failure inside the service), and when no answer came.
func Retryable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if Throttled(err) {
		return true
	}
	switch status := Status(err); status {
	case 0: // no answer: the network, or a time limit
		return true
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	default:
		return status >= http.StatusInternalServerError
	}
}

// Status is the HTTP status of the answer that err reports; 0 when it reports none.
func Status(err error) int {
	var answer interface {
		error
		HTTPStatusCode() int
	}
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// Throttled says whether a service refused a call because there were too many.
func Throttled(err error) bool {
	var answer interface {
		error
		ErrorCode() string
	}
	if !errors.As(err, &answer) {
		return false
	}
	switch code := answer.ErrorCode(); code {
	case "SlowDown", "LimitExceededException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
		"TooManyRequestsException":
		return true
	default:
		return strings.Contains(code, "Throttl") // Throttling, ThrottlingException, KMSThrottlingException
	}
}
