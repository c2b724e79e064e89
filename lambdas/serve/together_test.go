package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// echo answers each event with its session's id, and refuses some, once it may.
type echo struct {
	recommender
	may     chan struct{}
	refuses map[string]error
	fault   error

	now, most, largest atomic.Int64 // calls at the same time, and events of a call
}

func (e *echo) Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error) {
	e.most.Store(max(e.most.Load(), e.now.Add(1)))
	defer e.now.Add(-1)
	e.largest.Store(max(e.largest.Load(), int64(len(events))))
	<-e.may
	if e.fault != nil || ctx.Err() != nil {
		return nil, errors.Join(e.fault, ctx.Err())
	}
	answers := make([]recommend.Answer, len(events))
	for i, event := range events {
		if err := e.refuses[event.SessionID]; err != nil {
			return nil, err
		}
		answers[i].ModelVersion = event.SessionID
	}
	return answers, nil
}

// Requests that wait are answered together: each gets its own answer, one that is refused and a caller who
// goes away harm no other, and the database's fault is told to all.
func TestThoseWhoWaitAreAnsweredTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, slots := rapid.IntRange(1, 60).Draw(t, "requests"), rapid.IntRange(1, 3).Draw(t, "slots")
		refused := rapid.SliceOfN(rapid.IntRange(0, 9), n, n).Draw(t, "refused")
		gone := rapid.SliceOfN(rapid.IntRange(0, 9), n, n).Draw(t, "gone")
		e := &echo{may: make(chan struct{}), refuses: map[string]error{}}
		if rapid.IntRange(0, 4).Draw(t, "down") == 0 {
			e.fault = errors.New("down")
		}
		a := admitted{e, newQueue(slots, time.Hour, time.Now)}
		a.queue.together = rapid.IntRange(1, mostTogether).Draw(t, "together")
		var all sync.WaitGroup
		faults, cancels := make([]error, n), []func(){}
		for i := range n {
			session := fmt.Sprint(i)
			switch refused[i] {
			case 0:
				e.refuses[session] = &recommend.RefusedError{Reason: session}
			case 1:
				e.refuses[session] = fmt.Errorf("retrieve products: %w", recommend.ErrNoFacts)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			cancels = append(cancels, cancel)
			all.Go(func() {
				answers, err := a.Batch(ctx, []*activity.Event{{SessionID: session}})
				if err == nil && (len(answers) != 1 || answers[0].ModelVersion != session) {
					err = fmt.Errorf("answered with %v", answers)
				}
				faults[i] = err
			})
			if i >= slots {
				until(a.queue, func() bool { return len(a.queue.waiting) == i+1-slots })
			} else {
				until(a.queue, func() bool { return a.queue.taken == i+1 })
			}
		}
		close(e.may)
		for i, cancel := range cancels {
			if gone[i] == 0 {
				cancel()
			}
		}
		all.Wait()
		for i, err := range faults {
			var no *recommend.RefusedError
			switch {
			case gone[i] == 0: // it may be answered first
			case e.fault != nil:
				if !errors.Is(err, e.fault) {
					t.Fatalf("request %d: %v", i, err)
				}
			case refused[i] == 0:
				if !errors.As(err, &no) || no.Reason != fmt.Sprint(i) {
					t.Fatalf("request %d is not refused: %v", i, err)
				}
			case refused[i] == 1:
				if !errors.Is(err, recommend.ErrNoFacts) {
					t.Fatalf("request %d, with rules that cannot be kept: %v", i, err)
				}
			case err != nil:
				t.Fatalf("request %d: %v", i, err)
			}
		}
		if e.most.Load() > int64(slots) || e.largest.Load() > mostTogether || a.queue.taken != 0 {
			t.Fatalf("%d calls at the same time with %d slots, of up to %d events; %d slots are lost", e.most.Load(), slots,
				e.largest.Load(), a.queue.taken)
		}
	})
}

// Requests that come one by one are soon answered many at a time, and one by one again when that is slow.
func TestHowManyAreAnsweredTogether(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	q := newQueue(1, 5*time.Second, func() time.Time { return now })
	batch := func(requests int, took time.Duration) int {
		leave, err := q.enter(t.Context(), newPlace(nil))
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(took)
		leave(requests)
		return q.together
	}
	for range 10 {
		batch(q.together, time.Millisecond)
	}
	if q.together != mostTogether {
		t.Errorf("%d together, want %d", q.together, mostTogether)
	}
	if got := batch(8, 2*togetherTime); got != 4 {
		t.Errorf("%d together after 8 took too long, want 4", got)
	}
	if got := batch(1, time.Second); got != 1 {
		t.Errorf("%d together although one takes too long", got)
	}
}
