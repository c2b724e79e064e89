package publish

import (
	"fmt"
	"strings"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/vectorstore"
)

// Explain tells a product manager in words what a version is, where it stands, why the gate decided
// as it did, and which steps of the pointer's history concern the version.
func Explain(v vectorstore.Version, history []vectorstore.Promotion) string {
	var b strings.Builder
	of := ""
	if v.Shop != "" {
		of = " of the shop " + v.Shop
	}
	fmt.Fprintf(&b, "Version %s%s knows %d products and %d customers and %s.\n", v.ID, of, v.Items,
		v.Customers, standing(v))
	b.WriteString(Decision(v.Report.Verdict) + "\n")
	for _, reason := range v.Report.Verdict.Reasons {
		fmt.Fprintf(&b, "- %s\n", reason)
	}
	for _, sentence := range Compared(v) {
		b.WriteString(sentence + "\n")
	}
	for _, p := range history {
		if p.From == v.ID || p.To == v.ID {
			b.WriteString(Line(p) + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Compared says how the version measured against each other way to recommend, and how it is searched.
func Compared(v vectorstore.Version) []string { return append(compare(v.Report), search(v)) }

// Decision is the gate's, and what it means.
func Decision(v modelversion.Verdict) string {
	text := "The gate refuses it: it is not certain that customers find what they like sooner than by simpler ways to " +
		"recommend. What is live stays live."
	switch {
	case v.Popularity:
		return "No model has passed the gate: popularity answers. Everybody sees what most customers like, without what " +
			"they have. The next model that the gate does not refuse replaces it."
	case v.Decision() == modelversion.OutcomePassed:
		text = "The gate lets it go live: against each simpler way to recommend, it puts what customers like further to " +
			"the front, by more than chance explains."
	case v.Decision() == modelversion.OutcomeUncompared && v.Judged():
		text = "The gate could not compare it with the version that was live when it was trained: too few ratings are " +
			"newer. It lets it go live all the same, because it beats each simpler way to recommend."
	case v.Decision() == modelversion.OutcomeUncompared:
		text = "UNCOMPARED: too few customers could be tested, so nobody knows how good it is. It may go live where " +
			"nothing is live, " +
			"or where the live version is no better known. It replaces a version that was judged good only with --force."
	}
	if v.CarriedFrom != "" {
		text += " Its factors and this verdict are those of version " + v.CarriedFrom +
			": only names or stock have changed since."
	}
	return text
}

// search says how the version's products are searched, and how many of the best ones are missed.
func search(v vectorstore.Version) string {
	if v.Recall == nil || v.Similar == nil {
		return "A search compares all products: it misses none."
	}
	return fmt.Sprintf("A search uses an index, which finds %.1f of the 10 best products and %.1f of the 10 most "+
		"similar ones.", 10**v.Recall, 10**v.Similar)
}

func standing(v vectorstore.Version) string {
	switch {
	case v.Live:
		return "is live"
	case v.Canary > 0:
		return fmt.Sprintf("is a canary: it answers %.3g %% of the sessions; `publish canary --off` ends that", 100*v.Canary)
	case v.State == vectorstore.StateDropped:
		return "was dropped; publishing it loads it again"
	case v.State == vectorstore.StateLoading:
		return "is loaded in part only; publishing it again completes that"
	case v.Previous:
		return "was live before: `publish rollback` brings it back"
	}
	return "is loaded, not live"
}

// compare says how the model measured against each other ranker, in the report's order.
func compare(r modelversion.Report) []string {
	model := r.Own()
	if model == nil {
		return nil
	}
	sentences := []string{fmt.Sprintf("It was tried on what %d customers liked and it had not seen (%s). "+
		"Its ranking quality, NDCG@10, is %.3f (likely %.3f to %.3f), and %.0f %% of what they liked was among its first "+
		"ten.",
		r.TestCustomers, r.Split, model.NDCG10, model.Low, model.High, 100*model.Recall10)}
	for _, row := range r.Rows {
		switch {
		case row.Name == model.Name:
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
