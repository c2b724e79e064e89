package train

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/lake/interaction"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
)

const day = 24 * 60 * 60

// shelf is three products, of which the second is tea.
func shelf() []Product {
	return []Product{{ID: "a", Categories: []string{"cups"}}, {ID: "b", Categories: []string{"tea"}}, {ID: "c"}, {ID: "d"}}
}

// TestTheEvaluationFollowsTheRules: customer 0 has bought a on day 1 and 20, b on day 2 and again on
// day 50, and what is held out, c, on day 40.
func TestTheEvaluationFollowsTheRules(t *testing.T) {
	t.Parallel()
	data := &Data{Customers: make([]Customer, 1), Products: shelf(), Counted: true, Feedback: []Feedback{
		{0, 0, interaction.Purchase, 20 * day}, {0, 1, interaction.Purchase, 50 * day}, {0, 3, interaction.View, 50 * day}}}
	train := []evaluation.Rating{{Product: 0, Stars: fiveStars, RatedAt: day}, {Product: 1, Stars: fiveStars,
		RatedAt: 2 * day},
		{Product: 3, Stars: 1, RatedAt: 3 * day}}
	held := []evaluation.Rating{{Product: 2, Stars: fiveStars, RatedAt: 40 * day}}
	for name, test := range map[string]struct {
		rules          []string
		seen, relevant []int32
		limit          map[int32]int64
	}{
		"hide":                    {nil, []int32{0, 1, 3}, []int32{2}, nil},
		"show":                    {[]string{"show"}, nil, []int32{1, 2}, nil},
		"after 30 days":           {[]string{"after=30d"}, []int32{0}, []int32{1, 2}, nil}, // a was bought 20 days before
		"after 60 days":           {[]string{"after=60d"}, []int32{0, 1, 3}, []int32{2}, nil},
		"tea alone":               {[]string{"tea=show"}, []int32{0, 3}, []int32{1, 2}, nil},
		"all but tea":             {[]string{"show", "tea=hide"}, []int32{1}, []int32{2}, nil},
		"before it was bought":    {[]string{"show"}, nil, []int32{2}, map[int32]int64{0: 45 * day}},
		"after it had been found": {[]string{"show"}, nil, []int32{1, 2}, map[int32]int64{0: 60 * day}},
	} {
		repeats, err := modelversion.ParseRepeats(test.rules)
		if err != nil {
			t.Fatal(err)
		}
		trainer := Trainer{Config: DefaultConfig()}
		task := trainer.task(data, evaluation.Cut{Train: train, Held: held}, test.limit, repeats, repeats)
		if len(task.Cases) != 1 || !slices.Equal(task.Cases[0].Seen, test.seen) || !slices.Equal(task.Cases[0].Relevant,
			test.relevant) {
			t.Errorf("%s: %+v, want seen %v and relevant %v", name, task.Cases, test.seen, test.relevant)
		}
	}
	held[0].RatedAt = 0
	trainer, show := Trainer{Config: DefaultConfig()}, &modelversion.Repeats{Rule: modelversion.RepeatShow}
	if task := trainer.task(data, evaluation.Cut{Train: train, Held: held}, nil, show,
		show); !slices.Equal(task.Cases[0].Seen, []int32{0, 1, 3}) {
		t.Errorf("without times: %+v", task.Cases)
	}
}

// TestAVersionKnowsWhenThingsWereBought compares what a version says of random purchases with a count
// of them.
func TestAVersionKnowsWhenThingsWereBought(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := map[int32]purchase{}
		for range rapid.IntRange(0, 12).Draw(t, "purchases") {
			p, at := int32(rapid.IntRange(0, 3).Draw(t, "product")), rapid.Int64Range(0, 100).Draw(t, "at")
			want[p] = purchase{max(want[p].last, at), want[p].count + 1}
		}
		for _, times := range []bool{false, true} {
			var c modelversion.Customer
			history(&c, shelf(), want, times)
			if !slices.IsSorted(c.Rated) || len(c.Rated) != len(want) || !times && (c.Last != nil || c.Count != nil) {
				t.Fatalf("%+v of %v", c, want)
			}
			for i := range c.Last {
				p := want[int32(slices.IndexFunc(shelf(), func(p Product) bool { return p.ID == c.Rated[i] }))]
				if got := (purchase{c.Last[i], c.Count[i]}); got != p {
					t.Fatalf("product %s: %+v, want %+v", c.Rated[i], got, p)
				}
			}
		}
	})
}

// TestAutoShowsWhatIsBoughtAgain lets the validation part choose: a shop whose customers buy again
// what they liked shows it, and a shop whose customers do not hides it.
func TestAutoShowsWhatIsBoughtAgain(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{true, false} {
		_, data := mustShop(t, 0.1)
		if again {
			of := map[int32][]evaluation.Rating{}
			for _, r := range data.Ratings {
				of[r.Customer] = append(of[r.Customer], r)
			}
			for _, own := range of {
				slices.SortFunc(own, func(a, b evaluation.Rating) int { return cmp.Compare(a.RatedAt, b.RatedAt) })
				for _, r := range own[:len(own)/2] { // between the first rating that validation holds out and the test's
					data.Feedback = append(data.Feedback, Feedback{r.Customer, r.Product, interaction.Purchase,
						own[len(own)*7/10].RatedAt})
				}
			}
		}
		cfg := quick()
		cfg.TuneRepeats = true
		v := mustTrain(t, Trainer{Config: cfg}, data)
		var notes Notes
		if err := json.Unmarshal(v.Training, &notes); err != nil {
			t.Fatal(err)
		}
		if (v.Repeats != nil) != again || len(notes.RepeatsTried) != 5 ||
			notes.RepeatsTried[0].Rule != modelversion.RepeatHide {
			t.Errorf("bought again: %t; the rule is %v of %+v", again, v.Repeats, notes.RepeatsTried)
		}
		for _, tried := range notes.RepeatsTried {
			if again && tried.Rule == v.Repeats.Rule && !(tried.Low > 0) || !again && tried.Low > 0 {
				t.Errorf("bought again: %t; the rule is %v of %+v", again, v.Repeats, notes.RepeatsTried)
			}
		}
	}
}
