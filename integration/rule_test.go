package integration

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"kindred/internal/serving/rule"
	"kindred/internal/serving/rule/ruletest"
)

// ruleRows are the rows that an expression's SQL speaks of: products in order of their numbers, each with its
// state or, where the id of the state is not the product's, without.
const ruleRows = ` FROM (SELECT row_number() OVER () AS n, x.* FROM unnest($1::text[], $2::boolean[]) x (id, available)) x
	LEFT JOIN kindred.product_state p ON p.id = x.n::text
	CROSS JOIN LATERAL (SELECT x.id, x.available, p.name, p.categories) f ORDER BY x.n`

// TestRulesInSQL: PostgreSQL says of random expressions and products what Match says, and the texts of an
// expression are never a part of its SQL.
func TestRulesInSQL(t *testing.T) {
	t.Parallel()
	dsn := withSettings(t, mustStack(t).mustVectorDatabase(t), "timezone", "Asia/Kolkata")
	mustVectorStore(t, dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `ALTER TABLE kindred.product_state DISABLE TRIGGER USER`); err != nil {
		t.Fatal(err)
	}
	const products, expressions = 40, 20 // of one check: writing takes longer than asking
	held := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		all := make([]*rule.Product, products)
		ids, available := make([]string, products), make([]bool, products)
		for i := range all {
			all[i] = ruletest.Product(t, ruletest.ID(t))
			ids[i], available[i] = all[i].ID, all[i].Available
		}
		mustWriteFacts(t, conn, all)
		for range expressions {
			s := ruletest.Expression(t, 3)
			e, err := rule.Compile(s.Rule)
			if err != nil {
				continue // too long: that all others compile is tested beside package rule
			}
			args := []any{ids, available}
			condition := e.SQL(&args)
			rows, err := conn.Query(t.Context(), `SELECT `+condition+ruleRows, args...)
			if err != nil {
				t.Fatalf("%s: %v", condition, err)
			}
			got, err := pgx.CollectRows(rows, pgx.RowTo[bool])
			if err != nil || len(got) != products {
				t.Fatalf("%s\nas %s\n%d answers, %v", s.Rule, condition, len(got), err)
			}
			for i, p := range all {
				if want := e.Match(p); got[i] != want {
					t.Fatalf("%s\nas %s\n%q\nof %+v: SQL %v, match %v", e, condition, args[2:], ruletest.Facts(p), got[i], want)
				}
				held[got[i]]++
			}
		}
	})
	if held[true] < 1000 || held[false] < 1000 {
		t.Errorf("%v: too few to mean anything", held)
	}
}

// mustWriteFacts makes the state of products what is known of them. A product of which only id and
// availability are known has none.
func mustWriteFacts(t *rapid.T, conn *pgx.Conn, all []*rule.Product) {
	var batch pgx.Batch
	batch.Queue(`DELETE FROM kindred.product_state`)
	for i, p := range all {
		var price *string
		if p.Price != nil {
			s := p.Price.String()
			price = &s
		}
		if p.FirstSeen.IsZero() { // a row has always been written at some time
			*p = rule.Product{ID: p.ID, Available: p.Available}
			continue
		}
		batch.Queue(`INSERT INTO kindred.product_state (id, name, brand, currency, url, image, categories, price, stock, attributes,
			available, first_seen, changed, written) VALUES ($1::bigint::text, $2, $3, $4, $5, $6, $7, $8::text::numeric, $9, $10, $11, $12, $12, '{}')`,
			i+1, p.Name, p.Brand, p.Currency, p.URL, p.Image, p.Categories, price, p.Stock, p.Attributes, !p.Available,
			p.FirstSeen)
	}
	if err := conn.SendBatch(t.Context(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRulesOfOddStates: what only a hand can have written into product_state is not known to a rule, and
// breaks no search.
func TestRulesOfOddStates(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	mustVectorStore(t, dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, odd := range []string{`NULL`, `'[]'`, `'"red"'`, `'5'`, `'{"x": null}'`, `'{"x": ["red"]}'`, `'{"x": {"red": 5}}'`,
		`'{"x": "NaN"}'`, `'{"x": "5"}'`, `'{"y": 5}'`} {
		if _, err := conn.Exec(t.Context(), `DELETE FROM kindred.product_state`); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), `INSERT INTO kindred.product_state (id, categories, attributes, first_seen, changed, written)
			VALUES ('1', ARRAY[NULL, 'b'], `+odd+`, now(), now(), '{}')`); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{`product.attributes.x == 5`, `product.attributes.x < 5 || product.attributes.x >= 5`,
			`product.attributes.x in [5, "red", true]`, `product.attributes.x`, `"a" in product.categories`} {
			e, err := rule.Compile(strings.Join([]string{text, `!(` + text + `)`}, " && ") + ` || ` + text)
			if err != nil {
				t.Fatal(err)
			}
			args := []any{[]string{"p"}, []bool{true}}
			var holds bool
			if err := conn.QueryRow(t.Context(), `SELECT `+e.SQL(&args)+ruleRows, args...).Scan(&holds); err != nil || holds {
				t.Errorf("%s of attributes %s: %v, %v", text, odd, holds, err)
			}
		}
	}
}
