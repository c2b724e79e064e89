package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
)

// pages are events that ask for the strips of a page each.
func pages(n int, placements string) events.KinesisEvent {
	batch := batchOf(n)
	for i := range batch.Records {
		batch.Records[i].Kinesis.Data = fmt.Appendf(nil, `{"session_id":"s%d","event_id":"e%d","browse_history":[{`+
			`"product_code":"L2_03"}],"continues_session":true,"kindred":%s}`, i, i, placements)
	}
	return batch
}

var shelves = map[string]recommend.Placement{"home": {Limit: new(4)}, "top": {List: recommend.ListPopular},
	"alike": {List: recommend.ListSimilar}}

// itemsOf are the products of delivered lines, by the recommendation's id.
func itemsOf(t *testing.T, lines []string) map[string][]activity.RecommendedItem {
	t.Helper()
	all := map[string][]activity.RecommendedItem{}
	for _, line := range lines {
		r, err := activity.ParseRecord([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if was, again := all[r.Recommendation.ID]; again && !slices.Equal(was, r.RecommendedItems) {
			t.Errorf("%s has other products the second time", r.Recommendation.ID)
		}
		of := r.Recommendation
		if of.ID != activity.RecommendationID(of.EventID, of.Placement) || of.Placement == "" || of.Query == "" {
			t.Errorf("recommendation %+v", of)
		}
		all[of.ID] = r.RecommendedItems
	}
	return all
}

// TestAnEventIsDoneWhenAllItsRecordsAre: what is refused of a page brings the whole event back, and another attempt
// delivers the same under the same ids.
func TestAnEventIsDoneWhenAllItsRecordsAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Place(shelves)
	batch := pages(5, `{"placements":["home","top","alike"]}`)
	b.delivery.refuse = func(line string) bool {
		return strings.Contains(line, `"event_id":"e3"`) && strings.Contains(line, `"placement":"top"`)
	}
	if failed := b.run(t, batch); failed != 3 || len(b.delivery.lines) != 14 {
		t.Fatalf("failed at %d, %d delivered", failed, len(b.delivery.lines))
	}
	if !strings.Contains(b.log.String(), `"recommended":4,`) {
		t.Errorf("counted: %s", b.log)
	}
	b.delivery.refuse = nil
	batch.Records = batch.Records[3:]
	if failed := b.run(t, batch); failed != 2 || len(b.delivery.lines) != 20 {
		t.Fatalf("failed at %d, %d delivered", failed, len(b.delivery.lines))
	}
	if all := itemsOf(t, b.delivery.lines); len(all) != 15 {
		t.Errorf("%d different records", len(all))
	}
}

// TestAnUnknownPlacementWritesNothing: the event goes to quarantine before anything that it says is kept.
func TestAnUnknownPlacementWritesNothing(t *testing.T) {
	t.Parallel()
	for _, placements := range []string{`{"placement":"shelf"}`, `{"placements":["home","shelf"]}`,
		`{"placement":"alike","diversity":{"mmr":0.5}}`} {
		b := setup(t)
		b.store.Place(shelves)
		w := &written{stateWriter: b.state}
		b.state = w
		batch := pages(3, `{"placement":"home"}`)
		batch.Records[1] = pages(2, placements).Records[1]
		if failed := b.run(t, batch); failed != 3 || len(b.delivery.lines) != 2 || len(b.quarantine.kept) != 1 {
			t.Fatalf("%s: failed at %d, %d delivered, quarantined %v", placements, failed, len(b.delivery.lines),
				b.quarantine.kept)
		}
		if q := b.quarantine.kept[batch.Records[1].Kinesis.SequenceNumber]; q.Reason != activity.ReasonSchema ||
			!strings.Contains(q.Message, "placement") || len(w.visits) != 2 {
			t.Errorf("%s: quarantined %+v, %d visits written", placements, q, len(w.visits))
		}
	}
}

// TestPlacementsThatChangeMeanwhile: events are answered by the placements by which they were checked, and nothing that
// was written goes to quarantine: whether they are gone, refuse the event now, show other products, or are compared
// with others by then. The next batch sees the change.
func TestPlacementsThatChangeMeanwhile(t *testing.T) {
	t.Parallel()
	unlike := map[string]recommend.Placement{"home": {List: recommend.ListSimilar}}
	for name, change := range map[string]func(s *recommendtest.Store){
		"gone":      func(s *recommendtest.Store) { s.Place(nil) },
		"refusing":  func(s *recommendtest.Store) { s.Place(unlike) },
		"others":    func(s *recommendtest.Store) { s.Place(map[string]recommend.Placement{"home": {Limit: new(1)}}) },
		"compared":  func(s *recommendtest.Store) { s.PlaceTreatment("x", 1, unlike) },
		"unchanged": func(*recommendtest.Store) {},
	} {
		b := setup(t)
		b.store.Place(shelves)
		b.state = &replacing{stateWriter: b.state, replace: func() { change(b.store) }}
		batch := pages(2, `{"placement":"home","diversity":{"mmr":0.5}}`)
		if failed := b.run(t, batch); failed != 2 || len(b.quarantine.kept) > 0 || len(b.delivery.lines) != 2 {
			t.Errorf("%s: failed at %d, %d delivered, quarantined %v", name, failed, len(b.delivery.lines), b.quarantine.kept)
		}
		for id, items := range itemsOf(t, b.delivery.lines) {
			if len(items) != 4 {
				t.Errorf("%s: %s has %d products", name, id, len(items))
			}
		}
		if name == "gone" {
			if failed := b.run(t, batch); failed != 2 || len(b.quarantine.kept) != 2 || len(b.delivery.lines) != 2 {
				t.Errorf("the next batch: failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines),
					len(b.quarantine.kept))
			}
		}
	}
}

// TestADatabaseThatIsDownGivesPagesBack: nobody knows whether their placements are there.
func TestADatabaseThatIsDownGivesPagesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Place(shelves)
	w := &written{stateWriter: b.state}
	b.state = w
	b.store.Fail(func(ctx context.Context) error { return errors.New("connection refused") })
	if failed := b.run(t, pages(3, `{"placement":"home"}`)); failed != 0 || len(w.visits)+len(b.quarantine.kept) > 0 {
		t.Errorf("failed at %d, %d visits, %d quarantined", failed, len(w.visits), len(b.quarantine.kept))
	}
}

// replacing changes something when state is written.
type replacing struct {
	stateWriter

	replace func()
}

func (r *replacing) WriteState(ctx context.Context, state recommend.State) error {
	r.replace()
	return r.stateWriter.WriteState(ctx, state)
}
