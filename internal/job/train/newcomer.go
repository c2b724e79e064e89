package train

import (
	"context"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// newcomerShares are the values of Solver.NewcomerShare that tuning chooses from.
var newcomerShares = [...]float64{0.25, 0.5, 0.75, 1}

// tuneNewcomers chooses Solver.NewcomerShare: it replays the validation part's sessions as if nothing else
// were known of their customers, once without and once with their features.
func (t *Trainer) tuneNewcomers(ctx context.Context, data *Data, from *fitted, cfg ials.Config, w weights,
	fitting, validation []evaluation.Rating) (best float64, err error) {
	_, replayed := t.replay(len(data.Products), fitting, validation, mostSessions)
	asked := make([]bool, len(data.Customers))
	for _, s := range replayed {
		asked[s.customer] = true
	}
	strangers := *from
	model := *from.model
	model.Users = slices.Clone(model.Users) // those who are asked get others
	strangers.model = &model
	strangers.encode(data, cfg.Dim, func(c int) bool { return asked[c] || from.matrix.Empty(c) })
	top := 0.0
	for i, share := range newcomerShares {
		w.newcomer = share
		f, err := t.fold(ctx, data, &strangers, cfg, w, fitting, validation)
		if err != nil || f == nil {
			return 0, err
		}
		q := 0.0
		for _, vectors := range [][]float32{f.alone, f.featured} {
			rank := evaluation.Factors(vectors, model.Items, cfg.Dim)
			if near := from.near; near != nil {
				rank = sum(rank, near.of(f.sessions, false, near.session))
			}
			scores, err := evaluation.Measure(ctx, f.task, t.threads(), rank)
			if err != nil {
				return 0, err
			}
			q += evaluation.Mean(scores.NDCG10)
		}
		if q > top {
			best, top = share, q
		}
		t.progress("tune what newcomers start from", i+1, len(newcomerShares))
	}
	return best, nil
}
