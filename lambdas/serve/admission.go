package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// admitted is a recommender that works on as many batches of requests at the same time as its store has
// connections: a request then never waits for one in the middle of its work. Other requests queue. Those
// that wait are answered together with the one whose turn has come: they share its round trips and its
// passes over the products. A request that could not be answered in time is turned away at once.
type admitted struct {
	recommender
	queue *queue
}

// Batch is the recommender's. Errors: *busyError.
func (a admitted) Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error) {
	p := newPlace(events)
	leave, err := a.queue.enter(ctx, p)
	if err != nil {
		return nil, err
	}
	if leave == nil { // another request has brought its answers
		return p.answers, nil
	}
	others := a.queue.join()
	defer func() { leave(len(others) + 1) }()
	if len(others) == 0 {
		return a.recommender.Batch(ctx, events)
	}
	if deadline, limited := ctx.Deadline(); limited { // of the first one; if its caller goes away, the others stay
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
		defer cancel()
	}
	a.together(ctx, append([]*place{p}, others...))
	for _, other := range others {
		close(other.turn)
	}
	return p.answers, p.err
}

// together answers all of some requests. If the store refuses one of them, or cannot keep its rules now, each is
// answered alone.
func (a admitted) together(ctx context.Context, places []*place) {
	var events []*activity.Event
	for _, p := range places {
		events = append(events, p.events...)
	}
	answers, err := a.recommender.Batch(ctx, events)
	var refused *recommend.RefusedError
	alone := errors.As(err, &refused) || errors.Is(err, recommend.ErrNoFacts)
	for _, p := range places {
		switch {
		case alone:
			p.answers, p.err = a.recommender.Batch(ctx, p.events)
		case err != nil:
			p.err = err
		default:
			p.answers, answers = answers[:len(p.events)], answers[len(p.events):]
		}
	}
}

// Similar is the recommender's. Errors: *busyError.
func (a admitted) Similar(ctx context.Context, code string, visitor *activity.Event,
	c *activity.Control) (recommend.SimilarAnswer, error) {
	leave, err := a.queue.enter(ctx, newPlace(nil))
	if err != nil {
		return recommend.SimilarAnswer{}, err
	}
	defer leave(1)
	return a.recommender.Similar(ctx, code, visitor, c)
}

// Facts is the recommender's. Errors: *busyError.
func (a admitted) Facts(ctx context.Context, codes []string) (map[string]recommend.Facts, error) {
	leave, err := a.queue.enter(ctx, newPlace(nil))
	if err != nil {
		return nil, err
	}
	defer leave(1)
	return a.recommender.Facts(ctx, codes)
}

// List is the recommender's. Errors: *busyError.
func (a admitted) List(ctx context.Context, q recommend.ListQuery, c *activity.Control) (recommend.Answer, error) {
	leave, err := a.queue.enter(ctx, newPlace(nil))
	if err != nil {
		return recommend.Answer{}, err
	}
	defer leave(1)
	return a.recommender.List(ctx, q, c)
}

// Rerank is the recommender's. Errors: *busyError.
func (a admitted) Rerank(ctx context.Context, e *activity.Event, codes []string) (recommend.Reranked, error) {
	leave, err := a.queue.enter(ctx, newPlace(nil))
	if err != nil {
		return recommend.Reranked{}, err
	}
	defer leave(1)
	return a.recommender.Rerank(ctx, e, codes)
}

// busyError says that a request would wait too long.
type busyError struct {
	wait time.Duration // until there is room again, as estimated
}

// Error names the wait.
func (e *busyError) Error() string {
	return fmt.Sprintf("too many requests: one more would wait for %v", e.wait.Round(time.Millisecond))
}

// recent is the weight of the latest batch in the average of how long batches take: about the last ten
// count.
const recent = 0.2

const (
	// mostTogether is how many requests are answered together at most: two groups of 16, as package scan
	// compares them, for two processors.
	mostTogether = 32
	// togetherTime is how long a batch may take, as its requests wait for each other. Where it takes longer,
	// fewer are answered together.
	togetherTime = 100 * time.Millisecond
)

// queue admits requests in the order in which they came, a number of batches at the same time. It is safe
// for concurrent use.
type queue struct {
	slots int
	time  time.Duration // from a request's arrival to its answer
	now   func() time.Time

	mu       sync.Mutex
	taken    int
	together int                 // how many requests are answered together now, at most
	average  time.Duration       // of the work on a batch; 0: none has ended yet
	running  map[*time.Time]bool // when each batch at work began
	waiting  []*place
}

// place is a request's place in the queue.
type place struct {
	events  []*activity.Event // nil: it is not answered together with others
	came    time.Time
	turn    chan struct{} // closed when its turn has come: a slot is taken for it, or it is carried and answered
	carried bool          // another request brings what follows
	answers []recommend.Answer
	err     error
}

func newPlace(events []*activity.Event) *place {
	return &place{events: events, turn: make(chan struct{})}
}

// newQueue returns a queue with so many slots, for requests that must be answered within limit.
func newQueue(slots int, limit time.Duration, now func() time.Time) *queue {
	return &queue{slots: slots, time: limit, now: now, together: 1, running: map[*time.Time]bool{}}
}

// enter waits until the request may begin. The caller calls leave when its work has ended, with the number of
// requests that were answered together. leave is nil if another request has answered this one. Errors:
// *busyError, and what that answer says.
func (q *queue) enter(ctx context.Context, p *place) (leave func(requests int), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken < q.slots {
		q.taken++
		return q.begin(), nil
	}
	each := q.estimate()
	wait := each * time.Duration(len(q.waiting)/q.together+1) / time.Duration(q.slots)
	if !q.fits(wait, each) {
		return nil, &busyError{wait}
	}
	p.came = q.now()
	q.waiting = append(q.waiting, p)
	q.mu.Unlock()
	gone := false
	select {
	case <-p.turn:
	case <-ctx.Done():
		gone = true
	}
	q.mu.Lock()
	switch i := slices.Index(q.waiting, p); {
	case i >= 0:
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return nil, &busyError{wait}
	case p.carried && gone: // its answer comes too late
		return nil, &busyError{wait}
	case p.carried:
		return nil, p.err
	}
	if each = q.estimate(); ctx.Err() != nil || q.late(p, each) {
		q.end(nil)
		return nil, &busyError{each}
	}
	return q.begin(), nil
}

// late says that a request that takes about each would not be answered in time: its turn came too late.
func (q *queue) late(p *place, each time.Duration) bool { return q.now().Sub(p.came)+2*each > q.time }

// join takes the first ones that wait out of the queue: the caller answers them together with a request of its
// own, and closes their turn.
func (q *queue) join() (others []*place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	each := q.estimate()
	for len(q.waiting) > 0 && q.waiting[0].events != nil && 1+len(others) < q.together {
		p := q.waiting[0]
		q.waiting, p.carried = q.waiting[1:], true
		if q.late(p, each) {
			p.err = &busyError{each}
			close(p.turn)
			continue
		}
		others = append(others, p)
	}
	return others
}

// fits says whether a request that waits so long, and then takes about each, is answered in time. A
// request whose time runs out in the middle of its work would waste that work, and its connection to
// the database with it. So half of the time is kept free for the work, and room for twice as long a
// one as the latest.
func (q *queue) fits(wait, each time.Duration) bool { return wait <= q.time/2 && wait+2*each <= q.time }

// begin notes that a request begins, for which a slot is taken. The caller calls leave at its end.
func (q *queue) begin() (leave func(requests int)) {
	start := q.now()
	q.running[&start] = true
	return func(requests int) {
		q.mu.Lock()
		defer q.mu.Unlock()
		took := q.now().Sub(start)
		if q.average == 0 {
			q.average = took
		}
		q.average += time.Duration(recent * float64(took-q.average))
		switch {
		case took > togetherTime:
			q.together = max(1, min(q.together, requests)/2)
		case requests == q.together && took < togetherTime/2:
			q.together = min(2*q.together, mostTogether)
		}
		q.end(&start)
	}
}

// end gives the slot of a request to the next one.
func (q *queue) end(start *time.Time) {
	delete(q.running, start)
	if len(q.waiting) > 0 {
		close(q.waiting[0].turn)
		q.waiting = q.waiting[1:]
		return
	}
	q.taken--
}

// estimate says how long a batch will take: as the latest ones, or as long as those at work have
// taken already, when they are slower.
func (q *queue) estimate() time.Duration {
	var sum time.Duration
	now := q.now()
	for start := range q.running {
		sum += now.Sub(*start)
	}
	return max(q.average, sum/time.Duration(max(1, len(q.running))))
}
