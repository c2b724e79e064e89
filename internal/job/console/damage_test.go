package console

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"kindred/internal/serving/vectorstore"
)

// TestNoPageWaitsForASecondLook looks at a version while it is being looked at again: the page has the last finding at
// once, and the next one when it is there. A version that stands otherwise is looked at first.
func TestNoPageWaitsForASecondLook(t *testing.T) {
	t.Parallel()
	d := newDamages(nil)
	t.Cleanup(d.close)
	now := time.Now()
	d.now = func() time.Time { return now }
	looks := make(chan []string)
	d.look = func(ctx context.Context, _ vectorstore.Version) ([]string, error) {
		select {
		case faults := <-looks:
			return faults, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	v := vectorstore.Version{ID: "m1", State: vectorstore.StateReady}
	must := func(want ...string) {
		t.Helper()
		if got, err := d.of(t.Context(), v); err != nil || !slices.Equal(got, want) {
			t.Fatalf("the damage is %v, %v; want %v", got, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.of(ctx, v); !errors.Is(err, context.Canceled) {
		t.Fatalf("a page that is gone waits: %v", err)
	}
	go func() { looks <- []string{"a table is gone"} }()
	must("a table is gone")
	now = now.Add(damageAge)
	must("a table is gone") // and the next look has begun
	looks <- nil
	d.beside.Wait()
	must()
	v.Live = true
	go func() { looks <- []string{"it does not answer"} }()
	must("it does not answer")
}

func TestAListIsCutIntoPages(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, shownVersions, shownVersions + 1, 1000} {
		seen, from := 0, 0
		for {
			page := modelsPage{Versions: make([]modelRow, n)}
			for i := range page.Versions {
				page.Versions[i].At = i
			}
			page.cut(from)
			for _, row := range page.Versions {
				if row.At != seen {
					t.Fatalf("of %d, version %d is in the place of %d", n, row.At, seen)
				}
				seen++
			}
			if len(page.Versions) > shownVersions || page.All != n || (page.Newer == nil) != (from == 0) {
				t.Fatalf("of %d, the page from %d is %+v", n, from, page)
			}
			if page.Later == nil {
				break
			}
			from = *page.Later
		}
		if seen != n {
			t.Errorf("of %d versions the pages have %d", n, seen)
		}
	}
}
