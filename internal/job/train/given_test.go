package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/shop"
)

// givenBy is a version's vectors as another system would give them.
func givenBy(v *modelversion.Version, customers bool) *Given {
	g := &Given{Items: Named{File: "items.csv", Dim: v.Solver.Dim, Hash: "items"}}
	for _, item := range v.Items {
		g.Items.IDs, g.Items.Values = append(g.Items.IDs, item.Code), append(g.Items.Values, item.Vector...)
	}
	if customers {
		g.Customers = &Named{File: "users.csv", Dim: v.Solver.Dim, Hash: "users"}
		for _, c := range v.Customers {
			g.Customers.IDs, g.Customers.Values = append(g.Customers.IDs, c.ID), append(g.Customers.Values, c.Vector...)
		}
	}
	return g
}

// shuffled is n with its ids in a random order.
func shuffled(n Named) Named {
	n.IDs = slices.Clone(n.IDs)
	rand.New(rand.NewPCG(7, 7)).Shuffle(len(n.IDs), func(i, j int) { n.IDs[i], n.IDs[j] = n.IDs[j], n.IDs[i] })
	return n
}

// hasty is quick with little searching.
func hasty() Config {
	cfg := quick()
	cfg.TuneBudget = 0.03
	return cfg
}

func importNotes(t *testing.T, v *modelversion.Version) Notes {
	t.Helper()
	var notes Notes
	if err := json.Unmarshal(v.Training, &notes); err != nil || notes.Import == nil {
		t.Fatalf("the notes are %s, %v", v.Training, err)
	}
	return notes
}

// mustLearn fits a version of 16 components to all that a shop's customers did until a moment (zero:
// ever). It measures nothing.
func mustLearn(t *testing.T, scale float64, until time.Time) (*Data, *modelversion.Version) {
	t.Helper()
	_, data := mustShop(t, scale)
	known := *data.ordered()
	if !until.IsZero() {
		known.Ratings = slices.DeleteFunc(known.Ratings, func(r evaluation.Rating) bool { return r.RatedAt > until.Unix() })
	}
	cfg, signal := ials.Config{Dim: 16, Alpha0: 0.2, Lambda: 0.01, Nu: nu, Epochs: 6, Threads: 2}, hasty().Signal
	f, err := fit(t.Context(), &known, signal.cells(known.Ratings, nil), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := assemble(&known, f, choice{signal: signal, solver: cfg, weights: weights{view: 1, cart: 3}})
	v.ID = "m00000000000000a"
	return data, v
}

// TestTheGateJudgesGivenVectors: those of a good model pass, with and without customers. Shuffled ids
// of products, of customers, or of both, are refused.
func TestTheGateJudgesGivenVectors(t *testing.T) {
	t.Parallel()
	data, learned := mustLearn(t, 0.1, time.Time{})
	whole := givenBy(learned, true)
	users := shuffled(*whole.Customers)
	for name, test := range map[string]struct {
		given *Given
		want  modelversion.Outcome
	}{
		"items and customers": {whole, modelversion.OutcomePassed},
		"items alone":         {givenBy(learned, false), modelversion.OutcomePassed},
		"items shuffled": {&Given{Items: shuffled(whole.Items), Customers: whole.Customers},
			modelversion.OutcomeRefused},
		"customers shuffled":    {&Given{Items: whole.Items, Customers: &users}, modelversion.OutcomeRefused},
		"both shuffled":         {&Given{Items: shuffled(whole.Items), Customers: &users}, modelversion.OutcomeRefused},
		"items alone, shuffled": {&Given{Items: shuffled(whole.Items)}, modelversion.OutcomeRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := mustTrain(t, Trainer{Config: hasty(), Given: test.given}, data)
			if got := v.Report.Verdict.Decision(); got != test.want {
				t.Errorf("%s: %v", got, v.Report.Verdict.Reasons)
			}
			reasons := strings.Join(v.Report.Verdict.Reasons, " ")
			folded := slices.ContainsFunc(v.Report.Rows, func(r modelversion.Row) bool { return r.Name == RowFolded })
			if !strings.Contains(reasons, "--learned-until") || folded != (test.given.Customers != nil) {
				t.Errorf("reasons %s, rows %+v", reasons, v.Report.Rows)
			}
		})
	}
}

// TestGivenVectorsAreKept: whatever of the shop the other system knows, a version ranks as the given
// vectors do, bit by bit up to one factor; whoever has none has a vector of features or of what they
// did; and serving's equations fold a session in.
func TestGivenVectorsAreKept(t *testing.T) {
	t.Parallel()
	customers, products := smallShop()
	const shops = 30 // each is a training
	made, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if made++; made > shops && !failed { // a failure is tried again until it is small
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		var ratings []evaluation.Rating
		for c := range customers {
			for p := range products {
				if rng.IntN(3) == 0 {
					ratings = append(ratings, evaluation.Rating{Customer: int32(c), Product: int32(p), Stars: int8(3 + rng.IntN(3)),
						RatedAt: rng.Int64N(3)})
				}
			}
		}
		data := NewData(customers, products, ratings)
		dim, exponent := rapid.IntRange(2, 5).Draw(rt, "dim"), rapid.IntRange(-60, 60).Draw(rt, "exponent")
		known := rapid.Float64Range(0.3, 1).Draw(rt, "known")
		draw := func(file, prefix string, rows int) Named {
			n := Named{File: file, Dim: dim, Hash: file}
			for i := range rows + 3 { // three are unknown
				if rng.Float64() > known && i > 0 && i < rows {
					continue
				}
				n.IDs = append(n.IDs, fmt.Sprint(prefix, i))
				zero := i == 1
				for range dim {
					x := rng.NormFloat64()
					if zero {
						x = 0
					}
					n.Values = append(n.Values, float32(x))
				}
			}
			multiply(n.Values, powerOfTwo(1e-3)*float64(uint64(1)<<max(exponent, 0))/float64(uint64(1)<<max(-exponent, 0)))
			return n
		}
		given := &Given{Items: draw("items", "p", len(products)), MostUnknown: 1}
		if rapid.Bool().Draw(rt, "customers") {
			users := draw("users", "c", len(customers))
			given.Customers = &users
		}
		cfg := hasty()
		cfg.TuneBudget = 0.001
		v, err := (&Trainer{Config: cfg, Given: given, Threads: 1}).Train(t.Context(), data)
		if err != nil {
			rt.Fatal(err)
		}
		v.ID = "m0123456789abcde"
		if err := v.Validate(); err != nil {
			rt.Fatal(err)
		}
		notes := importNotes(t, v).Import
		items := map[string][]float32{}
		for _, item := range v.Items {
			items[item.Code] = item.Vector
		}
		kept := wantKept(rt, given.Items, notes.Items, notes.ItemScale, items)
		for _, item := range v.Items {
			if (item.Origin == modelversion.OriginTrained) != kept[item.Code] {
				rt.Fatalf("product %s is %s, given %t", item.Code, item.Origin, kept[item.Code])
			}
		}
		if given.Customers == nil {
			return
		}
		users := map[string][]float32{}
		for _, c := range v.Customers {
			users[c.ID] = c.Vector
		}
		wantKept(rt, *given.Customers, *notes.Customers, notes.CustomerScale, users)
	})
}

func smallShop() (customers []shop.Customer, products []shop.Product) {
	for i := range 30 {
		customers = append(customers, shop.Customer{ID: fmt.Sprint("c", i), Country: []string{"France", "Spain"}[i%2]})
	}
	for i := range 25 {
		products = append(products, shop.Product{Code: fmt.Sprint("p", i), Line: []string{"Cars", "Ships", "Planes"}[i%3]})
	}
	return customers, products
}

// wantKept compares the vectors of a version with the given ones, and says which are kept.
func wantKept(t *rapid.T, given Named, notes Joined, scale float64, got map[string][]float32) map[string]bool {
	if powerOfTwo(scale) != scale || notes.Given != len(given.IDs) || notes.Used+notes.Zero+notes.Unknown != notes.Given ||
		notes.Used+notes.Missing != len(got) {
		t.Fatalf("scale %g, counts %+v", scale, notes)
	}
	kept := map[string]bool{}
	for i, id := range given.IDs {
		own := slices.Clone(given.Values[i*given.Dim : (i+1)*given.Dim])
		zero := slices.Max(own) == 0 && slices.Min(own) == 0
		if multiply(own, scale); got[id] == nil || zero {
			continue
		}
		if kept[id] = true; !slices.Equal(own, got[id]) {
			t.Fatalf("the vector of %s is %v, want %v", id, got[id], own)
		}
	}
	if len(kept) != notes.Used {
		t.Fatalf("%d are kept, the notes say %d", len(kept), notes.Used)
	}
	return kept
}

// TestOnlyWhatCameLaterIsHeldOut: with the moment up to which vectors were learned, nothing before it is
// held out, and the figures no longer flatter.
func TestOnlyWhatCameLaterIsHeldOut(t *testing.T) {
	t.Parallel()
	until := time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)
	data, learned := mustLearn(t, 0.1, until)
	given := givenBy(learned, true)
	given.Until = until.Unix()
	honest := mustTrain(t, Trainer{Config: hasty(), Given: given}, data)
	ordered := data.ordered()
	cut := (&Trainer{Config: hasty(), Given: given}).split(ordered, ordered.Ratings)
	if len(cut.Train)+len(cut.Held) != len(ordered.Ratings) || len(cut.Held) == 0 ||
		slices.ContainsFunc(cut.Held, func(r evaluation.Rating) bool { return r.RatedAt <= given.Until }) {
		t.Errorf("%d held out of %d, some before %v", len(cut.Held), len(ordered.Ratings), until)
	}
	if honest.Report.TestPositives > len(cut.Held) || !strings.Contains(honest.Report.Split,
		"after the given vectors were learned") ||
		strings.Contains(strings.Join(honest.Report.Verdict.Reasons, " "), "too high") ||
		importNotes(t, honest).Import.LearnedUntil != given.Until {
		t.Errorf("the report is %+v", honest.Report)
	}
	_, all := mustLearn(t, 0.1, time.Time{})
	leaking := givenBy(all, true)
	leaking.Until = until.Unix() // which is not true
	flattered := mustTrain(t, Trainer{Config: hasty(), Given: leaking}, data)
	if honest.Report.Own().NDCG10 >= flattered.Report.Own().NDCG10 {
		t.Errorf("on the same held-out part, vectors that know it reach %.4f, and vectors that do not %.4f",
			flattered.Report.Own().NDCG10, honest.Report.Own().NDCG10)
	}
}

// TestGivenVectorsBesideTheLiveVersion: vectors that may know what is newer are uncompared with the live
// version if they win, and refused if they lose in spite of that.
func TestGivenVectorsBesideTheLiveVersion(t *testing.T) {
	t.Parallel()
	until := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	data, live := mustLearn(t, 0.1, until)
	_, good := mustLearn(t, 0.1, time.Time{})
	bad := givenBy(good, true)
	users := shuffled(*bad.Customers)
	bad.Customers = &users
	for name, test := range map[string]struct {
		given *Given
		want  modelversion.Outcome
	}{"good": {givenBy(good, true), modelversion.OutcomeUncompared}, "bad": {bad, modelversion.OutcomeRefused}} {
		v := mustTrain(t, Trainer{Config: hasty(), Given: test.given, Previous: live}, data)
		verdict := v.Report.Verdict
		if verdict.Decision() != test.want || v.Report.Live == nil {
			t.Errorf("%s: %+v", name, verdict)
		}
		if test.want == modelversion.OutcomeUncompared && (!verdict.Judged() || !slices.Equal(verdict.Missing,
			[]modelversion.Comparison{modelversion.WithLive})) {
			t.Errorf("%s: %+v", name, verdict)
		}
	}
	given := givenBy(live, true)
	given.Until = until.Unix()
	v := mustTrain(t, Trainer{Config: hasty(), Given: given, Previous: live}, data)
	if slices.Contains(v.Report.Verdict.Missing, modelversion.WithLive) || v.Report.Live == nil {
		t.Errorf("the live version's own vectors: %+v", v.Report.Verdict)
	}
}

// TestVectorsThatDoNotFit: the error says which file, and what to do.
func TestVectorsThatDoNotFit(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.05)
	code, customer := data.Products[0].ID, data.Customers[0].ID
	named := func(file string, dim int, ids ...string) Named {
		n := Named{File: file, Dim: dim, IDs: ids}
		for i := range len(ids) * dim {
			n.Values = append(n.Values, float32(i+1))
		}
		return n
	}
	other := named("users.csv", 3, customer)
	stranger := named("users.csv", 2, "no customer", "nobody")
	zero := named("items.csv", 2, code)
	zero.Values = make([]float32, 2)
	for name, test := range map[string]struct {
		given Given
		want  string
	}{
		"other dimensions": {Given{Items: named("items.csv", 2, code), Customers: &other}, "users.csv have 3"},
		"unknown products": {Given{Items: named("items.csv", 2, "x", "y")}, "none of the 2 ids in items.csv"},
		"too many unknown": {Given{Items: named("items.csv", 2, "x", "y", code), MostUnknown: 0.5},
			"2 of the 3 ids in items.csv"},
		"unknown customers": {Given{Items: named("items.csv", 2, code), Customers: &stranger, MostUnknown: 1},
			"none of the 2 ids in users.csv"},
		"nothing but zeros": {Given{Items: zero}, "all vectors in items.csv are zero"},
	} {
		_, err := (&Trainer{Config: hasty(), Given: &test.given}).Train(t.Context(), data)
		if !errors.Is(err, ErrGiven) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheScaleOfGivenVectorsDoesNotMatter: times any powers of two the version is the same, and times
// any factor the order of products is.
func TestTheScaleOfGivenVectorsDoesNotMatter(t *testing.T) {
	t.Parallel()
	data, learned := mustLearn(t, 0.05, time.Time{})
	version := func(itemFactor, customerFactor float64) *modelversion.Version {
		g := givenBy(learned, true)
		multiply(g.Items.Values, itemFactor)
		multiply(g.Customers.Values, customerFactor)
		v := mustTrain(t, Trainer{Config: hasty(), Given: g}, data)
		v.TrainedAt, v.Training = time.Time{}, nil
		return v
	}
	first := version(1, 1)
	if second := version(1<<20, 1.0/(1<<30)); !reflect.DeepEqual(first, second) {
		t.Error("other powers of two give another version")
	}
	third := version(3, 0.7)
	for c := range first.Customers {
		if a, b := best(first, c), best(third, c); a != b {
			t.Errorf("customer %d sees %s first, and %s with other lengths", c, a, b)
		}
	}
}

// best is the product with the largest score.
func best(v *modelversion.Version, customer int) string {
	return slices.MaxFunc(v.Items, func(a, b modelversion.Item) int {
		return cmp.Compare(dot(v.Customers[customer].Vector, a.Vector), dot(v.Customers[customer].Vector, b.Vector))
	}).Code
}
