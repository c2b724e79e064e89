package vectorstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// List reads a list, in one round trip. Errors: ErrVersionGone; recommend.ErrUnknownProduct.
func (s *Store) List(ctx context.Context, live *recommend.Model, q recommend.ListQuery) (all []recommend.Listed,
	err error) {
	m, err := s.model(ctx, live.Version)
	if err != nil {
		return nil, err
	}
	for _, it := range q.Given {
		if err := recommend.CheckText(it.Code); err != nil {
			return nil, err
		}
	}
	var batch pgx.Batch
	known := true
	if q.Given == nil && q.List == activity.SourceTogether {
		batch.Queue(`SELECT EXISTS (SELECT FROM `+m.schema+`.item WHERE code = $1)`, q.Product).
			QueryRow(func(row pgx.Row) error { return row.Scan(&known) })
	}
	exclude := q.Exclude
	if exclude == nil {
		exclude = []string{}
	}
	args := []any{exclude}
	list, err := m.listSQL(q, &args)
	if err != nil {
		return nil, err
	}
	if list != "" {
		rules := q.Rules
		if rules == nil {
			rules = &recommend.Rules{}
		}
		batch.Queue(m.ruledListSQL(list, rules, q, &args), args...).Query(func(rows pgx.Rows) (err error) {
			all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (it recommend.Listed, err error) {
				return it, row.Scan(&it.Code, &it.Score, &it.Marks, &it.Labels)
			})
			return err
		})
	}
	if batch.Len() == 0 {
		return nil, nil
	}
	if err := m.send(ctx, s.pool, &batch); err != nil {
		s.forget(err, live.Version)
		return nil, fmt.Errorf("read list %s: %w", q.List, err)
	}
	if !known {
		return nil, recommend.ErrUnknownProduct
	}
	return all, nil
}

// listSQL are the products of a list, as code and score; "": it has none. Its arguments are appended.
func (m *model) listSQL(q recommend.ListQuery, args *[]any) (sql string, err error) {
	place := func(value any) string {
		*args = append(*args, value)
		return `$` + strconv.Itoa(len(*args))
	}
	switch {
	case q.Given != nil:
		codes, scores := make([]string, len(q.Given)), make([]float32, len(q.Given))
		for i, it := range q.Given {
			codes[i], scores[i] = it.Code, it.Score
		}
		return `SELECT * FROM unnest(` + place(codes) + `::text[], ` + place(scores) + `::real[]) AS g (code, score)`, nil
	case q.List == activity.SourceTrending:
		if !m.state.trends {
			return "", nil
		}
		return trendingSQL(place(float64(q.At.UnixMicro()) / 1e6)), nil
	case q.List == activity.SourceNew:
		if !m.state.products {
			return "", nil
		}
		return firstSeenSQL, nil
	case q.List == activity.SourceTogether:
		if !m.together {
			return "", nil
		}
		return `SELECT i.code, n.weight AS score FROM ` + m.schema + `.together t, unnest(t.items, t.weights) AS n (key, weight)
			JOIN ` + m.schema + `.item i ON i.key = n.key
			WHERE t.key = (SELECT key FROM ` + m.schema + `.item WHERE code = ` + place(q.Product) + `)`, nil
	}
	return "", fmt.Errorf("there is no list %q", q.List)
}

// ruledListSQL keeps rules on a list: those who match of what can be bought, but for what $1 leaves out.
func (m *model) ruledListSQL(list string, r *recommend.Rules, q recommend.ListQuery, args *[]any) string {
	rules := rulesSQL(r, args)
	where := ` WHERE f.available`
	if q.GivenWhole {
		where = ` WHERE true`
	}
	return `SELECT l.code, (` + rules.boosted(`l.score`) + `)::real AS score, ` + rules.marks + `, ` + rules.labels +
		` FROM (` + list + `) l LEFT JOIN ` + m.schema + `.item i ON i.code = l.code` + m.facts(`l.code`, `i`) + where + ` AND l.code <> ALL ($1)` + rules.where +
		` ORDER BY score DESC, l.code COLLATE "C" LIMIT ` + strconv.Itoa(min(q.Limit, recommend.MaxLimit))
}
