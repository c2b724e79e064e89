package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"

	"pgregory.net/rapid"
)

// TestTwiceTheLoadIsAnsweredAtFullCapacity measures what serve answers when it is asked as fast as it
// answers, and then asks twice as much. The database is a double that takes its time.
func TestTwiceTheLoadIsAnsweredAtFullCapacity(t *testing.T) {
	t.Parallel()
	const slots, trip, limit, period = 2, 20 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	store.Fail(func(ctx context.Context) error {
		select {
		case <-time.After(trip):
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	handler := newHandler(parts{recommender: admitted{recommend.New(store), newQueue(slots, limit, time.Now)},
		checker: store, recorder: unrecorded{}, log: slog.New(slog.DiscardHandler), now: time.Now})
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w
	}
	const path = "/customers/101/recommendations"
	var answered atomic.Int64
	var workers sync.WaitGroup
	for start, worker := time.Now(), 0; worker < slots; worker++ {
		workers.Go(func() {
			for time.Since(start) < period {
				if ask(path).Code == http.StatusOK {
					answered.Add(1)
				}
			}
		})
	}
	workers.Wait()
	capacity := answered.Swap(0)

	var shed atomic.Int64
	offered := 2 * capacity
	for range offered {
		workers.Go(func() {
			switch w := ask(path); w.Code {
			case http.StatusOK:
				answered.Add(1)
			case http.StatusServiceUnavailable:
				shed.Add(1)
				if seconds, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || seconds < 1 ||
					!strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
					t.Errorf("turned away with %v", w.Header())
				}
			default:
				t.Errorf("status %d", w.Code)
			}
		})
		time.Sleep(period / time.Duration(offered))
	}
	if w := ask("/health"); w.Code != http.StatusOK { // outside the queue, which is full
		t.Errorf("/health under load: %d %s", w.Code, w.Body)
	}
	workers.Wait()
	t.Logf("capacity %d in %v; offered %d: %d answered, %d turned away", capacity, period, offered,
		answered.Load(), shed.Load())
	if answered.Load() < capacity*9/10 || shed.Load() == 0 {
		t.Errorf("offered %d of capacity %d: %d answered, %d turned away", offered, capacity, answered.Load(), shed.Load())
	}
}

// While the database is stuck, requests are turned away at once as soon as the stuck ones have taken
// too long, although none has ended.
func TestAStuckDatabaseTurnsRequestsAway(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	q := newQueue(2, 5*time.Second, func() time.Time { return now })
	for range 2 {
		if _, err := q.enter(t.Context(), newPlace(nil)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(4 * time.Second)
	var busy *busyError
	if _, err := q.enter(t.Context(), newPlace(nil)); !errors.As(err, &busy) || busy.wait <= 0 {
		t.Errorf("got %v", err)
	}
}

// Whatever comes and goes, no more requests work than there are slots, they begin in their order, and
// no slot is lost.
func TestQueueKeepsItsSlots(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 3).Draw(t, "slots")
		q := newQueue(slots, time.Hour, time.Now)
		type entry struct {
			cancel context.CancelFunc
			begun  chan func(int)
		}
		var waiting []entry
		var working []func(int)
		settle := func() { // those whose turn it is begin
			for len(waiting) > 0 && len(working) < slots {
				leave := <-waiting[0].begun
				working, waiting = append(working, leave), waiting[1:]
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 3).Draw(t, "step"); {
			case step <= 1:
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				e := entry{cancel, make(chan func(int), 1)}
				q.mu.Lock()
				before := len(q.waiting)
				q.mu.Unlock()
				go func() {
					leave, err := q.enter(ctx, newPlace(nil))
					if err == nil {
						e.begun <- leave
					} else {
						e.begun <- nil
					}
				}()
				waiting = append(waiting, e)
				if len(working) == slots { // let it queue before the next one
					until(q, func() bool { return len(q.waiting) == before+1 })
				}
			case step == 2 && len(working) > 0:
				working[0](1)
				working = working[1:]
			case step == 3 && len(waiting) > 0:
				i := rapid.IntRange(0, len(waiting)-1).Draw(t, "gone")
				waiting[i].cancel()
				if leave := <-waiting[i].begun; leave != nil {
					t.Fatal("a request that went away began")
				}
				waiting = append(waiting[:i], waiting[i+1:]...)
			}
			settle()
			q.mu.Lock()
			if q.taken != len(working) || len(q.waiting) != len(waiting) || q.taken > slots {
				t.Fatalf("%d slots of %d taken and %d waiting, want %d and %d", q.taken, slots, len(q.waiting), len(working),
					len(waiting))
			}
			q.mu.Unlock()
		}
		for _, e := range waiting {
			e.cancel()
			<-e.begun
		}
	})
}

// until waits for a condition on the queue.
func until(q *queue, met func() bool) {
	for {
		q.mu.Lock()
		ok := met()
		q.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A flood of failures writes a line a second and counts the rest.
func TestFailuresAreLoggedInSamples(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Fail(func(context.Context) error { return errors.New("down") })
	for range 100 {
		b.call(t, http.MethodGet, "/customers/101/recommendations", "")
	}
	b.skip.Add(int64(samplePeriod))
	b.call(t, http.MethodGet, "/customers/101/recommendations", "")
	lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
	suppressed := 0
	for _, line := range lines {
		var got struct{ Suppressed int }
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		suppressed += got.Suppressed
	}
	if len(lines)+suppressed != 101 || len(lines) > 50 {
		t.Errorf("%d lines, %d suppressed", len(lines), suppressed)
	}
}

// Many ask /health at once: the database is asked once.
func TestHealthAsksOnce(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	// time stands still
	handler := newHandler(parts{checker: store, now: func() time.Time { return time.Unix(0, 0) }})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet,
				"/health", nil))
		})
	}
	all.Wait()
	if got := store.Trips(); got != 2 { // of one Check
		t.Errorf("%d questions to the store", got)
	}
}
