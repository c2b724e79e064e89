package train

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"kindred/internal/lake/interaction"
	"kindred/internal/model/evaluation"
)

// TestSessionsWithoutACustomerAreCollected: those that have looked at two known products or more.
func TestSessionsWithoutACustomerAreCollected(t *testing.T) {
	t.Parallel()
	data := &Data{Customers: []Customer{{ID: "7"}}, Products: []Product{{ID: "a"}, {ID: "b"}, {ID: "c"}}}
	data.addFeedback([]interaction.Interaction{
		{CustomerID: "7", SessionID: "known", ProductCode: "a", Action: interaction.Cart},
		{CustomerID: "8", SessionID: "stranger", ProductCode: "a", Action: interaction.Cart},
		{CustomerID: "8", SessionID: "stranger", ProductCode: "b", Action: interaction.Cart},
		{SessionID: "two", ProductCode: "c", Action: interaction.View},
		{SessionID: "one", ProductCode: "a", Action: interaction.View},
		{SessionID: "twice", ProductCode: "a", Action: interaction.View},
		{SessionID: "twice", ProductCode: "a", Action: interaction.Cart},
		{SessionID: "two", ProductCode: "b", Action: interaction.Purchase},
		{SessionID: "unknown", ProductCode: "a", Action: interaction.View},
		{SessionID: "unknown", ProductCode: "z", Action: interaction.View},
		{ProductCode: "a", Action: interaction.View}, // nobody's, in a file of before
	})
	if want := [][]int32{{1, 2}}; !slices.EqualFunc(data.Sessions, want, slices.Equal) || len(data.Feedback) != 1 {
		t.Errorf("sessions %v, want %v; feedback %v", data.Sessions, want, data.Feedback)
	}
	if rows := data.withSessions(); len(rows.Customers) != 2 || !rows.guest(1) || len(rows.Feedback) != 3 ||
		len(data.Customers) != 1 || len(data.Feedback) != 1 {
		t.Errorf("with sessions %+v, without %+v", rows, data)
	}
}

// withTaste makes sessions of what some customers like, and takes these customers away.
func withTaste(data *Data, keep int32) (sessions [][]int32) {
	liked := map[int32][]int32{}
	for _, r := range data.Ratings {
		if r.Customer >= keep && r.Stars >= defaultMinStars {
			liked[r.Customer] = append(liked[r.Customer], r.Product)
		}
	}
	for c := keep; c < int32(len(data.Customers)); c++ {
		slices.Sort(liked[c])
		for session := range slices.Chunk(liked[c], 6) {
			if len(session) > 1 {
				sessions = append(sessions, slices.Clone(session))
			}
		}
	}
	data.Customers = data.Customers[:keep]
	data.Ratings = slices.DeleteFunc(data.Ratings, func(r evaluation.Rating) bool { return r.Customer >= keep })
	return sessions
}

// TestSessionsTeachWhereTheyHelp: a shop with few customers learns from the sessions of visitors with the
// same tastes, whatever their order, and not from clicks at random.
func TestSessionsTeachWhereTheyHelp(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.4)
	sessions := withTaste(data, 250)
	cfg := quick()
	cfg.TuneBudget = 20
	run := func(sessions [][]int32, tried string) Notes {
		given := *data
		given.Sessions = sessions
		cfg.Sessions = tried
		v := mustTrain(t, Trainer{Config: cfg}, &given)
		if len(v.Customers) != len(data.Customers) {
			t.Fatalf("the version has %d customers, the shop %d", len(v.Customers), len(data.Customers))
		}
		return mustNotes(t, v)
	}
	random, noise := rand.New(rand.NewPCG(1, 2)), make([][]int32, len(sessions))
	for i := range noise {
		for range sessions[i] {
			noise[i] = append(noise[i], random.Int32N(int32(len(data.Products))))
		}
		slices.Sort(noise[i])
		noise[i] = slices.Compact(noise[i])
	}
	used := run(sessions, SessionsAuto)
	if used.UsedSessions == nil || used.UsedSessions.Low <= 0 || used.Sessions != len(sessions) {
		t.Errorf("sessions by taste: %+v of %d sessions", used.UsedSessions, used.Sessions)
	}
	random.Shuffle(len(sessions), func(i, j int) { sessions[i], sessions[j] = sessions[j], sessions[i] })
	if again := run(sessions, SessionsAuto); *again.UsedSessions != *used.UsedSessions {
		t.Errorf("in another order: %+v, not %+v", again.UsedSessions, used.UsedSessions)
	}
	if notes := run(noise, SessionsAuto); notes.UsedSessions != nil {
		t.Errorf("clicks at random teach: %+v", notes.UsedSessions)
	}
	if notes := run(sessions, SessionsNone); notes.UsedSessions != nil {
		t.Errorf("not to be tried: %+v", notes.UsedSessions)
	}
}

// TestOrderOfSessionsDoesNotMatter: the data are the same in any order of products and sessions.
func TestOrderOfSessionsDoesNotMatter(t *testing.T) {
	t.Parallel()
	data := &Data{Ratings: []evaluation.Rating{{Customer: 0, Product: 1, Stars: 5}}}
	for i := range 4 {
		data.Products = append(data.Products, Product{ID: strconv.Itoa(i), Numbers: []Number{{"price", float64(i)}},
			colour: uint64(10 + i)})
	}
	data.Customers = []Customer{{ID: "7", colour: nodeCustomer}}
	data.Sessions = [][]int32{{0, 3}, {1, 2}, {0, 1, 2}}
	other := *data
	other.Products = slices.Clone(data.Products)
	slices.Reverse(other.Products)
	other.Ratings = []evaluation.Rating{{Customer: 0, Product: 2, Stars: 5}}
	other.Sessions = [][]int32{{1, 2, 3}, {0, 3}, {1, 2}}
	if a, b := data.ordered().Sessions, other.ordered().Sessions; !slices.EqualFunc(a, b, slices.Equal) {
		t.Errorf("%v and %v", a, b)
	}
}
