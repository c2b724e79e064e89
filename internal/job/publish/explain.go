package publish

import (
	"fmt"
	"strings"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/vectorstore"
)

// Explain tells in words for a product manager what a version is, where it stands, why the gate
// decided as it did and what was done with the version, of the pointer's history.
func Explain(v vectorstore.Version, history []vectorstore.Promotion) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Version %s knows %d products and %d customers and %s.\n", v.ID, v.Items, v.Customers, standing(v))
	if v.Report.Verdict.Pass {
		b.WriteString("The gate lets it go live: against each simpler way to recommend, it puts what customers like further to the front, " +
			"by more than chance explains.\n")
	} else {
		b.WriteString("The gate refuses it: it is not certain that customers find what they like sooner than by simpler ways to recommend. " +
			"What is live stays live.\n")
	}
	for _, reason := range v.Report.Verdict.Reasons {
		fmt.Fprintf(&b, "- %s\n", reason)
	}
	for _, sentence := range compare(v.Report) {
		b.WriteString(sentence + "\n")
	}
	b.WriteString(search(v) + "\n")
	for _, p := range history {
		if p.From == v.ID || p.To == v.ID {
			b.WriteString(line(p) + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// search says how the version's products are searched, and what that loses.
func search(v vectorstore.Version) string {
	if v.Recall == nil || v.Similar == nil {
		return "A search compares all products: it misses none."
	}
	return fmt.Sprintf("A search goes by an index, which finds %.1f of the 10 best products and %.1f of the 10 most similar ones.", 10**v.Recall, 10**v.Similar)
}

func standing(v vectorstore.Version) string {
	switch {
	case v.Live:
		return "is live"
	case v.Canary > 0:
		return fmt.Sprintf("answers %.3g %% of the sessions beside the live one; `publish canary --off` ends that", 100*v.Canary)
	case v.State == vectorstore.StateDropped:
		return "was dropped; publishing it loads it again"
	case v.State == vectorstore.StateLoading:
		return "is not loaded whole; publishing it again heals that"
	case v.Previous:
		return "was live before: `publish rollback` brings it back"
	}
	return "is loaded, not live"
}

// compare says how the model measured against each other ranker, in the report's order.
func compare(r modelversion.Report) []string {
	var model *modelversion.Row
	for i := range r.Rows {
		if r.Rows[i].Name == modelversion.RowModel {
			model = &r.Rows[i]
		}
	}
	if model == nil {
		return nil
	}
	sentences := []string{fmt.Sprintf("It was tried on what %d customers liked and it had not seen (%s). "+
		"Its ranking quality, NDCG@10, is %.3f (likely %.3f to %.3f), and %.0f %% of what they liked was among its first ten.",
		r.TestCustomers, r.Split, model.NDCG10, model.Low, model.High, 100*model.Recall10)}
	for _, row := range r.Rows {
		switch {
		case row.Name == modelversion.RowModel:
		case row.NDCG10 <= 0:
			sentences = append(sentences, fmt.Sprintf("Against %s: that found nothing.", row.Name))
		case row.Name == modelversion.RowCeiling:
			sentences = append(sentences, fmt.Sprintf("It reaches %.0f %% of the best that is possible on this shop (%.3f).",
				100*model.NDCG10/row.NDCG10, row.NDCG10))
		default:
			sentences = append(sentences, fmt.Sprintf("Against %s: %.1f times as good (%.3f).", row.Name,
				model.NDCG10/row.NDCG10, row.NDCG10))
		}
	}
	return sentences
}
