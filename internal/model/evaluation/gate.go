package evaluation

import (
	"fmt"

	"kindred/internal/model/modelversion"
)

// The names of the baselines' rows that modelversion does not name.
const (
	RowCustomerMean = "customer-mean"
	RowCoOccurrence = "co-occurrence"
	RowEASE         = "ease"
	RowGFCF         = "gf-cf"
	RowBPR          = "bpr-mf"
)

// fewestCases is how many customers a judgement needs; an interval over fewer means little.
const fewestCases = 10

// Named is a ranker's figures with its row's name.
type Named struct {
	Name   string
	Scores Scores
}

// Row is the report's line.
func (n Named) Row() modelversion.Row {
	low, high := Interval(n.Scores.NDCG10)
	return modelversion.Row{Name: n.Name, NDCG10: Mean(n.Scores.NDCG10), Recall10: Mean(n.Scores.Recall10), Low: low,
		High:   high,
		NDCG20: Mean(n.Scores.NDCG20), Recall20: Mean(n.Scores.Recall20), MRR: Mean(n.Scores.Reciprocal), Coverage: n.Scores.Coverage}
}

// Judge lets a model pass only if its NDCG@10 beats every baseline's for certain: the lower end of
// the paired 95 % interval of the difference is above zero. Every comparison leaves a sentence.
func Judge(model Scores, baselines []Named) modelversion.Verdict {
	if n := len(model.NDCG10); n < fewestCases {
		return modelversion.Verdict{Reasons: []string{
			fmt.Sprintf("Only %d customers have held-out products they like; %d are needed to judge.", n, fewestCases)}}
	}
	v := modelversion.Verdict{Pass: true}
	for _, b := range baselines {
		low, high := Difference(model.NDCG10, b.Scores.NDCG10)
		verb := "beats"
		if low <= 0 {
			v.Pass, verb = false, "does not beat"
		}
		v.Reasons = append(v.Reasons,
			fmt.Sprintf("NDCG@10 %.4f %s %s's %.4f for certain: the difference lies between %+.4f and %+.4f.",
				Mean(model.NDCG10), verb, b.Name, Mean(b.Scores.NDCG10), low, high))
	}
	return v
}

// NotWorse refuses a model that is worse than the live version for certain: the paired 95 %
// interval of the difference of their NDCG@10 lies below zero. It says what it found; too few
// customers to judge by refuse nothing.
func NotWorse(model, live Scores, version string) modelversion.Verdict {
	if n := len(model.NDCG10); n < fewestCases {
		return modelversion.Verdict{Pass: true, Reasons: []string{
			fmt.Sprintf("Only %d customers like something that is newer than version %s; %d are needed to compare with it.", n,
				version, fewestCases)}}
	}
	low, high := Difference(model.NDCG10, live.NDCG10)
	v, verb := modelversion.Verdict{Pass: high >= 0}, "is not worse than"
	if !v.Pass {
		verb = "is worse than"
	}
	v.Reasons = []string{fmt.Sprintf("On what is newer than version %s, NDCG@10 %.4f %s its %.4f: the difference lies between %+.4f and %+.4f.",
		version, Mean(model.NDCG10), verb, Mean(live.NDCG10), low, high)}
	return v
}
