package vectorstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
)

// factsSQL asks what is known of products: what the shop says now, else what the version says.
func (m *model) factsSQL() string {
	state := `kindred.product_state`
	if !m.state.products {
		state = noState
	}
	return `SELECT c.code, jsonb_strip_nulls(jsonb_build_object('name', ` + nameSQL(`s`, `i`) + `,
		'categories', to_jsonb(` + categoriesSQL(`s`, `i`) + `),
		'available', coalesce(s.available AND NOT s.hidden, i.quantity_in_stock > 0), 'stock', s.stock,
		'price', trim_scale(s.price), 'currency', s.currency, 'brand', s.brand, 'url', s.url, 'image', s.image,
		'attributes', s.attributes,
		'first_seen', to_char(s.first_seen AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
		FROM unnest($1::text[]) AS c (code) LEFT JOIN ` + m.schema + `.item i ON i.code = c.code LEFT JOIN ` + state +
		` s ON s.id = c.code WHERE i.code IS NOT NULL OR s.id IS NOT NULL`
}

// Facts reads what is known of products, in one round trip. Errors: ErrVersionGone.
func (s *Store) Facts(ctx context.Context, live *recommend.Model, codes []string) (map[string]recommend.Facts, error) {
	m, err := s.model(ctx, live.Version)
	if err != nil {
		return nil, err
	}
	found := make(map[string]recommend.Facts, len(codes))
	var batch pgx.Batch
	batch.Queue(m.factsSQL(), codes).Query(func(rows pgx.Rows) error {
		var code string
		var data []byte
		_, err := pgx.ForEachRow(rows, []any{&code, &data}, func() error {
			var facts recommend.Facts
			if err := json.Unmarshal(data, &facts); err != nil {
				return err
			}
			found[code] = facts
			return nil
		})
		return err
	})
	if err := m.send(ctx, s.pool, &batch); err != nil {
		s.forget(err, live.Version)
		return nil, fmt.Errorf("look up what is known of %d products: %w", len(codes), err)
	}
	return found, nil
}
