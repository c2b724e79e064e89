package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/outcome"
	"kindred/internal/model/sequential"
	"kindred/internal/serving/vectorstore"
)

// listed is a list of experiments, and notes how the last one ended.
type listedExperiments struct {
	all      []vectorstore.Experiment
	decision sequential.Decision
	why      string
	fault    error
}

func (l *listedExperiments) Experiments(context.Context) ([]vectorstore.Experiment, error) {
	return l.all, nil
}

func (l *listedExperiments) EndExperiment(_ context.Context, name string, decision sequential.Decision, why string,
	_ vectorstore.PromoteOptions) error {
	if name != l.all[len(l.all)-1].Name {
		return vectorstore.ErrNoExperiment
	}
	l.decision, l.why = decision, why
	return l.fault
}

// row sums up visitors who have a hit on so many of their pages.
func row(rng *rand.Rand, part outcome.Part, visitors int, liking float64) outcome.Row {
	r := outcome.Row{Experiment: "new", Part: part, Visitors: int64(visitors)}
	for range visitors {
		pages, hits, bought := int64(1+rng.IntN(5)), int64(0), int64(0)
		for range pages {
			if rng.Float64() < liking {
				hits++
			}
		}
		if rng.Float64() < liking/5 {
			bought = 1 + int64(rng.IntN(2))
		}
		r.Pages, r.Hits, r.Purchases = r.Pages+pages, r.Hits+hits, r.Purchases+bought
		r.PagesPages, r.HitsPages, r.HitsHits = r.PagesPages+pages*pages, r.HitsPages+hits*pages, r.HitsHits+hits*hits
		r.PurchasesPurchases += bought * bought
	}
	return r
}

func lakeOf(t *testing.T, rows ...outcome.Row) objectstore.Store {
	t.Helper()
	lake, dir := objectstore.NewFolder(t.TempDir()), t.TempDir()
	data, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, outcome.File), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := outcome.Commit(t.Context(), lake, dir); err != nil {
		t.Fatal(err)
	}
	return lake
}

// TestTheOutcomeDecides: by the experiment's own outcome, in the words that the history keeps.
func TestTheOutcomeDecides(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 4))
	of := func(visitors int, control, treatment float64) []outcome.Row {
		return []outcome.Row{row(rng, outcome.Control, visitors, control), row(rng, outcome.Treatment, visitors, treatment),
			{Experiment: "new", Part: outcome.Both, Visitors: 7, Pages: 70}, {Experiment: "old", Part: outcome.Control,
				Visitors: 9000, Pages: 9000}}
	}
	better, worse, equal := of(4000, 0.3, 0.35), of(4000, 0.35, 0.3), of(4000, 0.3, 0.3)
	for name, c := range map[string]struct {
		rows        []outcome.Row
		outcome     vectorstore.Outcome
		maxVisitors int64
		want        sequential.Decision
		why         string
	}{
		"better":                  {better, vectorstore.OutcomeHits, 20_000, sequential.Promote, "hits 0.3"},
		"worse":                   {worse, vectorstore.OutcomeHits, 20_000, sequential.RollBack, "by 8000 visitors"},
		"too early":               {equal, vectorstore.OutcomeHits, 20_000, sequential.Undecided, ""},
		"the most visitors":       {equal, vectorstore.OutcomeHits, 8_000, sequential.Inconclusive, "difference "},
		"by another outcome":      {better, vectorstore.OutcomePurchases, 20_000, sequential.Undecided, ""},
		"of what nobody did":      {better, vectorstore.OutcomeCarts, 8_000, sequential.Inconclusive, "too few"},
		"of another experiment":   {better[3:], vectorstore.OutcomeHits, 20_000, sequential.Undecided, ""},
		"without any outcome yet": {nil, vectorstore.OutcomeHits, 20_000, sequential.Undecided, ""},
	} {
		ended := time.Now()
		l := &listedExperiments{all: []vectorstore.Experiment{{Name: "old", EndedAt: &ended}, {Name: "new",
			Outcome: c.outcome, Rule: sequential.Rule{Error: 0.05, MaxVisitors: c.maxVisitors}}}}
		lake := lakeOf(t, c.rows...)
		if c.rows == nil {
			lake = objectstore.NewFolder(t.TempDir())
		}
		d, err := Decide(t.Context(), l, lake, vectorstore.PromoteOptions{})
		if err != nil || d.Now != c.want || d.Ended != (c.want != sequential.Undecided) || d.Unchanged() == d.Ended {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
		if d.Ended && l.decision != c.want || !strings.Contains(l.why, c.why) ||
			!strings.Contains(d.String(), string(c.want)) {
			t.Errorf("%s: ended with %q: %s\n%s", name, l.decision, l.why, d)
		}
		l.fault = vectorstore.ErrConflict
		if d, err := Decide(t.Context(), l, lake, vectorstore.PromoteOptions{}); d.Ended ||
			(c.want != sequential.Undecided) != errors.Is(err, vectorstore.ErrConflict) {
			t.Errorf("%s, while the pointer moves: %+v, %v", name, d, err)
		}
	}
	ended := time.Now()
	l := &listedExperiments{all: []vectorstore.Experiment{{Name: "old", EndedAt: &ended}}}
	if _, err := Decide(t.Context(), l, lakeOf(t), vectorstore.PromoteOptions{}); !errors.Is(err,
		vectorstore.ErrNoExperiment) {
		t.Errorf("no experiment runs: %v", err)
	}
}

// TestRowsAreTheSumsOfVisitors: what feedback sums up makes the interval that adding each visitor makes.
func TestRowsAreTheSumsOfVisitors(t *testing.T) {
	t.Parallel()
	var hits, purchases, revenue sequential.Sums
	r := outcome.Row{Revenue: []outcome.Capped{{Cap: 20}, {Cap: 50}}}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		one := row(rng, outcome.Control, 1, 0.4)
		hits.Add(float64(one.Hits), float64(one.Pages))
		purchases.Add(float64(one.Purchases), 1)
		paid := float64(one.Purchases) * 30
		revenue.AddAmount(min(paid, 50))
		if paid > 0 {
			c := &r.Revenue[1]
			c.Buyers, c.Revenue, c.Squares = c.Buyers+1, c.Revenue+min(paid, 50), c.Squares+min(paid, 50)*min(paid, 50)
		}
		r.Visitors++
		r.Pages, r.Hits, r.Purchases = r.Pages+one.Pages, r.Hits+one.Hits, r.Purchases+one.Purchases
		r.PagesPages, r.HitsPages = r.PagesPages+one.PagesPages, r.HitsPages+one.HitsPages
		r.HitsHits += one.HitsHits
		r.PurchasesPurchases += one.PurchasesPurchases
	}
	for _, o := range outcomes {
		want := map[vectorstore.Outcome]sequential.Sums{vectorstore.OutcomeHits: hits,
			vectorstore.OutcomePurchases: purchases, vectorstore.OutcomeCarts: {Visitors: 500, X: 500, XX: 500},
			vectorstore.OutcomeRevenue: revenue}[o.outcome]
		if got := o.sums(r, 50); got != want {
			t.Errorf("%s: %+v, want %+v", o.outcome, got, want)
		}
	}
}

// TestRevenueDecidesAtItsCap: by the sums of the experiment's own cap, and by no other experiment's.
func TestRevenueDecidesAtItsCap(t *testing.T) {
	t.Parallel()
	paid := func(part outcome.Part, low, high float64) outcome.Row {
		r := outcome.Row{Experiment: "new", Part: part, Visitors: 4000, Unpriced: 2}
		for _, sum := range []struct{ most, each float64 }{{50, low}, {100, high}} {
			r.Revenue = append(r.Revenue, outcome.Capped{Cap: sum.most, Buyers: 400, Revenue: 400 * sum.each,
				Squares: 400 * sum.each * sum.each})
		}
		return r
	}
	rows := []outcome.Row{{Part: outcome.Everyone}, paid(outcome.Control, 30, 30), paid(outcome.Treatment, 30, 90)}
	for most, want := range map[float64]sequential.Decision{50: sequential.Undecided, 100: sequential.Promote} {
		r := assess(vectorstore.Experiment{Name: "new", Outcome: vectorstore.OutcomeRevenue, Cap: &most,
			Rule: sequential.Rule{Error: 0.05, MaxVisitors: 20_000}}, rows, "r1")
		if r.Now != want || r.Unpriced != 4 || !strings.Contains(r.String(), fmt.Sprintf("at most %g counts", most)) ||
			!strings.Contains(r.String(), "revenue for each visitor: 3.0000 control") {
			t.Errorf("with the cap %g: %s", most, r)
		}
	}
	r := assess(vectorstore.Experiment{Name: "new", Outcome: vectorstore.OutcomeHits,
		Rule: sequential.Rule{Error: 0.05, MaxVisitors: 20_000}}, rows, "r1")
	if strings.Contains(r.String(), "revenue") {
		t.Errorf("revenue without a cap: %s", r)
	}
}
