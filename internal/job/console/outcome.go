package console

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"kindred/internal/job/console/plot"
	"kindred/internal/job/feedback"
	"kindred/internal/job/publish"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/outcome"
	"kindred/internal/model/sequential"
	"kindred/internal/serving/vectorstore"
)

// mostJoins is how many runs of feedback the page goes back.
const mostJoins = 60

// outcomePage is what became of what was shown.
type outcomePage struct {
	Experiments []experimentView // the newest first
	Run         string           // of feedback; empty: it has not run
	At          time.Time
	Rates       []rateRow // by version, source and placement, the most shown first
	Scale       float64   // of their bars
	Joins       []joined  // oldest first
	Fault       string    // why there are no experiments
}

// experimentView is an experiment with its bars.
type experimentView struct {
	publish.ExperimentResult
	Outcomes []outcomeRow
}

// Seen are the visitors of a part.
func (x experimentView) Seen(part string) int64 { return x.Visitors[outcome.Part(part)] }

// Standing is how the experiment stands, in a word or two.
func (x experimentView) Standing() string {
	switch {
	case x.EndedAt != nil:
		return string(x.Decision)
	case x.Now == sequential.Undecided:
		return "runs"
	}
	return "runs, may be decided"
}

// outcomeRow is a comparison; it decides, or is there to be looked at.
type outcomeRow struct {
	publish.Comparison
	Decides bool
	Bar     plot.Difference
}

// rateRow sums up a version and source at a placement, or without one.
type rateRow struct {
	Version, Source, Placement    string
	Shown, Viewed, Carted, Bought int64
	Bar                           plot.Interval
	Places                        []feedback.HitRate
	PlaceBars                     plot.Histogram
}

// joined is a run of feedback.
type joined struct {
	At            time.Time
	Shown, Viewed int64
}

// Percent is how many of 100 shown products were viewed.
func (j joined) Percent() float64 { return 100 * ratio(j.Viewed, j.Shown) }

func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// wilson is the 95 % interval of a share of n (Wilson 1927). It takes the products of one list as independent.
func wilson(part, n int64) plot.Interval {
	if n == 0 {
		return plot.Interval{}
	}
	const z = 1.959964
	p, size := ratio(part, n), float64(n)
	middle := (p + z*z/(2*size)) / (1 + z*z/size)
	half := z / (1 + z*z/size) * math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	return plot.Interval{Value: p, Low: max(0, middle-half), High: min(1, middle+half)}
}

func (s *server) outcomePage(ctx context.Context) (page outcomePage, err error) {
	if s.from.lake == nil {
		return page, errors.New("LAKE_BUCKET is not set: there is no lake to look at")
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTime)
	defer cancel()
	if err := s.experiments(ctx, &page); err != nil {
		return page, err
	}
	m, err := s.from.feedback.Current(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		return page, nil
	}
	if err != nil {
		return page, err
	}
	page.Run, page.At = m.Run, m.CreatedAt
	rates, err := feedback.Rates(m)
	if err != nil {
		return page, err
	}
	page.sum(rates)
	runs, err := ancestry(ctx, s.from.feedback, m, mostJoins)
	if err != nil {
		return page, err
	}
	for _, run := range slices.Backward(runs) {
		if rates, err = feedback.Rates(run); err != nil {
			return page, err
		}
		j := joined{At: run.CreatedAt}
		for _, r := range rates {
			j.Shown, j.Viewed = j.Shown+r.Shown, j.Viewed+r.Viewed
		}
		page.Joins = append(page.Joins, j)
	}
	return page, nil
}

// experiments adds the experiments.
func (s *server) experiments(ctx context.Context, page *outcomePage) error {
	if s.from.db == nil {
		page.Fault = "PGVECTOR_DSN is not set, so nobody knows the experiments."
		return nil
	}
	all, err := publish.Experiments(ctx, s.from.db, s.from.lake)
	if errors.Is(err, vectorstore.ErrNotMigrated) {
		page.Fault = "The vector database is not set up yet: run `make deploy`."
		return nil
	}
	if err != nil {
		return err
	}
	for _, x := range slices.Backward(all) {
		page.Experiments = append(page.Experiments, viewOf(x))
	}
	return nil
}

func viewOf(x publish.ExperimentResult) experimentView {
	view := experimentView{ExperimentResult: x}
	for _, c := range x.Compared {
		row := outcomeRow{Comparison: c, Decides: c.Outcome == x.Outcome}
		if c.Interval != nil {
			row.Bar = plot.Difference{Value: c.Interval.Difference, Low: c.Interval.Low, High: c.Interval.High}
		}
		view.Outcomes = append(view.Outcomes, row)
	}
	return view
}

// sum sums the rates up by version, source and placement.
func (page *outcomePage) sum(rates []feedback.HitRate) {
	for _, r := range rates {
		at := slices.IndexFunc(page.Rates, func(one rateRow) bool {
			return one.Version == r.ModelVersion && one.Source == r.Source && one.Placement == r.Placement
		})
		if at < 0 {
			page.Rates = append(page.Rates, rateRow{Version: r.ModelVersion, Source: r.Source, Placement: r.Placement})
			at = len(page.Rates) - 1
		}
		row := &page.Rates[at]
		row.Shown, row.Viewed = row.Shown+r.Shown, row.Viewed+r.Viewed
		row.Carted, row.Bought = row.Carted+r.Carted, row.Bought+r.Bought
		row.Places = append(row.Places, r)
	}
	for i := range page.Rates {
		row := &page.Rates[i]
		row.Bar = wilson(row.Viewed, row.Shown)
		page.Scale = max(page.Scale, row.Bar.High)
		row.PlaceBars.Label = "Hit rate by place in the list"
		for _, p := range row.Places {
			row.PlaceBars.Bars = append(row.PlaceBars.Bars, plot.Bar{Name: "place " + strconv.Itoa(p.Place), Value: p.HitRate})
		}
	}
	for i := range page.Rates {
		page.Rates[i].Bar.Scale = page.Scale
	}
	slices.SortStableFunc(page.Rates, func(a, b rateRow) int { return cmp.Compare(b.Shown, a.Shown) })
}

func (s *server) showOutcome(w http.ResponseWriter, r *http.Request) {
	o, err := s.outcomePage(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "outcome.html", page{Title: "Outcome", Section: "/outcome", Body: o})
}
