package vectorstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/rule"
)

// Stated is what rules see of a product of a version. Its facts do not say whether it can be bought.
type Stated struct {
	*rule.Product

	Shown *bool // it can be bought; nil: only the version's own stock says it
}

// statedSQL begins a question for the facts of products of a version: the rows i of item, with the rows s of
// product_state.
var statedSQL = `SELECT i.code, s.available AND NOT s.hidden, ` + factList(`i`)

// factList are what rules see of a row s of product_state, beside the id and whether the product can be bought, as
// factRow reads it. item is as for nameSQL.
func factList(item string) string {
	return `s.stock, s.price::text, s.currency, ` + categoriesSQL(`s`, item) + `, s.brand, ` + nameSQL(`s`, item) +
		`, s.url, s.image, s.attributes, s.first_seen`
}

// factRow is a row of facts.
type factRow struct {
	product   rule.Product
	price     *string
	firstSeen *time.Time
}

// columns are where the columns of factList go.
func (r *factRow) columns() []any {
	p := &r.product
	return []any{&p.Stock, &r.price, &p.Currency, &p.Categories, &p.Brand, &p.Name, &p.URL, &p.Image, &p.Attributes,
		&r.firstSeen}
}

// take returns the row that was read, and makes room for the next one.
func (r *factRow) take() (*rule.Product, error) {
	p := r.product
	if r.price != nil {
		price, err := rule.ParseDecimal(*r.price)
		if err != nil {
			return nil, err
		}
		p.Price = &price
	}
	if r.firstSeen != nil {
		p.FirstSeen = *r.firstSeen
	}
	*r = factRow{}
	return &p, nil
}

// readStated reads the rows of a question that begins with statedSQL.
func readStated(rows pgx.Rows) (facts []Stated, err error) {
	var row factRow
	var shown *bool
	_, err = pgx.ForEachRow(rows, append([]any{&row.product.ID, &shown}, row.columns()...), func() error {
		p, err := row.take()
		facts = append(facts, Stated{p, shown})
		shown = nil
		return err
	})
	return facts, err
}

// Stated reads the facts of a version's products, in the order of their ids: of at most so many that come after an
// id. Errors: ErrVersionGone, ErrNotMigrated.
func (s *Store) Stated(ctx context.Context, version, after string, most int) (facts []Stated, err error) {
	m, err := s.model(ctx, version)
	if err != nil {
		return nil, err
	}
	var batch pgx.Batch
	batch.Queue(statedSQL+` FROM `+m.schema+`.item i LEFT JOIN kindred.product_state s ON s.id = i.code
		WHERE i.code > $1 ORDER BY i.code LIMIT `+strconv.Itoa(most), after).Query(func(rows pgx.Rows) (err error) {
		facts, err = readStated(rows)
		return err
	})
	if err := m.send(ctx, s.pool, &batch); err != nil {
		s.forget(err, version)
		return nil, fmt.Errorf("read facts of products: %w", unmigrated(err))
	}
	return facts, nil
}

// queueFacts asks for the facts of the version's products that were written since. After rows were deleted it finds
// none: the reader begins anew.
func (m *model) queueFacts(batch *pgx.Batch, since Since, found map[string][]Stated) {
	if !since.Facts {
		return
	}
	batch.Queue(statedSQL+` FROM kindred.catalogue k, kindred.product_state s JOIN `+m.schema+`.item i ON i.code = s.id
		WHERE k.generation::text = $1 AND s.transaction >= $2::text::xid8 AND s.transaction < '18446744073709551615'::xid8`,
		since.generation, since.from()).Query(func(rows pgx.Rows) (err error) {
		found[m.Version], err = readStated(rows)
		return err
	})
}
