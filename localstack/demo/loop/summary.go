package loop

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"kindred/internal/model/modelversion"
)

const barWidth = 32 // characters of the longest bar

// summarise prints what a person wants to know at the end: is the model good, what do visitors see,
// is anything lost.
func (r *Report) summarise(w io.Writer, visitors []Visitor) {
	heading(w, "How good is the model?")
	r.printQuality(w)
	if len(visitors) > 0 {
		heading(w, "What visitors see")
		for _, s := range visitors {
			s.print(w)
		}
	}
	heading(w, "Is anything lost?")
	a := r.Audit
	fmt.Fprintf(w, "  %s records sent = %s recommended + %s quarantined, %s lost, %s duplicated\n",
		count(r.Replay.EventsSent+r.Replay.PoisonSent), count(a.Recommended), count(a.Quarantined), count(a.Lost),
		count(a.Duplicates))
	fmt.Fprintf(w, "  %.0f events/s; from stream to recommendation %.0f ms (median), %.0f ms (99th percentile)\n",
		a.EventsPerSecond, a.LatencyMS.P50, a.LatencyMS.P99)
	var sources []string
	for _, name := range []string{"session", "customer", "features", "popularity"} {
		if n := a.Sources[name]; n > 0 {
			sources = append(sources, fmt.Sprintf("%s from %s", count(n), name))
		}
	}
	fmt.Fprintf(w, "  answers: %s\n", strings.Join(sources, ", "))
	total := 0.0
	for _, s := range r.Steps {
		total += s.Seconds
	}
	fmt.Fprintf(w, "\n  The whole loop took %.0f s.\n", total)
}

// printQuality draws every ranker's NDCG@10, the model and the ceiling apart from the baselines.
func (r *Report) printQuality(w io.Writer) {
	rows := bestFirst(r.Train.Report.Rows)
	best := 0.0
	byName := map[string]modelversion.Row{}
	for _, row := range rows {
		best = max(best, row.NDCG10)
		byName[row.Name] = row
	}
	if best == 0 {
		best = 1
	}
	fmt.Fprintf(w, "  %-14s %7s  %-15s %9s\n", "", "NDCG@10", "95 % interval", "Recall@10")
	for _, row := range rows {
		bar := strings.Repeat("█", int(row.NDCG10/best*barWidth+0.5))
		fmt.Fprintf(w, "  %-14s %7.4f  %.4f–%.4f   %9.4f  %s\n", row.Name, row.NDCG10, row.Low, row.High, row.Recall10, bar)
	}
	model, popularity, ceiling := byName[modelversion.RowModel], byName[modelversion.RowPopularity],
		byName[modelversion.RowCeiling]
	fmt.Fprintf(w, "\n  Measured on held-out %s of %s customers: %s.\n", r.what(),
		count(int64(r.Train.Report.TestCustomers)), strings.ReplaceAll(r.Train.Report.Split, "ratings", r.what()))
	if r.Train.Report.Verdict.Popularity && !r.overruled {
		fmt.Fprintf(w, "  No model has passed the gate: popularity answers.\n")
		return
	}
	if popularity.NDCG10 > 0 && model.Name != "" { // popularity's own report has no model
		fmt.Fprintf(w, "  The model ranks %.1f times as well as popularity.\n", model.NDCG10/popularity.NDCG10)
	}
	if ceiling.NDCG10 > 0 {
		fmt.Fprintf(w, "  It reaches %.0f %% of the ceiling: the best that anyone who knew the planted tastes could do.\n",
			100*model.NDCG10/ceiling.NDCG10)
	}
	if !r.overruled {
		return
	}
	fmt.Fprintf(w, "\n  A nightly publish would not make this version live; the demo does, so that you see what it "+
		"recommends.\n")
	for _, reason := range r.Train.Report.Verdict.Reasons {
		fmt.Fprintf(w, "  - %s\n", reason)
	}
}

// bestFirst orders the rows by NDCG@10, with the ceiling, which is no rival, last.
func bestFirst(rows []modelversion.Row) []modelversion.Row {
	ordered := slices.Clone(rows)
	slices.SortStableFunc(ordered, func(a, b modelversion.Row) int {
		if ceiling := (a.Name == modelversion.RowCeiling); ceiling != (b.Name == modelversion.RowCeiling) {
			if ceiling {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.NDCG10, a.NDCG10)
	})
	return ordered
}

func heading(w io.Writer, text string) {
	fmt.Fprintf(w, "\n\033[1m%s\033[0m\n\n", text)
}
