package etl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/shop/mysqlsource"
)

func TestParseMapping(t *testing.T) {
	t.Parallel()
	got, err := parseMapping("-- a shop\n\n-- kindred: ratings\nSELECT 'a;b' AS x -- no; end\n  FROM r;\n\n-- kindred: products\n(WITH q AS (SELECT 1) SELECT `;` FROM q)\n")
	want := mysqlsource.Mapping{Ratings: "SELECT 'a;b' AS x -- no; end\n  FROM r", Products: "(WITH q AS (SELECT 1) SELECT `;` FROM q)"}
	if err != nil || got != want {
		t.Errorf("%+v, error %v, want %+v", got, err, want)
	}
}

func TestBadMappingNamesEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want []string
	}{
		{"", []string{`line 1: there is no heading, want "-- kindred: customers"`}},
		{"SELECT 1", []string{`line 1: a query has no heading`}},
		{"-- kindred: orders\nSELECT 1\n-- kindred: ratings\n-- none\n-- kindred: products\nDELETE FROM products\n-- kindred: products\nSELECT 1\n-- kindred: customers\nSELECT 1; DROP TABLE x;",
			[]string{`line 1: there is no data set "orders"`, "line 3: the query of ratings is empty", "line 5: the query of products does not begin with SELECT",
				"line 7: products has a query already, on line 5", "line 9: the query of customers is more than one statement"}},
		{"-- kindred: ratings\n/* SELECT */", []string{"is empty"}},
		{"-- kindred: ratings\nSELECT 'open; DROP", nil},
		{"-- kindred: ratings\nSELECT 'it\\'s'; DROP TABLE x", []string{"more than one statement"}},
		{"-- kindred: ratings\nSELECTED", []string{"does not begin with SELECT"}},
	}
	for _, test := range tests {
		_, err := parseMapping(test.text)
		if (err == nil) != (test.want == nil) {
			t.Errorf("%q: error %v", test.text, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", test.text, err, want)
			}
		}
		if err != nil && strings.Count(err.Error(), "line ") < len(test.want) {
			t.Errorf("%q: not every problem is there: %v", test.text, err)
		}
	}
}

func TestMappingFileOfTheExampleIsRead(t *testing.T) {
	t.Parallel()
	m, err := readMapping(filepath.Join("..", "..", "..", "testdata", "shop-mapping", "shop.sql"))
	if err != nil || m.Customers == "" || m.Products == "" || m.Ratings == "" {
		t.Errorf("%+v, error %v", m, err)
	}
	if m, err := readMapping(""); err != nil || m != (mysqlsource.Mapping{}) {
		t.Errorf("no file: %+v, error %v", m, err)
	}
	name := filepath.Join(t.TempDir(), "bad.sql")
	if err := os.WriteFile(name, []byte("-- kindred: a\n-- kindred: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readMapping(name); err == nil || strings.Contains(err.Error(), "\n") ||
		!strings.Contains(err.Error(), name) {
		t.Errorf("error %v, want one line that names the file", err)
	}
}
