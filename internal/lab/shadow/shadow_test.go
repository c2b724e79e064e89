package shadow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// fixed answers each session with a list of products, and refuses the session "refused".
type fixed map[string][]activity.RecommendedItem

var errDown = errors.New("down")

func (f fixed) Batch(_ context.Context, events []*activity.Event) (all []recommend.Answer, err error) {
	for _, e := range events {
		switch e.SessionID {
		case "refused":
			return nil, &recommend.RefusedError{Reason: "it is no text"}
		case "down":
			return nil, errDown
		}
		all = append(all, recommend.Answer{Items: f[e.SessionID], Source: activity.SourceSession})
	}
	return all, nil
}

func listOf(ids string) (items []activity.RecommendedItem) {
	for id := range strings.FieldsSeq(ids) {
		items = append(items, activity.RecommendedItem{ID: id})
	}
	return items
}

func event(session, history string) Recorded {
	e := &activity.Event{SessionID: session}
	for id := range strings.FieldsSeq(history) {
		e.BrowseHistory = append(e.BrowseHistory, activity.Browse{ProductCode: activity.ID(id)})
	}
	return Recorded{Event: e}
}

func TestCompareCountsWhatDiffers(t *testing.T) {
	t.Parallel()
	one := fixed{"same": listOf("a b c"), "turned": listOf("a b c d"), "other": listOf("a b")}
	two := fixed{"same": listOf("a b c"), "turned": listOf("d c b a"), "other": listOf("c b")}
	r, err := Compare(t.Context(), one, two, []Recorded{event("same", ""), event("refused", ""), event("turned", ""),
		event("other", "")}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := Segment{Answers: 3, Differ: 2. / 3, Overlap: (1 + 1 + .5) / 3, Tau: 0, Ranked: 2}
	got := r.Segments[0]
	if r.Skipped != 1 || got.Answers != want.Answers || math.Abs(got.Differ-want.Differ) > 1e-9 ||
		math.Abs(got.Overlap-want.Overlap) > 1e-9 || got.Tau != want.Tau || got.Ranked != want.Ranked {
		t.Errorf("%+v", r)
	}
	if len(r.Segments) != 2 || r.Segments[1].Source != activity.SourceSession || r.Segments[1].Answers != 3 {
		t.Errorf("segments %+v", r.Segments)
	}
	if !strings.Contains(r.NoEstimate, "propensity") || !strings.Contains(r.table("m1", "m2"), "cannot be estimated") {
		t.Errorf("an estimate without a propensity: %+v", r)
	}
	if _, err := Compare(t.Context(), one, two, []Recorded{event("down", "")}, 3); !errors.Is(err, errDown) {
		t.Errorf("a version that cannot answer: %v", err)
	}
}

// TestAVersionIsLikeItself, and the comparison of two versions has no side.
func TestAVersionIsLikeItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.Permutation(strings.Fields("a b c d e f g h i j k l"))
		one := ids.Draw(t, "one")[:rapid.IntRange(0, Top).Draw(t, "many")]
		two := ids.Draw(t, "two")[:rapid.IntRange(0, Top).Draw(t, "as many")]
		var self, there, back sums
		self.add(one, one)
		there.add(one, two)
		back.add(two, one)
		if self.differ != 0 || self.overlap != 1 || self.ranked > 0 && self.tau != 1 {
			t.Fatalf("%v and itself: %+v", one, self)
		}
		if there != back || there.overlap < 0 || there.overlap > 1 || math.Abs(there.tau) > 1 {
			t.Fatalf("%v and %v: %+v, %+v", one, two, there, back)
		}
	})
}

// TestTheEstimateIsOfTheOtherVersion: places were drawn among 4 new products with stated, unequal chances; each
// product is viewed with its own chance. By these records, what a version that always shows one product would have
// got is that product's chance.
func TestTheEstimateIsOfTheOtherVersion(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 6))
	drawn, liked := []float64{.4, .3, .2, .1}, []float64{.1, .2, .3, .4}
	var all []Recorded
	control, treatment := fixed{}, fixed{}
	for i := range 20_000 {
		session, n, u := fmt.Sprint(i), 0, rng.Float64()
		for u > drawn[n] && n < 3 {
			u -= drawn[n]
			n++
		}
		shown := event(session, "")
		shown.Shown = []activity.RecommendedItem{{ID: fmt.Sprint("p", n), Explored: true, Propensity: drawn[n]}}
		all = append(all, shown)
		if rng.Float64() < liked[n] {
			all = append(all, event(session, fmt.Sprint("p", n)))
		}
		control[session], treatment[session] = listOf("p0"), listOf("p3")
	}
	r, err := Compare(t.Context(), control, treatment, all, 100)
	if err != nil {
		t.Fatal(err)
	}
	for want, e := range map[float64]Estimate{liked[0]: r.Control, liked[3]: r.Treatment} {
		if e.Slots != 20_000 || math.Abs(e.IPS-want) > .03 || math.Abs(e.SNIPS-want) > .03 {
			t.Errorf("want %g: %+v", want, e)
		}
	}
	if r.NoEstimate != "" || !strings.Contains(r.table("m1", "m2"), "self-normalised") {
		t.Errorf("%+v", r)
	}
}

// TestFilesOfRecordsAndOfEventsAreRead: what was shown is known of records only; other lines are passed over.
func TestFilesOfRecordsAndOfEventsAreRead(t *testing.T) {
	t.Parallel()
	const line = `{"session_id":"s","customer_number":1,"browse_history":[{"product_code":"A","quantity":1,` +
		`"in_shopping_cart":false}]}`
	parsed, err := activity.Parse([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	record, err := activity.Record{Event: []byte(line), RecommendedItems: []activity.RecommendedItem{{ID: "B",
		Propensity: .5}}, Recommendation: activity.Recommendation{ID: "r"}}.AppendLine(nil)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "records")
	data := slices.Concat(record, []byte(line+"\nnothing\n"+`{"type":"product","product_code":"A","stock":1}`+"\n"))
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := (&Command{Files: []string{name, name}, Events: 3}).read()
	if err != nil || len(all) != 3 || len(all[0].Shown) != 1 || all[1].Shown != nil ||
		all[1].Event.SessionID != parsed.SessionID || all[0].Event.BrowseHistory[0].ProductCode != "A" {
		t.Errorf("read %+v, %v", all, err)
	}
}
