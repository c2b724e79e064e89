package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/outcome"
	"kindred/internal/model/sequential"
	"kindred/internal/serving/vectorstore"
)

// outcomes are the outcomes of an experiment as sums over visitors.
var outcomes = []struct {
	outcome vectorstore.Outcome
	unit    string
	sums    func(r outcome.Row, most float64) sequential.Sums // most is the experiment's cap
}{
	{vectorstore.OutcomeHits, "of the pages", func(r outcome.Row, _ float64) sequential.Sums {
		return sequential.Sums{Visitors: r.Visitors, Y: float64(r.Hits), X: float64(r.Pages), YY: float64(r.HitsHits),
			XY: float64(r.HitsPages), XX: float64(r.PagesPages), Seen: float64(r.Hits)}
	}},
	{vectorstore.OutcomeCarts, "for each visitor", func(r outcome.Row, _ float64) sequential.Sums {
		return ofVisitors(r.Visitors, float64(r.Carts), float64(r.CartsCarts), r.Carts)
	}},
	{vectorstore.OutcomePurchases, "for each visitor", func(r outcome.Row, _ float64) sequential.Sums {
		return ofVisitors(r.Visitors, float64(r.Purchases), float64(r.PurchasesPurchases), r.Purchases)
	}},
	{vectorstore.OutcomeRevenue, "for each visitor", func(r outcome.Row, most float64) sequential.Sums {
		c := r.AtCap(most)
		return ofVisitors(r.Visitors, c.Revenue, c.Squares, c.Buyers)
	}},
}

// ofVisitors are the sums of an outcome whose size is 1 for each visitor.
func ofVisitors(visitors int64, sum, squares float64, seen int64) sequential.Sums {
	n := float64(visitors)
	return sequential.Sums{Visitors: visitors, Y: sum, X: n, YY: squares, XY: sum, XX: n, Seen: float64(seen)}
}

// Comparison is what one outcome says of an experiment's arms.
type Comparison struct {
	Outcome   vectorstore.Outcome `json:"outcome"`
	Control   float64             `json:"control"` // pages with a hit of all pages, or products for each visitor
	Treatment float64             `json:"treatment"`
	// Interval holds the true difference at the experiment's error rate, whenever one looks; nil: the arms have
	// too little for one.
	Interval *sequential.Interval `json:"interval"`
}

// ExperimentResult is how an experiment stands.
type ExperimentResult struct {
	vectorstore.Experiment
	Run      string                 `json:"run"` // of the outcomes in the lake; "": feedback has written none
	Visitors map[outcome.Part]int64 `json:"visitors"`
	Pages    int64                  `json:"pages"` // of control and treatment
	// Unpriced counts products that visitors of both arms bought, and whose price is not known: they are no revenue.
	Unpriced int64        `json:"unpriced"`
	Compared []Comparison `json:"compared"`
	// Now is what the experiment's own outcome decides now: undecided if it is too early.
	Now sequential.Decision `json:"now"`
}

// assess says how an experiment stands by the outcomes of a run.
func assess(x vectorstore.Experiment, rows []outcome.Row, run string) ExperimentResult {
	r := ExperimentResult{Experiment: x, Run: run, Now: sequential.Undecided,
		Visitors: map[outcome.Part]int64{outcome.Control: 0, outcome.Treatment: 0}} // an arm that nobody has seen yet has 0
	parts := map[outcome.Part]outcome.Row{}
	for _, row := range rows {
		if row.Experiment == x.Name {
			parts[row.Part], r.Visitors[row.Part] = row, row.Visitors
		}
	}
	r.Pages = parts[outcome.Control].Pages + parts[outcome.Treatment].Pages
	r.Unpriced = parts[outcome.Control].Unpriced + parts[outcome.Treatment].Unpriced
	for _, o := range outcomes {
		if o.outcome == vectorstore.OutcomeRevenue && x.Cap == nil {
			continue
		}
		most := 0.0
		if x.Cap != nil {
			most = *x.Cap
		}
		control, treatment := o.sums(parts[outcome.Control], most), o.sums(parts[outcome.Treatment], most)
		c := Comparison{Outcome: o.outcome, Control: control.Rate(), Treatment: treatment.Rate()}
		if i, ok := x.Compare(control, treatment); ok {
			c.Interval = &i
		}
		if o.outcome == x.Outcome {
			r.Now = x.Decide(control, treatment)
		}
		r.Compared = append(r.Compared, c)
	}
	return r
}

// Experiments says of each experiment, the oldest first, how it stands.
func Experiments(ctx context.Context, s deciding, lake objectstore.Store) ([]ExperimentResult, error) {
	all, err := s.Experiments(ctx)
	if err != nil {
		return nil, err
	}
	rows, run, err := readOutcomes(ctx, lake)
	if err != nil {
		return nil, err
	}
	results := make([]ExperimentResult, len(all))
	for i, x := range all {
		results[i] = assess(x, rows, run)
	}
	return results, nil
}

// readOutcomes is outcome.Read where feedback may not have written any yet.
func readOutcomes(ctx context.Context, lake objectstore.Store) ([]outcome.Row, string, error) {
	rows, run, err := outcome.Read(ctx, lake)
	if errors.Is(err, commit.ErrNoCurrent) {
		return nil, "", nil
	}
	return rows, run, err
}

// String tells how an experiment stands, for people.
func (r ExperimentResult) String() string {
	var b strings.Builder
	arms := "version"
	if r.Compares == vectorstore.ComparesPlacements {
		arms = "placements"
	}
	fmt.Fprintf(&b, "Experiment %s: %s %s (treatment, %g %% of the visitors) against %s (control), by %s, error "+
		"rate %g, at most %d visitors.\n", r.Name, arms, r.Treatment, 100*r.Share, r.Control, r.Outcome, r.Error,
		r.MaxVisitors)
	if r.EndedAt != nil {
		fmt.Fprintf(&b, "It has ended: %s: %s.\n", r.Decision, r.Why)
	}
	if r.Run == "" {
		b.WriteString("The lake has no outcomes yet: run feedback.\n")
	}
	fmt.Fprintf(&b, "  %d visitors of control, %d of treatment, %d pages. Not counted: %d visitors whose first day is "+
		"not over, %d who saw both arms.\n", r.Visitors[outcome.Control], r.Visitors[outcome.Treatment], r.Pages,
		r.Visitors[outcome.Waiting], r.Visitors[outcome.Both])
	for i, c := range r.Compared {
		fmt.Fprintf(&b, "  %s %s: %.4f control, %.4f treatment; ", c.Outcome, outcomes[i].unit, c.Control, c.Treatment)
		if c.Interval == nil {
			what := string(c.Outcome)
			if c.Outcome == vectorstore.OutcomeRevenue {
				what = "buyers"
			}
			fmt.Fprintf(&b, "too early for an interval (each arm needs %d visitors and %d %s)\n", sequential.MinVisitors,
				sequential.MinOutcomes, what)
			continue
		}
		fmt.Fprintf(&b, "difference %s\n", c.Interval)
	}
	if r.Cap != nil {
		fmt.Fprintf(&b, "  Of a visitor's revenue, at most %g counts. Bought without a known price: %d products.\n", *r.Cap,
			r.Unpriced)
	}
	fmt.Fprintf(&b, "Decision now: %s.", r.Now)
	return b.String()
}

// why is the sentence that a decision leaves in the history.
func (r ExperimentResult) why() string {
	for _, c := range r.Compared {
		if c.Outcome == r.Outcome && c.Interval != nil {
			return fmt.Sprintf("%s %.4f against %.4f, difference %s, at an error rate of %g, by %d visitors and %d pages "+
				"(outcomes of run %s)", c.Outcome, c.Treatment, c.Control, c.Interval, r.Error,
				r.Visitors[outcome.Control]+r.Visitors[outcome.Treatment], r.Pages, r.Run)
		}
	}
	return "too few visitors did what counts"
}

// deciding is where an experiment is decided. Its errors are those of package vectorstore.
type deciding interface {
	Experiments(ctx context.Context) ([]vectorstore.Experiment, error)
	EndExperiment(ctx context.Context, name string, decision sequential.Decision, why string,
		opts vectorstore.PromoteOptions) error
}

// StartExperiment compares x.Treatment, or the newest version when it is empty, with the live version. It is loaded
// first when it is not loaded. Errors: as Canary, and those of vectorstore.StartExperiment.
func StartExperiment(ctx context.Context, s Database, from artifacts, x vectorstore.Experiment,
	opts vectorstore.PromoteOptions) (vectorstore.Experiment, error) {
	loaded, _, err := prepare(ctx, s, from, x.Treatment, opts)
	if err != nil {
		return x, err
	}
	x.Treatment = loaded.ID
	return s.StartExperiment(ctx, x, opts)
}

// StopExperiment ends the running experiment without a decision, and returns it. Errors: ErrNoExperiment.
func StopExperiment(ctx context.Context, s deciding, opts vectorstore.PromoteOptions) (vectorstore.Experiment, error) {
	x, err := running(ctx, s)
	if err != nil {
		return x, err
	}
	return x, s.EndExperiment(ctx, x.Name, vectorstore.DecisionStopped, "ended by hand", opts)
}

// Decided is what deciding an experiment achieved.
type Decided struct {
	ExperimentResult
	Ended bool `json:"ended"`
}

// Unchanged reports that it is too early.
func (d Decided) Unchanged() bool { return !d.Ended }

// Decide ends the running experiment if its outcome says so. Errors: vectorstore.ErrNoExperiment.
func Decide(ctx context.Context, s deciding, lake objectstore.Store, opts vectorstore.PromoteOptions) (Decided, error) {
	x, err := running(ctx, s)
	if err != nil {
		return Decided{}, err
	}
	rows, run, err := readOutcomes(ctx, lake)
	if err != nil {
		return Decided{}, err
	}
	d := Decided{ExperimentResult: assess(x, rows, run)}
	if d.Now == sequential.Undecided {
		return d, nil
	}
	if err := s.EndExperiment(ctx, x.Name, d.Now, d.why(), opts); err != nil {
		return d, err
	}
	d.Ended = true
	return d, nil
}

// running is the experiment that runs.
func running(ctx context.Context, s deciding) (vectorstore.Experiment, error) {
	all, err := s.Experiments(ctx)
	if err != nil {
		return vectorstore.Experiment{}, err
	}
	if len(all) == 0 || all[len(all)-1].EndedAt != nil {
		return vectorstore.Experiment{}, vectorstore.ErrNoExperiment
	}
	return all[len(all)-1], nil
}
