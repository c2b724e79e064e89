package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kindred/internal/model/evaluation"
)

// Result compares the recommenders, over all visitors and by kind of visitor.
type Result struct {
	ModelVersion string  `json:"model_version"`
	Seed         uint64  `json:"seed"`
	Sessions     int     `json:"sessions"`
	Groups       []Group `json:"groups"` // everybody first
}

// Group are the sessions of one kind of visitor.
type Group struct {
	Who         string       `json:"who"` // everybody, customer, newcomer, anonymous
	Sessions    int          `json:"sessions"`
	Visitors    int          `json:"visitors"`
	Rows        []Row        `json:"rows"`
	Differences []Difference `json:"differences"`
}

// Row is one recommender's figures. The hit rate is the share of the pages after which the visitor
// looked at a recommended product, first of each visitor, then of all of them; Low and High bound
// it by a 95 % bootstrap interval over visitors.
type Row struct {
	Name    string  `json:"name"`
	HitRate float64 `json:"hit_rate"`
	Low     float64 `json:"hit_rate_low"`
	High    float64 `json:"hit_rate_high"`
	Pages   float64 `json:"pages_per_session"`
	Carts   float64 `json:"carts_per_session"`
	Bought  float64 `json:"bought_per_session"`
}

// Difference is of two recommenders' hit rates with the same visitors: paired, so the interval is
// narrower than the rows' own.
type Difference struct {
	Of     string  `json:"of"`
	Minus  string  `json:"minus"`
	Mean   float64 `json:"mean"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Better int     `json:"sessions_better"` // sessions in which Of has the higher hit rate
	Worse  int     `json:"sessions_worse"`
}

const everybody = "everybody"

func (t Trial) result(arms []arm, visits []visit) *Result {
	r := &Result{ModelVersion: t.Versions[0].ID, Sessions: len(visits)}
	for _, who := range []string{everybody, "customer", "newcomer", "anonymous"} {
		own := slices.DeleteFunc(slices.Clone(visits), func(v visit) bool { return who != everybody && v.kind != who })
		if len(own) > 0 {
			r.Groups = append(r.Groups, group(who, arms, own))
		}
	}
	return r
}

func group(who string, arms []arm, visits []visit) Group {
	place := map[string]int{}
	g := Group{Who: who, Sessions: len(visits)}
	byVisitor := make([][]counts, len(arms)) // of each arm, by place
	total := make([]counts, len(arms))
	for _, v := range visits {
		at, known := place[v.visitor]
		if !known {
			at = len(place)
			place[v.visitor] = at
		}
		for a, c := range v.counts {
			if !known {
				byVisitor[a] = append(byVisitor[a], counts{})
			}
			byVisitor[a][at].add(c)
			total[a].add(c)
		}
	}
	g.Visitors = len(place)
	rates, index := make([][]float64, len(arms)), map[string]int{}
	for a, arm := range arms {
		index[arm.name] = a
		for _, c := range byVisitor[a] {
			rates[a] = append(rates[a], c.rate())
		}
		row := Row{Name: arm.name, HitRate: evaluation.Mean(rates[a]), Pages: total[a].pages / total[a].sessions,
			Carts: total[a].carts / total[a].sessions, Bought: total[a].bought / total[a].sessions}
		row.Low, row.High = evaluation.Interval(rates[a])
		g.Rows = append(g.Rows, row)
	}
	slices.SortStableFunc(g.Rows, func(a, b Row) int { return cmp.Compare(b.HitRate, a.HitRate) })
	for _, pair := range pairs(arms) {
		a, b := index[pair[0]], index[pair[1]]
		d := Difference{Of: pair[0], Minus: pair[1], Mean: evaluation.Mean(rates[a]) - evaluation.Mean(rates[b])}
		d.Low, d.High = evaluation.Difference(rates[a], rates[b])
		for _, v := range visits {
			switch cmp.Compare(v.counts[a].rate(), v.counts[b].rate()) {
			case 1:
				d.Better++
			case -1:
				d.Worse++
			}
		}
		g.Differences = append(g.Differences, d)
	}
	return g
}

func (c counts) rate() float64 { return c.hits / max(c.pages, 1) }

// pairs are the comparisons to make: kindred with each of the others, and each further version
// with kindred.
func pairs(arms []arm) (all [][2]string) {
	for _, a := range arms[1:] {
		switch {
		case strings.HasPrefix(a.name, RowKindred):
			all = append(all, [2]string{a.name, RowKindred})
		case a.name == RowCeiling:
			all = append(all, [2]string{a.name, RowKindred})
		default:
			all = append(all, [2]string{RowKindred, a.name})
		}
	}
	return all
}

// Table is the result for people.
func (r *Result) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Model version %s, %d sessions of simulated visitors (seed %d), the same ones with each "+
		"recommender.\n", r.ModelVersion, r.Sessions, r.Seed)
	b.WriteString("Hit rate: after how many of the pages a visitor looked at a recommended product. 95 % intervals over " +
		"visitors.\n")
	for _, g := range r.Groups {
		fmt.Fprintf(&b, "\n%s: %d sessions of %d visitors\n  %-28s %8s  %-16s %6s %6s %7s\n", g.Who, g.Sessions, g.Visitors,
			"", "hit rate", "", "pages",
			"carts", "bought")
		for _, row := range g.Rows {
			fmt.Fprintf(&b, "  %-28s %8.4f  %.4f to %.4f %6.2f %6.3f %7.3f\n", row.Name, row.HitRate, row.Low, row.High,
				row.Pages, row.Carts, row.Bought)
		}
		for _, d := range g.Differences {
			fmt.Fprintf(&b, "  %-28s %+8.4f  %+.4f to %+.4f  better in %d sessions, worse in %d\n", d.Of+" - "+d.Minus, d.Mean,
				d.Low, d.High, d.Better, d.Worse)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
