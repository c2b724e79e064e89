package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// admitted is a recommender that works on as many requests at the same time as its store has
// connections: a request then never waits for one in the middle of its work. Other requests queue,
// and are turned away at once when they could not be answered in time.
type admitted struct {
	recommender
	queue *queue
}

// Batch is the recommender's. Errors: *busyError.
func (a admitted) Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error) {
	leave, err := a.queue.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return a.recommender.Batch(ctx, events)
}

// Similar is the recommender's. Errors: *busyError.
func (a admitted) Similar(ctx context.Context, code string, limit int) (*activity.SimilarItems, string, error) {
	leave, err := a.queue.enter(ctx)
	if err != nil {
		return nil, "", err
	}
	defer leave()
	return a.recommender.Similar(ctx, code, limit)
}

// busyError says that a request would wait too long.
type busyError struct {
	wait time.Duration // until there is room again, as estimated
}

// Error names the wait.
func (e *busyError) Error() string {
	return fmt.Sprintf("too many requests: one more would wait for %v", e.wait.Round(time.Millisecond))
}

// recent is the weight of the latest request in the average of how long requests take: about the last
// ten count.
const recent = 0.2

// queue admits requests in the order in which they came, a number of them at the same time. It
// is safe for concurrent use.
type queue struct {
	slots int
	time  time.Duration // from a request's arrival to its answer
	now   func() time.Time

	mu      sync.Mutex
	taken   int
	average time.Duration       // of the work on a request; 0: none has ended yet
	running map[*time.Time]bool // when each request at work began
	waiting []chan struct{}     // closed when a request's turn has come: a slot is taken for it
}

// newQueue returns a queue with so many slots, for requests that must be answered within limit.
func newQueue(slots int, limit time.Duration, now func() time.Time) *queue {
	return &queue{slots: slots, time: limit, now: now, running: map[*time.Time]bool{}}
}

// enter waits until the request may begin. The caller calls leave when its work has ended. Errors:
// *busyError.
func (q *queue) enter(ctx context.Context) (leave func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken < q.slots {
		q.taken++
		return q.begin(), nil
	}
	came, each := q.now(), q.estimate()
	wait := each * time.Duration(len(q.waiting)+1) / time.Duration(q.slots)
	if !q.fits(wait, each) {
		return nil, &busyError{wait}
	}
	turn := make(chan struct{})
	q.waiting = append(q.waiting, turn)
	q.mu.Unlock()
	select {
	case <-turn:
	case <-ctx.Done():
	}
	q.mu.Lock()
	if i := slices.Index(q.waiting, turn); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return nil, &busyError{wait}
	}
	if each = q.estimate(); ctx.Err() != nil || q.now().Sub(came)+2*each > q.time {
		q.end(nil) // its turn came too late
		return nil, &busyError{each}
	}
	return q.begin(), nil
}

// fits says whether a request that waits so long, and then takes about each, is answered in time. A
// request whose time runs out in the middle of its work would waste that work, and its connection to
// the database with it. So half of the time is kept free for the work, and room for twice as long a
// one as the latest.
func (q *queue) fits(wait, each time.Duration) bool { return wait <= q.time/2 && wait+2*each <= q.time }

// begin notes that a request begins, for which a slot is taken. The caller calls leave at its end.
func (q *queue) begin() (leave func()) {
	start := q.now()
	q.running[&start] = true
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		took := q.now().Sub(start)
		if q.average == 0 {
			q.average = took
		}
		q.average += time.Duration(recent * float64(took-q.average))
		q.end(&start)
	}
}

// end gives the slot of a request to the next one.
func (q *queue) end(start *time.Time) {
	delete(q.running, start)
	if len(q.waiting) > 0 {
		close(q.waiting[0])
		q.waiting = q.waiting[1:]
		return
	}
	q.taken--
}

// estimate says how long a request will take: as the latest ones, or as long as those at work have
// taken already, when they are slower.
func (q *queue) estimate() time.Duration {
	var sum time.Duration
	now := q.now()
	for start := range q.running {
		sum += now.Sub(*start)
	}
	return max(q.average, sum/time.Duration(max(1, len(q.running))))
}
