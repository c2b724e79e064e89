package etl

import (
	"errors"
	"strings"
	"testing"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/shop/mysqlsource"
)

// columns are a source's.
func columns() mysqlsource.Schema {
	return mysqlsource.Schema{
		Customers: []mysqlsource.Column{{Name: "customerNumber", Type: "integer", Length: 4, Contract: true},
			{Name: "city", Type: "text", Length: 50, Contract: true}, {Name: "fax", Type: "text", Length: 20}},
		Products: []mysqlsource.Column{{Name: "MSRP", Type: "decimal", Length: 10, Decimals: 2, Contract: true}},
		Ratings:  []mysqlsource.Column{{Name: "productRating", Type: "integer", Length: 4, Contract: true}},
	}
}

func TestNewAndWidenedColumnsPassAndRenamedOrNarrowedOnesStop(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*mysqlsource.Schema)
		want   []string // nil: passes
	}{
		{"the same", func(*mysqlsource.Schema) {}, nil},
		{"a new column", func(s *mysqlsource.Schema) {
			s.Customers = append(s.Customers, mysqlsource.Column{Name: "phone", Type: "text"})
		}, nil},
		{"a wider text", func(s *mysqlsource.Schema) { s.Customers[1].Length = 80 }, nil},
		{"a wider amount", func(s *mysqlsource.Schema) { s.Products[0].Length = 12 }, nil},
		{"a column that nobody reads is gone", func(s *mysqlsource.Schema) { s.Customers = s.Customers[:2] }, nil},
		{"another case", func(s *mysqlsource.Schema) { s.Customers[1].Name = "CITY" }, nil},
		{"a renamed column", func(s *mysqlsource.Schema) { s.Customers[1].Name, s.Customers[1].Contract = "town", false },
			[]string{"column customers.city (text of 50 characters) is gone, renamed to town?"}},
		{"a narrower text and amount", func(s *mysqlsource.Schema) { s.Customers[1].Length, s.Products[0].Decimals = 20, 1 },
			[]string{"column customers.city was text of 50 characters, is text of 20 characters",
				"column products.MSRP was decimal(10,2), is decimal(10,1)"}},
		{"another type", func(s *mysqlsource.Schema) {
			s.Ratings[0] = mysqlsource.Column{Name: "productRating", Type: "text", Length: 9}
		},
			[]string{"column ratings.productRating was integer of 4 bytes, is text of 9 characters"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
			s := small()
			s.schema = columns()
			old, _ := mustRun(t, s, repo)
			next := small()
			next.ratings = next.ratings[1:]
			next.schema = columns()
			test.change(&next.schema)
			_, err := Run(t.Context(), next, repo, Options{ScratchDir: t.TempDir(), Limits: few})
			if (err == nil) != (test.want == nil) || err != nil && !errors.Is(err, ErrDrift) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if err == nil {
				return
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want one line with %q", err, want)
				}
			}
			if now, err := repo.Current(t.Context()); err != nil || now.Run != old.Run {
				t.Errorf("current run %q, error %v, want %q", now.Run, err, old.Run)
			}
			out, err := Run(t.Context(), next, repo, Options{ScratchDir: t.TempDir(), Limits: few, AcceptSchema: true})
			if err != nil || !out.Changed {
				t.Errorf("accepted: changed %v, error %v", out.Changed, err)
			}
		})
	}
}

// A set whose manifest is older than the columns' record is no reason to stop.
func TestSetWithoutColumnsIsNoDrift(t *testing.T) {
	t.Parallel()
	for _, details := range []string{"", "null", `{"ratings_read":4}`, `[]`} {
		if s := schemaOf(commit.Manifest{Details: []byte(details)}); len(gone(s, columns()))+len(narrowed(s, columns())) > 0 {
			t.Errorf("details %q: schema %+v", details, s)
		}
	}
}

// Manifests of sets from before there were counts of customers and products are read all the same.
func TestColumnsOfAnOlderManifestAreRead(t *testing.T) {
	t.Parallel()
	const old = `{"rules":{"read":4,"missing_key":0,"stars_out_of_range":1,"unknown_customer":0,"unknown_product":0,"duplicate":0,` +
		`"future_date":0,"first_fault":"row 4 of ratings: productRating is not from 1 to 5"},"limits":{"orphans":0.01},` +
		`"schema":{"customers":[{"name":"city","type":"text","length":50,"contract":true}],"products":[],"ratings":[]}}`
	m := commit.Manifest{Details: []byte(old)}
	if s := schemaOf(m); len(s.Customers) != 1 || s.Customers[0].Length != 50 {
		t.Errorf("schema %+v", s)
	}
	if err := shrunk(m, Rows{}, Details{Counts: Counts{Products: TableCounts{Read: 3, InStock: 1}}},
		Options{MaxShrink: 0.5}); err != nil {
		t.Error(err)
	}
}
