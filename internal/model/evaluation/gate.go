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
		NDCG20: Mean(n.Scores.NDCG20), Recall20: Mean(n.Scores.Recall20), MRR: Mean(n.Scores.Reciprocal),
		Coverage: n.Scores.Coverage}
}

// Judge compares a model with the baselines. It passes only if its NDCG@10 beats every baseline's
// for certain: the lower end of the paired 95 % interval of the difference is above zero. With fewer
// than 10 customers it is uncompared. Every comparison leaves a sentence.
func Judge(model Scores, baselines []Named) modelversion.Verdict {
	if n := len(model.NDCG10); n < fewestCases {
		return modelversion.NewVerdict(modelversion.OutcomeUncompared, modelversion.WithBaselines, fmt.Sprintf(
			"Uncompared with simpler ways to recommend: %s held-out products that they like, and %d are needed. "+
				"Nothing is known of its quality.", customers(n, "has", "have"), fewestCases))
	}
	outcome, reasons := modelversion.OutcomePassed, []string(nil)
	for _, b := range baselines {
		low, high := Difference(model.NDCG10, b.Scores.NDCG10)
		verb := "beats"
		if low <= 0 {
			outcome, verb = modelversion.OutcomeRefused, "does not beat"
		}
		reasons = append(reasons,
			fmt.Sprintf("NDCG@10 %.4f %s %s's %.4f for certain: the difference lies between %+.4f and %+.4f.",
				Mean(model.NDCG10), verb, b.Name, Mean(b.Scores.NDCG10), low, high))
	}
	return modelversion.NewVerdict(outcome, modelversion.WithBaselines, reasons...)
}

// NotWorse compares a model with the live version. It is refused if it is worse for certain: the
// paired 95 % interval of the difference of their NDCG@10 lies below zero. With fewer than 10
// customers it is uncompared.
func NotWorse(model, live Scores, version string) modelversion.Verdict {
	if n := len(model.NDCG10); n < fewestCases {
		return modelversion.NewVerdict(modelversion.OutcomeUncompared, modelversion.WithLive, fmt.Sprintf(
			"Uncompared with version %s: %s something that is newer than that version, and %d are needed. "+
				"Nothing says that this version is worse, and nothing says that it is not.",
			version, customers(n, "likes", "like"), fewestCases))
	}
	low, high := Difference(model.NDCG10, live.NDCG10)
	outcome, verb := modelversion.OutcomePassed, "is not worse than"
	if high < 0 {
		outcome, verb = modelversion.OutcomeRefused, "is worse than"
	}
	return modelversion.NewVerdict(outcome, modelversion.WithLive, fmt.Sprintf(
		"On what is newer than version %s, NDCG@10 %.4f %s its %.4f: the difference lies between %+.4f and %+.4f.",
		version, Mean(model.NDCG10), verb, Mean(live.NDCG10), low, high))
}

// customers counts them at the beginning of a clause.
func customers(n int, one, many string) string {
	switch n {
	case 0:
		return "no customer " + one
	case 1:
		return "only 1 customer " + one
	}
	return fmt.Sprintf("only %d customers %s", n, many)
}
