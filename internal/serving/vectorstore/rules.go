package vectorstore

import (
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"kindred/internal/serving/recommend"
)

// noState stands for product_state where nothing was ever written to it: a database that is not migrated does
// not have it.
const noState = `(SELECT NULL::text COLLATE "C" AS id, NULL::boolean AS available, NULL::boolean AS hidden,
	NULL::bigint AS stock, NULL::numeric(18, 4) AS price, NULL::text AS currency, NULL::text[] AS categories,
	NULL::text AS brand, NULL::text AS name, NULL::text AS url, NULL::text AS image, NULL::jsonb AS attributes,
	NULL::timestamptz AS first_seen WHERE false)`

// facts joins what rules see of each product, as p and f, to the rows of a table: code is the SQL of a row's id,
// item the row of the version's product; "": the version does not have it.
func (m *model) facts(code, item string) string {
	state := `kindred.product_state`
	if !m.state.products {
		state = noState
	}
	stocked := `false`
	if item != "" {
		stocked = `coalesce(` + item + `.quantity_in_stock > 0, false)`
	}
	return ` LEFT JOIN ` + state + ` p ON p.id = ` + code + ` CROSS JOIN LATERAL (SELECT ` + code +
		` AS id, coalesce(p.available AND NOT p.hidden, ` + stocked + `) AS available, ` + nameSQL(`p`, item) +
		` AS name, ` + categoriesSQL(`p`, item) + ` AS categories) f`
}

// nameSQL is a product's name: what the shop says in a row of product_state, else what the version says in a row
// of item; "": the version does not have it.
func nameSQL(state, item string) string {
	if item == "" {
		return state + `.name`
	}
	return `coalesce(` + state + `.name, ` + item + `.name)`
}

// categoriesSQL is nameSQL of the categories. The line of a version's product is its category.
func categoriesSQL(state, item string) string {
	if item == "" {
		return state + `.categories`
	}
	return `coalesce(` + state + `.categories, CASE WHEN ` + item + `.line <> '' THEN ARRAY[` + item + `.line] END)`
}

// ruled is the SQL of a question's rules.
type ruled struct {
	where  string // begins with AND, unless it is empty
	factor string // of the boosts; "": there are none
	marks  string // an array
	labels string // an array, or NULL
}

func rulesSQL(r *recommend.Rules, args *[]any) ruled {
	q := ruled{marks: `NULL::boolean[]`, labels: `NULL::text[]`}
	for _, e := range r.Filters {
		q.where += ` AND ` + e.SQL(args)
	}
	var factors, marks []string
	for _, b := range r.Boosts {
		*args = append(*args, b.Factor)
		factor := `$` + strconv.Itoa(len(*args)) + `::float8`
		factors = append(factors, `CASE WHEN `+b.Where.SQL(args)+` THEN `+factor+` ELSE 1 END`)
	}
	if len(factors) > 0 {
		q.factor = `least(greatest(` + strings.Join(factors, ` * `) + `, 0.1), 10)::real`
	}
	for _, e := range r.Marks {
		marks = append(marks, e.SQL(args))
	}
	if len(marks) > 0 {
		q.marks = `ARRAY[` + strings.Join(marks, `, `) + `]`
	}
	switch r.By {
	case recommend.ByCategory:
		q.labels = `f.categories`
	case recommend.ByBrand:
		q.labels = `CASE WHEN p.brand IS NOT NULL THEN ARRAY[p.brand] END`
	}
	return q
}

// boosted is a score, a real number in SQL, with the boosts: rule.Boosted in SQL.
func (q *ruled) boosted(score string) string {
	if q.factor == "" {
		return `(` + score + `)`
	}
	return `(SELECT CASE WHEN b.score >= 0 THEN b.score * b.factor ELSE b.score / b.factor END FROM (SELECT (` + score +
		`)::real AS score, ` + q.factor + ` AS factor) b)`
}

// ruledSQL is searchSQL for a search with rules. It looks at all products and their state.
func (m *model) ruledSQL(s recommend.Search) (sql string, args []any, err error) {
	if err := s.Check(m.Solver.Dim); err != nil {
		return "", nil, err
	}
	args = []any{s.Exclude}
	if s.Exclude == nil {
		args[0] = []string{}
	}
	left, customer := m.excludedSQL(s.Customer, false)
	if customer != nil {
		if args = append(args, customer); m.until {
			args = append(args, s.At)
		}
	}
	key, score, added := `i.key`, `i.positives::real`, ``
	if m.form == formNumbered {
		key = `0`
	}
	place := func() string { return `$` + strconv.Itoa(len(args)) }
	if s.Vector != nil {
		args = append(args, pgvector.NewVector(s.Vector))
		score = `0 - (i.embedding <#> ` + place() + `)`
	}
	if s.Vector != nil && len(s.Added) > 0 && m.form == formDense {
		items, weights := make([]int32, len(s.Added)), make([]float32, len(s.Added))
		for i, n := range s.Added {
			items[i], weights[i] = n.Item, n.Weight
		}
		args = append(args, items)
		added = ` LEFT JOIN unnest(` + place() + `::integer[], `
		args = append(args, weights)
		added += place() + `::real[]) AS a (key, added) ON a.key = i.key`
		score += ` + coalesce(a.added, 0)`
	}
	rules := rulesSQL(s.Rules, &args)
	return `SELECT ` + key + ` AS key, i.code, (` + rules.boosted(score) + `)::real AS score, i.embedding, ` + rules.marks +
		`, ` + rules.labels + ` FROM ` + m.schema + `.item i` + added + m.facts(`i.code`, `i`) +
		` WHERE f.available` + left + rules.where + ` ORDER BY score DESC, i.code LIMIT ` +
		strconv.Itoa(min(s.Limit, recommend.MaxLimit)), args, nil
}

// queueRuled adds a search with rules to a batch; found gets what it finds, fresh the new products.
func (m *model) queueRuled(batch *pgx.Batch, s recommend.Search, found, fresh *[]recommend.Candidate) error {
	sql, args, err := m.ruledSQL(s)
	if err != nil {
		return err
	}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*found, err = readRuled(rows)
		return err
	})
	if s.New == 0 || !m.state.newItems {
		return nil
	}
	exclude, seenBy := s.Exclude, (*time.Time)(nil)
	if exclude == nil {
		exclude = []string{}
	}
	if !s.SeenBy.IsZero() {
		seenBy = &s.SeenBy
	}
	args = []any{exclude, seenBy}
	score, order := `0::real`, `p.first_seen DESC`
	if s.Vector != nil {
		args = append(args, pgvector.NewVector(s.Vector))
		score, order = `0 - (n.embedding <#> $3)`, `score DESC`
	}
	rules := rulesSQL(s.Rules, &args)
	batch.Queue(`SELECT -1, n.code, (`+rules.boosted(score)+`)::real AS score, n.embedding, `+rules.marks+`, `+
		rules.labels+` FROM `+m.schema+`.new_item n`+m.facts(`n.code`, ``)+
		` WHERE f.available AND n.code <> ALL ($1) AND ($2::timestamptz IS NULL OR p.first_seen <= $2)`+rules.where+
		` ORDER BY `+order+`, n.code LIMIT `+strconv.Itoa(min(s.New, recommend.MaxLimit)), args...).
		Query(func(rows pgx.Rows) (err error) {
			*fresh, err = readRuled(rows)
			return err
		})
	return nil
}

func readRuled(rows pgx.Rows) ([]recommend.Candidate, error) {
	found := []recommend.Candidate{}
	var c recommend.Candidate
	var v pgvector.Vector
	_, err := pgx.ForEachRow(rows, []any{&c.Item, &c.Code, &c.Score, &v, &c.Marks, &c.Labels}, func() error {
		c.Vector = v.Slice()
		found = append(found, c)
		c.Marks, c.Labels = nil, nil
		return nil
	})
	return found, err
}

// queueRuledNeighbours is queueRuled of a neighbours question.
func (m *model) queueRuledNeighbours(batch *pgx.Batch, q recommend.Neighbours, found,
	fresh *[]recommend.Similar) error {
	if err := q.Check(); err != nil {
		return err
	}
	queue := func(from, row, added, item string, to *[]recommend.Similar) {
		args := []any{q.Code}
		rules := rulesSQL(&recommend.Rules{Filters: q.Rules.Filters, Boosts: q.Rules.Boosts}, &args)
		near := `1 - (` + row + `.embedding <=> ` + m.origin() + `)`
		distance := `1 - ` + rules.boosted(near+added)
		batch.Queue(`SELECT `+row+`.code, (`+distance+`)::real AS distance FROM `+from+
			m.facts(row+`.code`, item)+` WHERE f.available AND `+row+`.code <> $1 AND EXISTS `+m.origin()+rules.where+
			` ORDER BY distance, `+row+`.code LIMIT `+strconv.Itoa(min(q.Limit, recommend.MaxLimit)), args...).
			Query(func(rows pgx.Rows) (err error) {
				*to, err = readSimilar(rows)
				return err
			})
	}
	items, added := m.schema+`.item i`, ``
	if m.near != nil && m.Solver.SimilarWeight > 0 {
		items, added = items+` LEFT JOIN `+m.addedToSimilar()+` ON a.key = i.key`, ` + coalesce(a.added, 0)`
	}
	queue(items, `i`, added, `i`, found)
	if m.state.newItems {
		queue(m.schema+`.new_item n`, `n`, ``, ``, fresh)
	}
	return nil
}

// addedToSimilar is what neighbours of the product $1 add, as the rows a (key, added).
func (m *model) addedToSimilar() string {
	weight := strconv.FormatFloat(m.Solver.SimilarWeight, 'g', -1, 32)
	return `(SELECT u.key, ` + weight + `::real * u.weight AS added FROM ` + m.schema + `.near_item n, unnest(n.items, n.weights) AS u (key, weight)
		WHERE n.key = (SELECT key FROM ` + m.schema + `.item WHERE code = $1)) a`
}
