package integration

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/lab/shopsystem"
	"kindred/internal/shop/preset"
)

// mustSystem makes a database with a shop of a system, and plans it.
func (s Stack) mustSystem(t *testing.T, c shopsystem.Config) (*shopsystem.Plan, *sql.DB) {
	t.Helper()
	db := mustOpen(t, s.mustDatabase(t))
	return mustLoadSystem(t, db, c), db
}

func mustLoadSystem(t *testing.T, db *sql.DB, c shopsystem.Config) *shopsystem.Plan {
	t.Helper()
	plan, err := shopsystem.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := shopsystem.Load(t.Context(), db, plan, nil); err != nil {
		t.Fatal(err)
	}
	return plan
}

func mustOpen(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal("open MySQL")
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// mustMap recognises the shop and writes its mapping.
func mustMap(t *testing.T, db *sql.DB, choice preset.Choice, given map[string]string) preset.Mapping {
	t.Helper()
	found, err := preset.Detect(t.Context(), db, choice)
	if err != nil {
		t.Fatal(err)
	}
	m, err := preset.Map(t.Context(), db, found, given)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// readMapping reads what a mapping shows, as the rows that a plan expects.
func readMapping(t *testing.T, db *sql.DB, m preset.Mapping) (e shopsystem.Expected) {
	t.Helper()
	for _, r := range mustQuery(t, db, m.Queries["products"]) {
		row := shopsystem.ProductRow{ID: r["id"], Name: r["name"], Brand: r["brand"], Price: money(t, r["price"]),
			Available: r["available"] == "1"}
		if text := r["categories"]; text != "" {
			if err := json.Unmarshal([]byte(text), &row.Categories); err != nil {
				t.Fatalf("categories %q of product %s: %v", text, row.ID, err)
			}
			slices.Sort(row.Categories)
		}
		e.Products = append(e.Products, row)
	}
	for _, r := range mustQuery(t, db, m.Queries["customers"]) {
		e.Customers = append(e.Customers, shopsystem.CustomerRow{ID: r["id"], Country: r["country"], City: r["city"]})
	}
	for _, r := range mustQuery(t, db, m.Queries["interactions"]) {
		row := shopsystem.InteractionRow{Customer: r["customer"], Session: r["session"], Product: r["product"],
			Kind:  r["kind"],
			Stars: whole(t, r["value"]), Quantity: whole(t, r["quantity"]), Order: r["order_id"]}
		row.At = moment(t, r["at"])
		e.Interactions = append(e.Interactions, row)
	}
	return e
}

// wantRows compares in any order.
func wantRows(t *testing.T, want, got shopsystem.Expected) {
	t.Helper()
	for _, e := range []*shopsystem.Expected{&want, &got} {
		slices.SortFunc(e.Products, func(a, b shopsystem.ProductRow) int { return strings.Compare(a.ID, b.ID) })
		slices.SortFunc(e.Customers, func(a, b shopsystem.CustomerRow) int { return strings.Compare(a.ID, b.ID) })
		slices.SortFunc(e.Interactions, func(a, b shopsystem.InteractionRow) int {
			return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows of the mapping (-want +got):\n%s", diff[:min(len(diff), 4_000)])
	}
}

func TestPresetsShowExactlyWhatEachVersionsTablesMean(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	for _, system := range shopsystem.Systems() {
		for _, version := range shopsystem.Versions(system) {
			t.Run(system+"/"+version, func(t *testing.T) {
				t.Parallel()
				plan, db := stack.mustSystem(t, shopsystem.Config{System: system, Version: version,
					Prefix: shopsystem.DefaultPrefix(system),
					Seed:   7, Orders: 600})
				m := mustMap(t, db, preset.Choice{}, nil)
				if m.Found.System != system || m.Found.Prefix != shopsystem.DefaultPrefix(system) {
					t.Errorf("found %v", m.Found)
				}
				store := 0
				if system == "shopware6" { // it has no first store
					store = shopsystem.AllStores
				}
				wantRows(t, plan.Expect(shopsystem.View{Store: store}), readMapping(t, db, m))
				for _, v := range m.Values {
					if v.Name == "currency" && v.Value != "EUR" && system != "classicmodels" {
						t.Errorf("the currency is %q", v.Value)
					}
				}
				d, err := preset.Describe(t.Context(), db, m)
				if err != nil {
					t.Fatal(err)
				}
				t.Log(m.Sentence(d))
			})
		}
	}
}

func mustQuery(t *testing.T, db *sql.DB, query string) (all []map[string]string) {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatalf("%v in\n%s", err, query)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = values[i].String
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// whole reads a whole number, which a decimal may hold; "" is 0.
func whole(t *testing.T, s string) int {
	t.Helper()
	if s == "" {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != float64(int(f)) {
		t.Fatalf("%q is no whole number", s)
	}
	return int(f)
}

// money reads a decimal with two places; "" is none.
func money(t *testing.T, s string) string {
	t.Helper()
	if s == "" {
		return ""
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("%q is no price", s)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// moment reads a time as the driver gives it to a text.
func moment(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatalf("%q is no time", s)
	}
	return at.UTC()
}
