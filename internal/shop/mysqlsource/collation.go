package mysqlsource

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	driver "github.com/go-sql-driver/mysql"

	"kindred/internal/shop/mapping"
)

// batchSpellings is how many codes one query asks for. Each makes a column of the answer.
const batchSpellings = 100

// SameProducts asks the server which products' codes are equal to each of codes under the column's
// collation: "s10" and "S10 " may be equal to "S10". It returns the products' codes by code, and
// leaves out a code without any. It uses a second connection, because the snapshot's connection is
// busy sending ratings. That connection is outside the snapshot, so the caller must check that the
// snapshot has the product. If keys are not text, there is nothing to ask.
func (s *Snapshot) SameProducts(ctx context.Context, codes []string) (same map[string][]string, err error) {
	if s.keys == nil || s.keys.products != formText {
		return nil, nil
	}
	return s.sameKeys(ctx, productsTable(), productColumn, s.mapping.Products, codes)
}

// SameCustomers is SameProducts for customers.
func (s *Snapshot) SameCustomers(ctx context.Context, ids []string) (same map[string][]string, err error) {
	if s.keys == nil || s.keys.customers != formText {
		return nil, nil
	}
	return s.sameKeys(ctx, customersTable(), customerColumn, s.mapping.Customers, ids)
}

func (s *Snapshot) sameKeys(ctx context.Context, t table, column, mapped string,
	ids []string) (same map[string][]string, err error) {
	if s.lookup == nil {
		if s.lookup, err = s.openLookup(); err != nil {
			return nil, err
		}
	}
	same = map[string][]string{}
	for len(ids) > 0 {
		batch := ids[:min(len(ids), batchSpellings)]
		ids = ids[len(batch):]
		if err := s.askSpellings(ctx, t, column, mapped, batch, same); err != nil {
			return nil, fmt.Errorf("ask which keys of %s are equal under the column's collation: %w", t.name,
				s.witness.Explain(cause(ctx, err)))
		}
	}
	return same, nil
}

func (s *Snapshot) openLookup() (*sql.DB, error) {
	cfg := s.cfg.Clone()
	if err := cfg.Apply(driver.Charset(charset, "")); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	cfg.InterpolateParams = true // one round trip
	cfg.Params = mapping.Session
	cfg.TLS, cfg.AllowFallbackToPlaintext = s.dialled, false
	limits := s.limits
	limits.Login, limits.Note = false, s.witness.Note // the driver does not say when the login is done
	cfg.DialFunc = limits.Dial
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: the DSN cannot be used for a second connection", ErrSettings)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// askSpellings compares in both ways with the column itself, so its collation decides.
func (s *Snapshot) askSpellings(ctx context.Context, t table, column, mapped string, codes []string,
	same map[string][]string) error {
	var equals strings.Builder
	args := make([]any, 0, 2*len(codes))
	for _, code := range codes {
		equals.WriteString(", " + column + " = ?")
		args = append(args, code)
	}
	for _, code := range codes {
		args = append(args, code)
	}
	//nolint:gosec // kindred's own columns, and the mapping, whose author may read the shop anyway
	rows, err := s.lookup.QueryContext(ctx, "SELECT "+column+equals.String()+" FROM "+
		t.from(mapped)+" WHERE "+column+" IN (?"+strings.Repeat(", ?", len(codes)-1)+")", args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var key string
	equal := make([]bool, len(codes))
	into := []any{&key}
	for i := range equal {
		into = append(into, &equal[i])
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, code := range codes {
			if equal[i] {
				same[code] = append(same[code], key)
			}
		}
	}
	return rows.Err()
}
