package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kindred/internal/job/feedback"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/outcome"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/stream/activity"
)

// told writes recommendation records: visits that this file makes up, so that what became of every
// recommendation is known.
type told struct {
	t       *testing.T
	records bytes.Buffer
	start   time.Time
	// of the answers that follow
	experiment, arm, eventID, placement string
}

// answer records that a session was shown products at a minute, and what it had seen until then: "A
// B+ C!" puts B into the cart and has bought C.
func (w *told) answer(session string, customer int32, minute int, version, history, shown string) {
	w.t.Helper()
	var browsed []string
	for code := range strings.FieldsSeq(history) {
		bare := strings.TrimRight(code, "+!")
		quantity := `"2"`
		if bare == code {
			quantity = "0"
		}
		browsed = append(browsed, fmt.Sprintf(`{"product_code":%q,"quantity":%s,"in_shopping_cart":%v%s}`, bare, quantity,
			bare != code,
			map[bool]string{true: `,"purchased":true`}[strings.HasSuffix(code, "!")]))
	}
	who := ""
	if customer != 0 {
		who = fmt.Sprintf(`"customer_number":%d,`, customer)
	}
	event := fmt.Sprintf(`{"session_id":%q,%s"own":{"a":[1]},"browse_history":[%s]}`, session, who, strings.Join(browsed,
		","))
	at := w.start.Add(time.Duration(minute) * time.Minute)
	r := activity.Record{Event: []byte(event), Recommendation: activity.Recommendation{
		ID: fmt.Sprintf("%s-%d", session, minute), EventID: w.eventID, ModelVersion: version, Source: activity.SourceSession,
		Experiment: w.experiment, Arm: w.arm, Placement: w.placement, GeneratedAt: at,
		Position: activity.Position{ArrivedAt: at}}}
	for code := range strings.FieldsSeq(shown) {
		r.RecommendedItems = append(r.RecommendedItems, activity.RecommendedItem{ID: code})
	}
	line, err := r.AppendLine(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.records.Write(line)
}

// said records an interaction event at a minute, which names a recommendation or none.
func (w *told) said(session, customer string, minute int, kind, code, recommendation string) {
	w.t.Helper()
	event := map[string]string{"type": "interaction", "kind": kind, "product_code": code}
	for name, value := range map[string]string{"session_id": session, "customer_number": customer,
		"recommendation_id": recommendation} {
		if value != "" {
			event[name] = value
		}
	}
	data, err := json.Marshal(event)
	if err != nil {
		w.t.Fatal(err)
	}
	line, err := activity.Record{Event: data, Recommendation: activity.Recommendation{
		ID: fmt.Sprintf("said-%s-%s-%d-%s", session, customer, minute, code), Source: activity.SourceState,
		Position: activity.Position{ArrivedAt: w.start.Add(time.Duration(minute) * time.Minute)}}}.AppendLine(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.records.Write(line)
}

// mustJob is feedback on what was told, with a lake of its own.
func (w *told) mustJob() feedback.Job {
	w.t.Helper()
	recommendations := objectstore.NewFolder(w.t.TempDir())
	if _, err := recommendations.Put(w.t.Context(), envconfig.RecommendationPrefix+"one",
		bytes.NewReader(w.records.Bytes()), int64(w.records.Len()), objectstore.Condition{}); err != nil {
		w.t.Fatal(err)
	}
	return feedback.Job{Recommendations: recommendations, Lake: objectstore.NewFolder(w.t.TempDir()),
		ScratchDir: w.t.TempDir(),
		DuckDB:     filepath.Join(mustPython(w.t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb"),
		Progress:   func(string, int64, int64) {}}
}

// TestFeedbackJudgesEachNamedRecommendation: it gets credit if it was made at most 7 days before the event that names
// it, for the same session or customer or for nobody who is known. Another name of the same visitor harms none.
func TestFeedbackJudgesEachNamedRecommendation(t *testing.T) {
	t.Parallel()
	w := &told{t: t, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	w.answer("other", 9, 0, "others", "", "A B C D")
	w.answer("mine", 0, 0, "session", "", "A")
	w.answer("zzz", 0, 0, "stranger", "", "A")
	w.said("mine", "", 1, "view", "A", "other-0") // of another visitor
	w.said("mine", "", 2, "view", "A", "mine-0")  // by the session, though a later name is another visitor's
	w.said("mine", "", 3, "cart", "A", "zzz-0")
	w.answer("late", 0, 9, "late", "", "B")
	w.said("late", "", 8, "view", "B", "late-9") // before it was made
	w.answer("old", 0, 0, "old", "", "B")
	w.said("old", "", 7*day+1, "view", "B", "old-0")
	w.answer("before", 7, 0, "customer", "", "C")
	w.said("after", "7", 7*day, "view", "C", "before-0") // by the customer, at the end of the 7 days
	w.eventID = "bare"
	w.answer("bare", 0, 0, "nobody", "", "D")
	w.said("some", "", 1, "purchase", "D", "bare-0")
	w.said("some", "", 2, "purchase", "D", "")
	r, err := w.mustJob().Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	viewed := map[string]int64{}
	for _, h := range r.HitRates {
		viewed[h.ModelVersion] += h.Viewed
	}
	want := map[string]int64{"others": 0, "session": 1, "stranger": 0, "late": 0, "old": 0, "customer": 1, "nobody": 1}
	if diff := cmp.Diff(want, viewed); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}
}

// TestFeedbackCountsPlacements each by itself, though one version answers all strips of a page.
func TestFeedbackCountsPlacements(t *testing.T) {
	t.Parallel()
	w := &told{t: t, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	for minute, placement := range []string{"home", "cart", ""} {
		w.placement = placement
		w.answer("s", 0, minute, "m1", "", "A"+placement+" B"+placement)
	}
	w.said("s", "", 5, "view", "Ahome", "")
	w.said("s", "", 6, "purchase", "Bcart", "s-1")
	r, err := w.mustJob().Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rates []string
	for _, h := range r.HitRates {
		rates = append(rates, fmt.Sprintf("%q %d: %d of %d, %d bought", h.Placement, h.Place, h.Viewed, h.Shown, h.Bought))
	}
	want := []string{`"" 1: 0 of 1, 0 bought`, `"" 2: 0 of 1, 0 bought`, `"cart" 1: 0 of 1, 0 bought`,
		`"cart" 2: 1 of 1, 1 bought`, `"home" 1: 1 of 1, 0 bought`, `"home" 2: 0 of 1, 0 bought`}
	if diff := cmp.Diff(want, rates); diff != "" {
		t.Errorf("hit rates (-want +got):\n%s", diff)
	}
}

// TestFeedbackCreditsTheRecommendationThatAnEventNames: interaction events count as views, also without a session, and
// the recommendation that they name gets the credit before others.
func TestFeedbackCreditsTheRecommendationThatAnEventNames(t *testing.T) {
	t.Parallel()
	w := &told{t: t, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	w.eventID = "page"
	w.answer("page", 0, 0, "m1", "", "A B C") // a strip of similar products: of no known visitor
	w.eventID = ""
	w.answer("s1", 0, 1, "m2", "", "A")
	w.said("s1", "", 2, "view", "A", "page-0") // the strip, and not the later one of the session
	w.said("s1", "", 3, "purchase", "A", "page-0")
	w.said("s1", "", 3, "purchase", "A", "page-0") // delivered twice
	w.said("s1", "", 4, "rating", "B", "page-0")   // no view
	w.said("s1", "", 4, "view", "Z", "page-0")     // it did not show Z
	w.answer("s2", 7, 5, "m3", "", "D E")
	w.said("s2", "", 6, "cart", "D", "") // of the session's customer, by visitor
	w.said("", "7", 7, "view", "E", "")  // without a session
	w.said("", "8", 8, "view", "E", "nobody's")
	job := w.mustJob()
	r, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rates []string
	for _, h := range r.HitRates {
		rates = append(rates, fmt.Sprintf("%s %d: %d shown, %d viewed, %d carted, %d bought", h.ModelVersion, h.Place,
			h.Shown, h.Viewed, h.Carted, h.Bought))
	}
	want := []string{"m1 1: 1 shown, 1 viewed, 1 carted, 1 bought", "m1 2: 1 shown, 0 viewed, 0 carted, 0 bought",
		"m1 3: 1 shown, 0 viewed, 0 carted, 0 bought", "m2 1: 1 shown, 0 viewed, 0 carted, 0 bought",
		"m3 1: 1 shown, 1 viewed, 1 carted, 0 bought", "m3 2: 1 shown, 1 viewed, 0 carted, 0 bought"}
	if diff := cmp.Diff(want, rates); diff != "" || r.Unreadable.Count != 0 {
		t.Errorf("hit rates (-want +got), and %+v unreadable:\n%s", r.Unreadable, diff)
	}
	repository := commit.NewRepository(job.Lake, envconfig.FeedbackPrefix)
	m, err := repository.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := interaction.Read(t.Context(), repository, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(minute int) int64 { return w.start.Add(time.Duration(minute) * time.Minute).UnixMilli() }
	interactions := []interaction.Interaction{
		{CustomerID: "7", SessionID: "s2", ProductCode: "D", Action: interaction.Cart, OccurredAt: at(6)},
		{CustomerID: "7", ProductCode: "E", Action: interaction.View, OccurredAt: at(7)},
		{CustomerID: "8", ProductCode: "E", Action: interaction.View, OccurredAt: at(8)},
		{SessionID: "s1", ProductCode: "A", Action: interaction.Purchase, OccurredAt: at(3)},
		{SessionID: "s1", ProductCode: "Z", Action: interaction.View, OccurredAt: at(4)},
	}
	if diff := cmp.Diff(interactions, got); diff != "" {
		t.Errorf("interactions (-want +got):\n%s", diff)
	}
}

// day is in minutes.
const day = 24 * 60

// toldVisits are visits whose outcome is known.
func toldVisits(t *testing.T) *told {
	w := &told{t: t, start: time.Date(2026, 3, 1, 0, 0, 0, 500_000_000, time.UTC)}
	// Customer 7: B is shown twice and looked at after the second time; A is shown, never looked at; X
	// was their own idea.
	w.answer("s1", 7, 0, "m1", "", "A B")
	w.answer("s1", 7, 1, "m1", "X", "B A")
	w.answer("s1", 7, 2, "m1", "X B+", "C A")
	w.answer("s1", 7, 2, "m1", "X B+", "C A") // delivered twice
	w.answer("s1", 7, 3, "m1", "X B! C", "A")
	// They come back, to what they were shown in the session before: within 7 days, and after.
	w.answer("s2", 7, 2*day, "m2", "", "D")
	w.answer("s2", 7, 2*day+1, "m2", "A", "E")
	w.answer("s3", 7, 9*day+2, "m2", "E D", "")
	// Somebody else looks at A without having been shown it; an anonymous session who was, and says
	// who they are in the end.
	w.answer("s4", 8, 10, "m1", "A", "")
	w.answer("s5", 0, 20, "m1", "", "F G")
	w.answer("s5", 0, 21, "m1", "G", "")
	w.answer("s5", 9, 22, "m1", "G+", "")
	w.answer("s6", 0, 30, "m1", "", "F")
	w.answer("s6", 0, 31, "m1", "F", "")
	return w
}

// TestFeedbackCreditsTheLastRecommendationOfTheSameVisitor runs the joins in DuckDB on visits whose
// outcome is known.
func TestFeedbackCreditsTheLastRecommendationOfTheSameVisitor(t *testing.T) {
	t.Parallel()
	w := toldVisits(t)
	recommendations, lake := objectstore.NewFolder(t.TempDir()), objectstore.NewFolder(t.TempDir())
	put := func(key string, data []byte) {
		t.Helper()
		if _, err := recommendations.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)),
			objectstore.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	lines := bytes.SplitAfter(w.records.Bytes(), []byte("\n"))
	put(envconfig.RecommendationPrefix+"dt=2026-03-01/hour=00/one", bytes.TrimRight(bytes.Join(lines[:5], nil), "\n"))
	put(envconfig.RecommendationPrefix+"dt=2026-03-01/hour=01/two", bytes.Join(lines[5:], nil))
	put(envconfig.QuarantinePrefix+"x.json", []byte("not ours"))
	// The same visits to another shop: its customers and products have the same ids.
	elsewhere := bytes.ReplaceAll(w.records.Bytes(), []byte(`"recommendation":{"id":"rec-`),
		[]byte(`"recommendation":{"shop":"toys","id":"rec-toys-`))
	put(envconfig.RecommendationPrefix+"dt=2026-03-01/hour=02/toys", elsewhere)
	duckdb := filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")
	job := feedback.Job{Recommendations: recommendations, Lake: lake, Shop: "books", ScratchDir: t.TempDir(),
		DuckDB:   duckdb,
		Progress: func(string, int64, int64) {}}
	r, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rates []string
	for _, h := range r.HitRates {
		rates = append(rates, fmt.Sprintf("%s %s %d: %d shown, %d viewed, %d carted, %d bought", h.ModelVersion, h.Source,
			h.Place, h.Shown, h.Viewed, h.Carted, h.Bought))
	}
	want := []string{
		// A, B: viewed, C: viewed, A: viewed in s2, F: never, F: viewed
		"m1 session 1: 6 shown, 4 viewed, 1 carted, 1 bought",
		"m1 session 2: 4 shown, 1 viewed, 1 carted, 0 bought", // B, A, A: never, G: viewed
		"m2 session 1: 2 shown, 0 viewed, 0 carted, 0 bought", // D and E: too late
	}
	if diff := cmp.Diff(want, rates); diff != "" {
		t.Errorf("hit rates (-want +got):\n%s", diff)
	}
	repository := commit.NewRepository(lake, envconfig.FeedbackPrefix)
	m, err := repository.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := interaction.Read(t.Context(), repository, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(minute int) int64 { return w.start.Add(time.Duration(minute) * time.Minute).UnixMilli() }
	interactions := []interaction.Interaction{
		{CustomerID: "7", SessionID: "s2", ProductCode: "A", Action: interaction.View, OccurredAt: at(2*day + 1)},
		{CustomerID: "7", SessionID: "s1", ProductCode: "B", Action: interaction.Purchase, OccurredAt: at(3)},
		{CustomerID: "7", SessionID: "s1", ProductCode: "C", Action: interaction.View, OccurredAt: at(3)},
		{CustomerID: "7", SessionID: "s3", ProductCode: "D", Action: interaction.View, OccurredAt: at(9*day + 2)},
		{CustomerID: "7", SessionID: "s3", ProductCode: "E", Action: interaction.View, OccurredAt: at(9*day + 2)},
		{CustomerID: "7", SessionID: "s1", ProductCode: "X", Action: interaction.View, OccurredAt: at(1)},
		{CustomerID: "8", SessionID: "s4", ProductCode: "A", Action: interaction.View, OccurredAt: at(10)},
		{CustomerID: "9", SessionID: "s5", ProductCode: "G", Action: interaction.Cart, OccurredAt: at(22)},
		{SessionID: "s6", ProductCode: "F", Action: interaction.View, OccurredAt: at(31)},
	}
	if diff := cmp.Diff(interactions, got); diff != "" {
		t.Errorf("interactions (-want +got):\n%s", diff)
	}
	if again, err := job.Run(t.Context()); err != nil || !again.NoOp || again.Run != r.Run {
		t.Errorf("a second run made %+v, %v", again, err)
	}
	job.Recommendations = objectstore.NewFolder(t.TempDir())
	if none, err := job.Run(t.Context()); err != nil || none.Interactions != 0 || none.NoOp {
		t.Errorf("no record made %+v, %v", none, err)
	}
	job.DuckDB = filepath.Join(t.TempDir(), "duckdb")
	if _, err := job.Run(t.Context()); err == nil {
		t.Error("no DuckDB, and no error")
	}
	put(envconfig.RecommendationPrefix+"broken", []byte("{\n"))
	job.Recommendations, job.DuckDB = recommendations, duckdb
	damaged, err := job.Run(t.Context())
	if err != nil || !damaged.NoOp && damaged.Run != r.Run || damaged.Unreadable.Count != 1 ||
		!strings.Contains(damaged.Unreadable.Examples[0], envconfig.RecommendationPrefix+"broken line 1: ") {
		t.Errorf("with a damaged object: %+v, %v", damaged, err)
	}
}

// TestFeedbackSumsUpExperimentsByVisitor: a visitor counts with the first day, in the arm that the visitor
// saw; who saw both, and whose first day is not over, is counted apart.
func TestFeedbackSumsUpExperimentsByVisitor(t *testing.T) {
	t.Parallel()
	w := &told{t: t, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	w.answer("c0", 1, 0, "m1", "", "A B") // before the experiment
	w.experiment, w.arm = "new", "control"
	w.answer("c1", 1, 1, "m1", "A", "B C")       // the look at A is not credited to the experiment
	w.answer("c1", 1, 2, "m1", "A B+ C", "D")    // two hits of one page
	w.answer("c1", 1, 3, "m1", "A B! C", "E")    // bought
	w.answer("c2", 1, 2*day, "m1", "D E", "F")   // on another day
	w.answer("c3", 0, 5, "m1", "", "A")          // never looks
	w.answer("b1", 0, 6, "m1", "", "A")          // of a customer who saw both arms
	w.answer("late", 0, 2*day-10, "m1", "", "A") // whose day is not over
	w.answer("late", 0, 2*day-9, "m1", "A", "B") //
	w.arm = "treatment"                          //
	w.answer("b2", 2, 7, "m2", "", "A")          //
	w.answer("b1", 2, 8, "m2", "A", "B")         //
	w.answer("t1", 0, 9, "m2", "", "A B")        // logs in, and keeps the arm
	w.answer("t1", 3, 10, "m2", "A B+", "C")     //
	w.answer("t1", 3, 11, "m2", "A B+ C+", "")   //
	w.answer("t2", 3, 12, "m2", "", "D")         // the same customer in another session
	w.answer("t2", 3, 13, "m1", "D", "")         // the treatment could not answer
	w.experiment = "old"                         // another experiment at another time
	w.answer("o1", 0, 20, "m2", "", "A")         //
	job := w.mustJob()
	r, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []outcome.Row{
		{Experiment: "new", Part: outcome.Both, Visitors: 1, Pages: 3, PagesPages: 9, Hits: 1, HitsPages: 3, HitsHits: 1},
		{Experiment: "new", Part: outcome.Control, Visitors: 2, Pages: 4, PagesPages: 3*3 + 1, Hits: 1, HitsPages: 3,
			HitsHits: 1, Carts: 1, CartsCarts: 1, Purchases: 1, PurchasesPurchases: 1, Unpriced: 1},
		{Experiment: "new", Part: outcome.Treatment, Visitors: 1, Pages: 5, PagesPages: 25, Hits: 3, HitsPages: 15,
			HitsHits: 9, Carts: 2, CartsCarts: 4},
		{Experiment: "new", Part: outcome.Waiting, Visitors: 1, Pages: 2, PagesPages: 4, Hits: 1, HitsPages: 2, HitsHits: 1},
		{Experiment: "old", Part: outcome.Treatment, Visitors: 1, Pages: 1, PagesPages: 1},
	}
	if diff := cmp.Diff(want, r.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if rows, _, err := outcome.Read(t.Context(), job.Lake); err != nil || !cmp.Equal(rows, want) {
		t.Errorf("read %v, %v", rows, err)
	}
	if again, err := job.Run(t.Context()); err != nil || !again.NoOp {
		t.Errorf("a second run made %+v, %v", again, err)
	}
}

// stated records an event with fields of its own at a minute.
func (w *told) stated(minute int, event string) {
	w.t.Helper()
	line, err := activity.Record{Event: []byte(event), Recommendation: activity.Recommendation{
		ID: fmt.Sprintf("stated-%d-%d", minute, w.records.Len()), Source: activity.SourceState,
		Position: activity.Position{ArrivedAt: w.start.Add(time.Duration(minute) * time.Minute)}}}.AppendLine(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.records.Write(line)
}

// TestFeedbackSumsUpRevenue: what an event says was paid, else units times the last price that a product event had
// said by then; a history that repeats a purchase counts it once.
func TestFeedbackSumsUpRevenue(t *testing.T) {
	t.Parallel()
	w := &told{t: t, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	w.experiment, w.arm = "new", "control"
	w.stated(0, `{"type":"product","product_code":"B","price":"1.00"}`)
	w.stated(1, `{"type":"product","product_code":"B","price":3.25}`)
	w.stated(1, `{"type":"product","product_code":"C","stock":3}`)
	w.answer("c1", 0, 2, "m1", "", "A B C D")
	const purchase = `{"type":"interaction","kind":"purchase","session_id":"c1","product_code":`
	w.stated(3, purchase+`"A","quantity":2,"value":173.40}`)
	w.stated(4, purchase+`"A","quantity":1,"value":86.70}`) // another order
	w.stated(5, purchase+`"B","quantity":"2"}`)             // at its price
	w.stated(6, purchase+`"C"}`)                            // of no known price
	w.stated(6, purchase+`"D","value":-5}`)                 // a return takes nothing from the others
	w.answer("c1", 0, 7, "m1", "A! B!", "E")
	w.stated(8, `{"type":"product","product_code":"B","price":"99"}`) // too late
	w.answer("c2", 0, 10, "m1", "", "B")
	w.answer("c2", 0, 11, "m1", "B!", "E") // 2 units, said by the history, which repeats it
	w.answer("c2", 0, 12, "m1", "B!", "F")
	w.arm = "treatment"
	w.answer("t1", 0, 13, "m2", "", "A")
	w.answer("end", 0, 3*day, "m2", "", "A")
	job := w.mustJob()
	r, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const c1, c2 = 173.40 + 86.70 + 2*3.25, 2 * 99.0
	parts := map[outcome.Part]outcome.Row{}
	for _, row := range r.Outcomes {
		parts[row.Part] = row
	}
	control, everyone := parts[outcome.Control], parts[outcome.Everyone]
	if control.Unpriced != 1 || control.Purchases != 5 || parts[outcome.Treatment].Revenue != nil {
		t.Errorf("control %+v, treatment %+v", control, parts[outcome.Treatment])
	}
	for most, want := range map[float64]outcome.Capped{
		100:  {Cap: 100, Buyers: 2, Above: 2, Revenue: 200, Squares: 20_000},
		200:  {Cap: 200, Buyers: 2, Above: 1, Revenue: 200 + c2, Squares: 200*200 + c2*c2},
		1000: {Cap: 1000, Buyers: 2, Revenue: c1 + c2, Squares: c1*c1 + c2*c2},
	} {
		if diff := cmp.Diff(want, control.AtCap(most), cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("control with the cap %g (-want +got):\n%s", most, diff)
		}
		if diff := cmp.Diff(want, everyone.AtCap(most), cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("everyone with the cap %g (-want +got):\n%s", most, diff)
		}
	}
	if c, ok := outcome.CapAt(r.Outcomes, 0.99); !ok || c.Cap != 500 {
		t.Errorf("the cap is %+v", c)
	}
	if again, err := job.Run(t.Context()); err != nil || !again.NoOp {
		t.Errorf("a second run made %+v, %v", again, err)
	}
}

// dialects reads the joins as Athena does and as DuckDB does, and writes both in DuckDB's words.
// They differ in the two functions that DuckDB is given under Trino's names, and in nothing else.
const dialects = `
import sys, sqlglot
text = sys.stdin.read()
athena, duckdb = [[s.sql("duckdb") for s in sqlglot.parse(text, read=d) if s] for d in ("athena", "duckdb")]
assert len(athena) == len(duckdb) == text.count(";\n"), (len(athena), len(duckdb))
for a, d in zip(athena, duckdb):
    a = a.replace("ARRAY_LENGTH(", "CARDINALITY(").replace("GENERATE_SERIES(", "SEQUENCE(")
    assert a == d, a + "\n" + d
    print(d)
`

func TestFeedbackSQLMeansTheSameToAthenaAndDuckDB(t *testing.T) {
	t.Parallel()
	for _, shop := range []string{"", "books"} {
		var sql bytes.Buffer
		feedbackSQL := feedback.Command{SQL: true, Shop: envconfig.OnlyShop{Name: shop}}
		if err := feedbackSQL.Run(t.Context(), &program.Output{Stdout: &sql}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(sql.String(), "'books'") != (shop == "books") {
			t.Errorf("SQL of the shop %q: %s", shop, &sql)
		}
		command := exec.Command("python3", "-c", dialects)
		command.Env = append(os.Environ(), "PYTHONPATH="+mustPython(t, "sqlglot-30.30.0", "sqlglot==30.30.0"))
		command.Stdin = &sql
		out, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "feedback_interaction") {
			t.Errorf("%v: %s", err, out)
		}
	}
}
