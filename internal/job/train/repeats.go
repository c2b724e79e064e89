package train

import (
	"context"
	"slices"
	"time"

	"kindred/internal/lake/interaction"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// task asks for what a cut holds out. The training part is masked as far as the rules shown hide it at
// the moment at which the held-out part begins. What was bought again from then on, and before limit
// (by customer; nil: no limit), is to be found as well, as far as the rules found show it then: both
// rules are the shop's own, but to compare rules the same has to be found. A customer without times is
// asked as if everything stayed hidden.
func (t *Trainer) task(data *Data, cut evaluation.Cut, limit map[int32]int64,
	shown, found *modelversion.Repeats) *evaluation.Task {
	train, held := cut.Train, cut.Held
	task := evaluation.NewTask(len(data.Products), train, held, t.Config.MinStars)
	if shown == nil && found == nil {
		return task
	}
	cases, from := make(map[int32]*evaluation.Case, len(task.Cases)), firstTimes(held)
	for i := range task.Cases {
		cases[task.Cases[i].Customer] = &task.Cases[i]
	}
	type pair struct{ customer, product int32 }
	last, liked, again := map[pair]int64{}, map[pair]bool{}, map[pair]bool{}
	for _, r := range train {
		if cases[r.Customer] != nil {
			last[pair{r.Customer, r.Product}] = r.RatedAt
			liked[pair{r.Customer, r.Product}] = r.Stars >= t.Config.MinStars
		}
	}
	for _, f := range data.Feedback {
		p := pair{f.Customer, f.Product}
		at, known := last[p]
		begin, timed := from[f.Customer]
		end, limited := limit[f.Customer]
		switch {
		case !known || !timed || f.Action != interaction.Purchase || f.At == 0:
		case f.At < begin:
			last[p] = max(at, f.At)
		case liked[p] && (!limited || f.At < end):
			again[p] = true
		}
	}
	for customer, c := range cases {
		begin, timed := from[customer]
		if !timed {
			continue
		}
		by := func(rules *modelversion.Repeats) func(product int32) bool {
			return func(product int32) bool {
				rule := rules.Of(data.Products[product].Categories)
				return !rule.Hides(last[pair{customer, product}], time.Unix(begin, 0))
			}
		}
		for _, product := range c.Seen {
			if again[pair{customer, product}] && by(found)(product) {
				c.Relevant = append(c.Relevant, product)
			}
		}
		c.Seen = slices.DeleteFunc(slices.Clone(c.Seen), by(shown))
		slices.Sort(c.Relevant)
		c.Relevant = slices.Compact(c.Relevant)
	}
	return task
}

// tuneRepeats chooses one rule for the shop on the validation part: the one under which the customers'
// next purchases, of products old and new to them, stand furthest to the front. A rule that shows
// something takes the place of hiding everything only if it is better for certain. tried are all rules
// with their figures.
func (t *Trainer) tuneRepeats(ctx context.Context, data *Data, signal Signal, solver ials.Config, validation,
	test evaluation.Cut) (best *modelversion.Repeats, tried []TriedRepeat, err error) {
	f, err := t.fit(ctx, data, signal.cells(validation.Train, data.feedbackBefore(validation.Held, test.Held)), solver,
		partValidation, nil)
	if err != nil {
		return nil, nil, err
	}
	all, limit := &modelversion.Repeats{Rule: modelversion.RepeatShow}, firstTimes(test.Held)
	measure := func(rules *modelversion.Repeats) ([]float64, error) {
		task := t.task(data, validation, limit, rules, all).Sample(mostReported)
		scores, err := evaluation.Measure(ctx, task, t.threads(), ranker(f.model))
		return scores.NDCG10, err
	}
	hidden, err := measure(nil)
	if err != nil {
		return nil, nil, err
	}
	top := evaluation.Mean(hidden)
	tried = append(tried, TriedRepeat{Rule: modelversion.RepeatHide, NDCG10: top})
	for _, rule := range []modelversion.Repeat{modelversion.RepeatShow, 7 * daySeconds, 30 * daySeconds, 90 * daySeconds} {
		rules := &modelversion.Repeats{Rule: rule}
		scores, err := measure(rules)
		if err != nil {
			return nil, nil, err
		}
		this := TriedRepeat{Rule: rule, NDCG10: evaluation.Mean(scores)}
		this.Low, this.High = evaluation.Difference(scores, hidden)
		tried = append(tried, this)
		if this.Low > 0 && this.NDCG10 > top {
			best, top = rules, this.NDCG10
		}
	}
	return best, tried, nil
}

// TriedRepeat is a rule that was tried on the validation part. Customers' next purchases, of products
// old and new to them, were to be found.
type TriedRepeat struct {
	Rule   modelversion.Repeat `json:"rule"`
	NDCG10 float64             `json:"ndcg@10"`
	// Low and High bound the gain over hiding everything, the first that is tried: the paired 95 % interval.
	Low  float64 `json:"gain_low"`
	High float64 `json:"gain_high"`
}

const daySeconds = 24 * 60 * 60

// firstTimes is when each customer's ratings begin. It leaves those out who have one without a time.
func firstTimes(ratings []evaluation.Rating) map[int32]int64 {
	first, untimed := map[int32]int64{}, map[int32]bool{}
	for _, r := range ratings {
		at, ok := first[r.Customer]
		if r.RatedAt == 0 {
			untimed[r.Customer] = true
		}
		if !ok || r.RatedAt < at {
			first[r.Customer] = r.RatedAt
		}
	}
	for customer := range untimed {
		delete(first, customer)
	}
	return first
}
