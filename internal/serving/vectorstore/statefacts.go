package vectorstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/rule"
)

// Stated is what the state says of a product. Its facts do not say whether it can be bought.
type Stated struct {
	*rule.Product

	Shown *bool // it can be bought; nil: only a version's own stock says it
}

// statedSQL begins a question for the facts of the rows s of product_state.
var statedSQL = `SELECT s.id, s.available AND NOT s.hidden, ` + factList(`s`)

// factList are the columns of factColumns, as factRow reads them.
func factList(row string) string {
	return strings.ReplaceAll(row+`.`+strings.Join(factColumns, `, `+row+`.`), row+`.price`, row+`.price::text`)
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

// Stated reads the facts of the products of which something was said, in the order of their ids: of at most so many
// that come after an id. Errors: ErrNotMigrated.
func (s *Store) Stated(ctx context.Context, after string, most int) ([]Stated, error) {
	rows, err := s.pool.Query(ctx, statedSQL+` FROM kindred.product_state s WHERE s.id > $1 ORDER BY s.id LIMIT `+
		strconv.Itoa(most), after)
	if err != nil {
		return nil, fmt.Errorf("read facts of products: %w", unmigrated(err))
	}
	facts, err := readStated(rows)
	if err != nil {
		return nil, fmt.Errorf("read facts of products: %w", unmigrated(err))
	}
	return facts, nil
}

// queueFacts asks for the facts of the products that were written since. After rows were deleted it finds none:
// the reader begins anew.
func (s *Store) queueFacts(batch *pgx.Batch, since Since, found *[]Stated) {
	if !since.Facts {
		return
	}
	batch.Queue(statedSQL+` FROM kindred.catalogue k, kindred.product_state s
		WHERE k.generation::text = $1 AND s.transaction >= $2::text::xid8 AND s.transaction < '18446744073709551615'::xid8`,
		since.generation, since.from()).Query(func(rows pgx.Rows) (err error) {
		*found, err = readStated(rows)
		return err
	})
}
