package replay

import (
	"context"
	"fmt"
	"time"

	"kindred/internal/lake/linefile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/retry"
	"kindred/internal/stream/activity"
)

// watchEvery is how often deliveries are looked for: shorter than a visitor's patience, longer than
// a listing takes.
const watchEvery = 200 * time.Millisecond

// answer is what was recommended for an event.
type answer struct {
	eventID  string
	products []string // best first
	err      error    // the last one, if not nil
}

// watch sends the recommendations that are delivered from now on until ctx ends. Each round lists
// everything, because nothing says where the delivery stream's next object will lie: one call for
// 1,000 objects.
func watch(ctx context.Context, delivered objectstore.Store, now time.Time, answers chan<- answer) {
	send := func(a answer) error {
		select {
		case answers <- a:
			return a.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	known := map[string]bool{}
	since := now.Add(-time.Minute) // the store's clock may be behind
	for ctx.Err() == nil {
		for info, err := range delivered.List(ctx, envconfig.RecommendationPrefix) {
			if err == nil && (known[info.Key] || info.Modified.Before(since)) {
				continue
			}
			if err == nil {
				err = readAnswers(ctx, delivered, info.Key, send)
			}
			if err != nil {
				_ = send(answer{err: err}) // nobody listens once ctx has ended
				return
			}
			known[info.Key] = true
		}
		_ = retry.Sleep(ctx, watchEvery) // the loop's condition sees the end
	}
}

// readAnswers sends every record of an object.
func readAnswers(ctx context.Context, delivered objectstore.Store, key string, send func(answer) error) error {
	body, _, err := delivered.Get(ctx, key)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // read only
	for line, err := range linefile.Lines(body) {
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		record, err := activity.ParseRecord(line)
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		a := answer{eventID: record.Recommendation.EventID, products: []string{}}
		for _, it := range record.RecommendedItems {
			a.products = append(a.products, it.ID)
		}
		if err := send(a); err != nil {
			return err
		}
	}
	return nil
}
