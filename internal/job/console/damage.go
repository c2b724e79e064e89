package console

import (
	"context"
	"sync"
	"time"

	"kindred/internal/job/publish"
	"kindred/internal/serving/vectorstore"
)

const (
	// damageAge is the age at which the tables of a version are looked at again, beside the pages.
	damageAge = time.Minute
	// damageTime bounds a look: all rows are counted, which takes a second for some millions.
	damageTime = time.Minute
)

// damages remembers what is wrong with versions, so that no page waits for their rows to be counted. It is safe for
// concurrent use.
type damages struct {
	look func(context.Context, vectorstore.Version) ([]string, error)
	now  func() time.Time

	ended context.Context // ends with the program
	end   context.CancelFunc

	mu     sync.Mutex
	known  map[string]*damage
	beside sync.WaitGroup
}

// damage is what was found of a version that stands so.
type damage struct {
	standing string
	at       time.Time
	looking  bool
	first    chan struct{} // closed once there is a finding
	faults   []string
	err      error
}

func newDamages(db *vectorstore.Store) *damages {
	ended, end := context.WithCancel(context.Background())
	return &damages{ended: ended, end: end, now: time.Now, known: map[string]*damage{},
		look: func(ctx context.Context, v vectorstore.Version) ([]string, error) { return publish.Damage(ctx, db, v) }}
}

// of is what is wrong with a version, as it was found in the last minutes. Only the first look at a version, or at one
// that stands otherwise since, is waited for.
func (d *damages) of(ctx context.Context, v vectorstore.Version) ([]string, error) {
	now := standing(publish.Listed{Version: v})
	d.mu.Lock()
	found := d.known[v.ID]
	if found == nil || found.standing != now {
		found = &damage{standing: now, first: make(chan struct{})}
		d.known[v.ID] = found
	}
	if !found.looking && d.now().Sub(found.at) >= damageAge {
		found.looking = true
		d.beside.Go(func() { d.examine(context.WithoutCancel(ctx), v, found) })
	}
	d.mu.Unlock()
	select {
	case <-found.first:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return found.faults, found.err
}

func (d *damages) examine(ctx context.Context, v vectorstore.Version, found *damage) {
	ctx, cancel := context.WithTimeout(ctx, damageTime)
	defer cancel()
	defer context.AfterFunc(d.ended, cancel)() //nolint:contextcheck // the look outlives the page, not the program
	faults, err := d.look(ctx, v)
	d.mu.Lock()
	defer d.mu.Unlock()
	if found.at.IsZero() {
		close(found.first)
	}
	found.faults, found.err, found.looking, found.at = faults, err, false, d.now()
}

// close ends the looks.
func (d *damages) close() {
	d.end()
	d.beside.Wait()
}
