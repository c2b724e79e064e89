package recommend_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// tester is a test, or a run of a property.
type tester interface {
	Fatal(args ...any)
	Context() context.Context
}

// begin is when the sessions of these tests begin.
var begin = time.Now().Add(-time.Hour)

// placed reads an event as the n-th of its stream.
func placed(t tester, n int, data string) *activity.Event { return itemAt(t, n, data).Event }

// itemAt is placed, with the event's bytes and position.
func itemAt(t tester, n int, data string) activity.Item {
	item := activity.Read(nil, activity.Position{Stream: "s", Shard: "0", SequenceNumber: fmt.Sprint(1000 + n),
		ArrivedAt: begin.Add(time.Duration(n) * time.Second)}, []byte(data))[0]
	if item.Fault != nil {
		t.Fatal(item.Fault)
	}
	return item
}

func mustWrite(t tester, store *recommendtest.Store, events ...*activity.Event) {
	var state recommend.State
	for _, e := range events {
		state.Add(e)
	}
	if err := store.WriteState(t.Context(), state); err != nil {
		t.Fatal(err)
	}
}

// clickText draws one entry of a browse history.
func clickText(t *rapid.T) string {
	entry := fmt.Sprintf(`{"product_code":"L%d_%02d","quantity":1`, rapid.IntRange(0, 4).Draw(t, "line"),
		rapid.IntRange(0, 19).Draw(t, "number"))
	if rapid.IntRange(0, 3).Draw(t, "in the cart") == 0 {
		entry += `,"in_shopping_cart":true`
	}
	if rapid.IntRange(0, 5).Draw(t, "bought") == 0 {
		entry += `,"purchased":true`
	}
	return entry + `}`
}

// TestASessionInPiecesIsAnsweredAsAWhole cuts sessions in any way into events that say only what is new.
// They are answered as events that say all, in whatever order the events of sessions follow each other,
// also when they are asked again after everything behind them is written.
func TestASessionInPiecesIsAnsweredAsAWhole(t *testing.T) {
	t.Parallel()
	version := recommendtest.Version("m1")
	recommendtest.AddNeighbours(version, 5, 7)
	rapid.Check(t, func(t *rapid.T) {
		whole, pieces := recommendtest.NewStore(version), recommendtest.NewStore(version)
		ofWhole, ofPieces := recommend.New(whole), recommend.New(pieces)
		histories := map[string]string{}
		var asked []*activity.Event
		var first []recommend.Answer
		for n := range rapid.IntRange(1, 12).Draw(t, "events") {
			session := fmt.Sprint("s", rapid.IntRange(0, 2).Draw(t, "session"))
			fields := fmt.Sprintf(`{"session_id":%q`, session)
			if rapid.Bool().Draw(t, "has an id") {
				fields += fmt.Sprintf(`,"event_id":"e%d"`, n)
			}
			if session != "s0" && rapid.Bool().Draw(t, "logged in") { // a customer has one session here
				fields += fmt.Sprintf(`,"customer_number":%q`, "10"+session[1:])
			}
			added := ""
			for i := range rapid.IntRange(0, 4).Draw(t, "clicks") {
				if i > 0 {
					added += ","
				}
				added += clickText(t)
			}
			if histories[session] != "" && added != "" {
				histories[session] += ","
			}
			histories[session] += added
			full := placed(t, n, fields+`,"browse_history":[`+histories[session]+`]}`)
			piece := placed(t, n, fields+`,"continues_session":true,"browse_history":[`+added+`]}`)
			mustWrite(t, whole, full)
			mustWrite(t, pieces, piece)
			want, got := mustAnswer(t, ofWhole, full), mustAnswer(t, ofPieces, piece)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("event %d: the whole and the piece: %s", n, diff)
			}
			asked, first = append(asked, piece), append(first, got)
		}
		mustWrite(t, pieces, rapid.Permutation(asked).Draw(t, "again")...)
		for i, e := range asked {
			if diff := cmp.Diff(first[i], mustAnswer(t, ofPieces, e)); diff != "" {
				t.Fatalf("event %d, asked again: %s", i, diff)
			}
		}
	})
}

func mustAnswer(t tester, r *recommend.Recommender, e *activity.Event) recommend.Answer {
	answers, err := r.Batch(t.Context(), []*activity.Event{e})
	if err != nil {
		t.Fatal(err)
	}
	return answers[0]
}

// TestASessionJoinsItsCustomerOnce: what a visitor did before the login moves the customer's answers over
// HTTP and in other sessions, but no earlier event, and nobody else.
func TestASessionJoinsItsCustomerOnce(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	r := recommend.New(store)
	click := func(n int, session, customer, code string) *activity.Event {
		if customer != "" {
			customer = `,"customer_number":"` + customer + `"`
		}
		return placed(t, n, fmt.Sprintf(`{"session_id":%q%s,"continues_session":true,"browse_history":[{"product_code":%q,`+
			`"quantity":1,"in_shopping_cart":true}]}`, session, customer, code))
	}
	line := func(e *activity.Event) string { return codes(mustAnswer(t, r, e))[0][:2] }
	get := event("new", "")
	get.SessionID = ""
	early := placed(t, 1, `{"session_id":"B","customer_number":"new","browse_history":[]}`)
	before, earlyBefore := codes(mustAnswer(t, r, get)), codes(mustAnswer(t, r, early))
	visits := []*activity.Event{click(2, "A", "", "L2_07"), click(3, "A", "", "L2_08")}
	mustWrite(t, store, visits...)
	if got := codes(mustAnswer(t, r, get)); !slices.Equal(got, before) {
		t.Errorf("before the login: %v, want %v", got, before)
	}
	login := placed(t, 4, `{"session_id":"A","customer_number":"new","continues_session":true,"browse_history":[]}`)
	later := placed(t, 5, `{"session_id":"A","customer_number":"other","continues_session":true,"browse_history":[]}`)
	late := placed(t, 6, `{"session_id":"B","customer_number":"new","browse_history":[]}`)
	for range 2 {
		mustWrite(t, store, login, later)
		for name, e := range map[string]*activity.Event{"GET": get, "session B": late, "session A": login} {
			if got := mustAnswer(t, r, e); line(e) != "L2" || got.Source != activity.SourceSession ||
				slices.Contains(codes(got), "L2_07") || got.Items[0].Because == "" {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if got := codes(mustAnswer(t, r, early)); !slices.Equal(got, earlyBefore) {
			t.Errorf("an event before: %v, want %v", got, earlyBefore)
		}
		other := event("other", "")
		other.SessionID = ""
		if got := mustAnswer(t, r, other); got.Source != activity.SourcePopularity {
			t.Errorf("the session's second customer: %+v", got)
		}
	}
	forget := placed(t, 7, `{"type":"customer","customer_number":"new","forget":true}`)
	mustWrite(t, store, forget)
	mustWrite(t, store, append(visits, login)...)
	if got := codes(mustAnswer(t, r, get)); !slices.Equal(got, before) {
		t.Errorf("after the forgetting: %v, want %v", got, before)
	}
}

// TestInteractionsMoveAnswers: what is noticed elsewhere than on a page counts in the session and for the
// customer. What is taken out of the cart counts as viewed.
func TestInteractionsMoveAnswers(t *testing.T) {
	t.Parallel()
	say := func(n int, kind, code, more string) *activity.Event {
		return placed(t, n, fmt.Sprintf(`{"type":"interaction","kind":%q,"product_code":%q%s}`, kind, code, more))
	}
	ask := func(events ...*activity.Event) (answers []recommend.Answer) {
		store := recommendtest.NewStore(recommendtest.Version("m1"))
		mustWrite(t, store, events...)
		id := activity.ID("new")
		for _, e := range []*activity.Event{placed(t, 50, `{"session_id":"A","continues_session":true,"browse_history":[]}`),
			{CustomerID: &id}} {
			answers = append(answers, mustAnswer(t, recommend.New(store), e))
		}
		return answers
	}
	const session, customer = `,"session_id":"A"`, `,"customer_number":"new"`
	view := ask(say(1, "view", "L2_07", session))
	cart := ask(say(1, "cart", "L2_07", session))
	if view[0].Source != activity.SourceSession || view[1].Source != activity.SourcePopularity ||
		view[0].Items[0].Score >= cart[0].Items[0].Score {
		t.Errorf("a view: %+v\na cart: %+v", view, cart)
	}
	for name, same := range map[string][]recommend.Answer{
		"removed":        ask(say(1, "cart", "L2_07", session), say(2, "remove", "L2_07", session)),
		"removed, late":  ask(say(2, "remove", "L2_07", session), say(1, "cart", "L2_07", session)),
		"rated":          ask(say(1, "rating", "L2_07", session+`,"value":5`)),
		"by its time":    ask(say(1, "remove", "L2_07", session), say(2, "cart", "L2_07", session+earlier)),
		"removed unseen": ask(say(1, "view", "L2_07", session), say(2, "remove", "L2_08", session)),
	} {
		if diff := cmp.Diff(view, same); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	bought := ask(say(1, "purchase", "L2_07", customer+`,"quantity":2`))
	if bought[0].Source != activity.SourcePopularity || bought[1].Source != activity.SourceSession ||
		slices.Contains(codes(bought[1]), "L2_07") {
		t.Errorf("bought outside of sessions: %+v", bought)
	}
}

// earlier is a time before begin.
var earlier = `,"occurred_at":"` + begin.Add(-time.Minute).Format(time.RFC3339) + `"`

// TestOldVisitsDoNotCount: neither those of long ago, nor those with many newer ones.
func TestOldVisitsDoNotCount(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	old := placed(t, 1, `{"session_id":"A","continues_session":true,"browse_history":[{"product_code":"L2_07"}]}`)
	old.Visit.Place.At = begin.Add(-recommend.KeptFor - time.Minute)
	mustWrite(t, store, old)
	empty := placed(t, 2, `{"session_id":"A","continues_session":true,"browse_history":[]}`)
	if got := mustAnswer(t, recommend.New(store), empty); got.Source != activity.SourcePopularity {
		t.Errorf("after a week: %+v", got)
	}
	var many []*activity.Event
	for n := range activity.MaxKept {
		many = append(many, placed(t, 3+n, `{"session_id":"B","continues_session":true,"browse_history":[`+
			`{"product_code":"L1_0`+fmt.Sprint(n%10)+`"}]}`))
	}
	mustWrite(t, store, append(many, placed(t, 2, `{"session_id":"B","continues_session":true,"browse_history":[`+
		`{"product_code":"L2_07"}]}`))...)
	last := mustAnswer(t, recommend.New(store),
		placed(t, 500, `{"session_id":"B","continues_session":true,"browse_history":[]}`))
	for _, it := range last.Items {
		if it.Because == "L2_07" {
			t.Errorf("%+v", last)
		}
	}
}

// TestWhatCameAfterAnEventDoesNotMoveItsAnswer: however much of its session and its customer it is.
func TestWhatCameAfterAnEventDoesNotMoveItsAnswer(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	click := func(n int, session, code string) *activity.Event {
		return placed(t, n, fmt.Sprintf(`{"session_id":%q,"customer_number":"new","continues_session":true,"browse_history":[`+
			`{"product_code":%q}]}`, session, code))
	}
	events := []*activity.Event{click(1, "A", "L2_07"), click(2, "B", "L2_08"), click(3, "A", "L2_09")}
	mustWrite(t, store, events...)
	want := mustAnswer(t, recommend.New(store), events[2])
	for n := range recommend.LookedUp {
		mustWrite(t, store, click(10+2*n, "A", "L1_01"), click(11+2*n, "B", "L1_02"))
	}
	if diff := cmp.Diff(want, mustAnswer(t, recommend.New(store), events[2])); diff != "" {
		t.Error(diff)
	}
}
