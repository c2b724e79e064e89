package console

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"
)

// keptTasks is how many tasks are remembered, the newest ones.
const keptTasks = 20

// task is work that takes longer than a page may: it runs beside, and its page shows how it stands.
type task struct {
	ID      string
	Title   string // what is done, "Make version m1 live"
	Back    string // the page to return to
	Started time.Time
	Ended   time.Time // zero: it runs
	Text    string    // what it said at its end
	Fault   string    // why it failed; empty: it did not
}

// Running says whether it has not ended.
func (t task) Running() bool { return t.Ended.IsZero() }

// Seconds is how long it took, or takes so far.
func (t task) Seconds() float64 {
	if t.Running() {
		return time.Since(t.Started).Seconds()
	}
	return t.Ended.Sub(t.Started).Seconds()
}

// tasks runs one task at a time: what changes the live model must not cross another change. It is safe for
// concurrent use.
type tasks struct {
	ctx context.Context // ends with the program; set before the first task
	mu  sync.Mutex
	all []*task // oldest first
	run sync.WaitGroup
}

// start runs work, and returns the task. ok is false, with the task that runs, if there is one already.
func (t *tasks) start(title, back string, work func(context.Context) (string, error)) (started task, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.all); n > 0 && t.all[n-1].Running() {
		return *t.all[n-1], false
	}
	one := &task{ID: rand.Text()[:10], Title: title, Back: back, Started: time.Now()}
	t.all = append(t.all, one)
	if len(t.all) > keptTasks {
		t.all = slices.Delete(t.all, 0, len(t.all)-keptTasks)
	}
	t.run.Go(func() {
		text, err := work(t.ctx)
		t.mu.Lock()
		defer t.mu.Unlock()
		one.Ended, one.Text = time.Now(), text
		if err != nil {
			one.Fault = err.Error()
		}
	})
	return *one, true
}

// find returns a task as it stands now.
func (t *tasks) find(id string) (task, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.all {
		if one.ID == id {
			return *one, true
		}
	}
	return task{}, false
}

// wait returns when no task runs.
func (t *tasks) wait() { t.run.Wait() }
