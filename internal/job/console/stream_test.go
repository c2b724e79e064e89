package console

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/job/console/feed"
	"kindred/internal/job/console/guard"
	"kindred/internal/job/etl"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

func TestNoEventIsMissingFromTheCurve(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		var c feed.Counts
		var events, answers float64
		minutes := rapid.SliceOfNDistinct(rapid.IntRange(0, 3000), 0, 50, rapid.ID).Draw(t, "minutes")
		slices.Sort(minutes)
		for _, m := range minutes {
			at := begin.Add(time.Duration(m) * time.Minute)
			c.Minutes = append(c.Minutes, feed.Minute{At: at, Events: int64(m), Answers: 2})
			events, answers = events+float64(m), answers+2
		}
		curve := rates(c)
		if (len(curve) == 0) != (len(minutes) == 0) || len(curve) > mostRates+3 {
			t.Fatalf("%d points for %d minutes", len(curve), len(minutes))
		}
		if len(curve) == 0 {
			return
		}
		step := curve[1].At.Sub(curve[0].At).Seconds()
		for _, p := range curve {
			events, answers = events-p.Events*step, answers-p.Answers*step
		}
		if math.Abs(events) > 1e-6 || math.Abs(answers) > 1e-6 {
			t.Fatalf("%g events and %g answers are missing", events, answers)
		}
	})
}

func TestEveryCountHasAColumn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(rapid.IntRange(0, 100_000)).Draw(t, "counts")
		total := int64(0)
		for _, c := range doubling(all) {
			total += c.Count
		}
		if total != int64(len(all)) {
			t.Fatalf("%d of %d counts are in a column", total, len(all))
		}
	})
	columns := doubling([]int{0, 1, 2, 3, 4, 7, 8})
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	if got := strings.Join(names, ", "); got != "0, 1, 2 to 3, 4 to 7, 8 to 15" || columns[3].Count != 2 {
		t.Errorf("columns %s, %+v", got, columns)
	}
	if got := topTenth([]int{90, 1, 1, 1, 1, 1, 1, 1, 1, 2}); got != 0.9 {
		t.Errorf("the top tenth has %g", got)
	}
}

func TestDataShowsTheSet(t *testing.T) {
	t.Parallel()
	c := folders(t)
	store, err := objectstore.Open(t.Context(), c.Lake.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	repo := commit.NewRepository(store, envconfig.TrainingSetPrefix)
	dir := t.TempDir()
	draft, err := trainingset.WriteHistory(dir, &trainingset.History{Customers: []shop.Shopper{{ID: "c1"}, {ID: "c2"}},
		Products: []shop.Listing{{ID: "p1"}, {ID: "p2"}}, Kinds: []string{"cart", "view"}, Sessions: []string{"s"},
		Entries: []trainingset.Entry{{Customer: 0, Session: trainingset.None, Product: 1, Order: trainingset.None,
			Value: trainingset.NoNumber(), Quantity: trainingset.NoNumber(), Kind: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	draft.Dir = dir
	b := mustShow(t, c)
	if page := b.mustPage(t, "/data", http.StatusOK); !strings.Contains(page, "There is no training set yet") {
		t.Errorf("the empty page is %s", page)
	}
	if _, _, err := repo.Commit(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := profileOf(t.Context(), repo, etl.Show(m))
	if err != nil || p.NeverChosen != 1 || p.Newcomers != 1 || len(p.Stars) != 1 || p.Stars[0].Name != "view" {
		t.Errorf("profile %+v, %v", p, err)
	}
	if page := b.mustPage(t, "/data", http.StatusOK); !strings.Contains(page, "Interactions 1 Customers 2 Products 2") {
		t.Errorf("the page is %s", page)
	}
	b.server.from.profiles.wait()
	if page := b.mustPage(t, "/data", http.StatusOK); !strings.Contains(page, "Products that nobody chose 1") {
		t.Errorf("the page is %s", page)
	}
}

func TestAnEventIsFoundWhereverItEnded(t *testing.T) {
	t.Parallel()
	c := folders(t)
	store, err := objectstore.Open(t.Context(), c.Recommendations.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, text string) {
		if _, err := store.Put(t.Context(), key, strings.NewReader(text), int64(len(text)),
			objectstore.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	p := activity.Position{Stream: "st", Shard: "shard-0", SequenceNumber: "7", ArrivedAt: time.Now().UTC()}
	record := activity.Record{Event: []byte(`{"event_id":"e-1","session_id":"s","browse_history":[]}`),
		RecommendedItems: []activity.RecommendedItem{{ID: "p1", Score: 0.5, Because: "p2"}},
		Recommendation: activity.Recommendation{EventID: "e-1", ID: activity.RecommendationID("e-1", ""), ModelVersion: "m1",
			Source: activity.SourceSession, Position: p, GeneratedAt: p.ArrivedAt}}
	line, err := record.AppendSealed(nil)
	if err != nil {
		t.Fatal(err)
	}
	put(envconfig.RecommendationPrefix+p.ArrivedAt.Format("2006/01/02/15/")+"object", string(line))
	put(deadletter.Key(p), `{"reason":"schema","message":"session_id is missing","event_id":"e-2","position":`+
		`{"stream":"st","shard":"shard-0","sequence_number":"7"},"data":"PHNjcmlwdD4="}`)
	b := mustShow(t, c)
	b.server.from.feed = feed.New(nil, store, nil, time.Hour)
	for id, want := range map[string]string{"e-1": "Answered recommended",
		activity.RecommendationID("e-1", ""): "Answered", "e-2": "session_id is missing",
		"e-3": "Not found", "": "An event and its way"} {
		if page := b.mustPage(t, "/events?id="+id, http.StatusOK); !strings.Contains(page, want) {
			t.Errorf("%q is not in the page of %q: %s", want, id, page)
		}
	}
	if body, _ := b.ask(t, http.MethodGet, "/events?id=e-2", nil); strings.Contains(body, "<script>") {
		t.Error("an event's bytes are part of the page")
	}
}

// TestDeadLettersAreShownByReason puts more letters than a page shows: the newest are on it, in their order, with
// what was wrong, and whether they were sent again.
func TestDeadLettersAreShownByReason(t *testing.T) {
	t.Parallel()
	c := folders(t)
	store, err := objectstore.Open(t.Context(), c.Recommendations.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, text string) {
		if _, err := store.Put(t.Context(), key, strings.NewReader(text), int64(len(text)),
			objectstore.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	const letters = shownLetters + 80
	for i := range letters {
		p := activity.Position{Stream: "st", Shard: "shard-0", SequenceNumber: strconv.Itoa(i + 1)}
		put(deadletter.Key(p), `{"reason":"schema","message":"session_id is missing","event_id":"e-`+p.SequenceNumber+
			`","position":{"stream":"st","shard":"shard-0","sequence_number":"`+p.SequenceNumber+`"},"data":"PHNjcmlwdD4="}`)
		if i == letters-1 {
			put(envconfig.RedrivenPrefix+deadletter.Key(p), "{}")
		}
	}
	batch := deadletter.Prefixes[1] + "aws/lambda/m/shard-0/2026/12/01/2026-12-01T00.00.00-x"
	put(batch, `{"KinesisBatchInfo":{"streamArn":"arn:aws:kinesis:r:1:stream/st","shardId":"shard-0",`+
		`"startSequenceNumber":"1","endSequenceNumber":"2"},"payload":"{\"Records\":[]}"}`)
	b := mustShow(t, c)
	b.server.from.feed = feed.New(nil, store, nil, time.Hour)
	if page := b.mustPage(t, "/letters?reason=schema", http.StatusOK); !strings.Contains(page, "There are none") {
		t.Errorf("before the first listing: %s", page)
	}
	b.server.from.feed.Read(t.Context())
	page := b.mustPage(t, "/letters?reason=schema", http.StatusOK)
	if !strings.Contains(page, "These are the newest 25") ||
		strings.Count(page, "session_id is missing") != shownLetters || strings.Count(page, "sent again") != 1 ||
		strings.Contains(page, " e-80 ") || strings.Index(page, " e-105 ") > strings.Index(page, " e-99 ") ||
		!strings.Contains(page, " e-81 ") {
		t.Errorf("the page is %s", page)
	}
	if body, _ := b.ask(t, http.MethodGet, "/letters?reason=schema", nil); strings.Contains(body, "<script>") {
		t.Error("an event's bytes are part of the page")
	}
	if page := b.mustPage(t, "/letters?reason=failed+batch", http.StatusOK); !strings.Contains(page,
		"A batch of 0 records") {
		t.Errorf("the page of batches is %s", page)
	}
	if page := b.mustPage(t, "/stream", http.StatusOK); !strings.Contains(page, "schema 105") {
		t.Errorf("the stream is %s", page)
	}
}

func TestTheStreamSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	b := mustShow(t, folders(t))
	if page := b.mustPage(t, "/stream", http.StatusOK); strings.Contains(page, "Run the audit") ||
		!strings.Contains(page, "There are none") {
		t.Errorf("the page is %s", page)
	}
	_, got := b.ask(t, http.MethodPost, "/audit", url.Values{guard.FormField: {b.server.formToken}, "since": {"1h"}})
	if got.code != http.StatusSeeOther {
		t.Fatalf("the audit got %d", got.code)
	}
	b.server.tasks.wait()
	if page := b.mustPage(t, got.header.Get("Location"), http.StatusOK); !strings.Contains(page,
		"ACTIVITY_STREAM is not set") {
		t.Errorf("the task is %s", page)
	}
}
