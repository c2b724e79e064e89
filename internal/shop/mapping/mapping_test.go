package mapping_test

import (
	"strings"
	"testing"

	"kindred/internal/shop/mapping"
)

func TestParseMapping(t *testing.T) {
	t.Parallel()
	got, err := mapping.Parse("-- a shop\n\n-- kindred: ratings\nSELECT 'a;b' AS x -- no; end\n  FROM r;\n\n-- kindred: " +
		"products\n(WITH q AS (SELECT 1) SELECT `;` FROM q)\n")
	want := mapping.Mapping{Ratings: "SELECT 'a;b' AS x -- no; end\n  FROM r",
		Products: "(WITH q AS (SELECT 1) SELECT `;` FROM q)"}
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
		{"", []string{`line 1: there is no heading, want "-- kindred: products"`}},
		{"SELECT 1", []string{`line 1: a query has no heading`}},
		{"-- kindred: orders\nSELECT 1\n-- kindred: ratings\n-- none\n-- kindred: products\nDELETE FROM products\n-- " +
			"kindred: products\nSELECT 1\n-- kindred: customers\nSELECT 1; DROP TABLE x;",
			[]string{`line 1: there is no data set "orders"`, "line 3: the query of ratings is empty",
				"line 5: the query of products does not begin with SELECT",
				"line 7: products has a query already, on line 5", "line 9: the query of customers is more than one statement"}},
		{"-- kindred: ratings\n/* SELECT */", []string{"is empty"}},
		{"-- kindred: ratings\nSELECT 'open; DROP", nil},
		{"-- kindred: ratings\nSELECT 'it\\'s'; DROP TABLE x", []string{"more than one statement"}},
		{"-- kindred: products\nSELECT 1\n-- kindred: ratings\nSELECT 1\n-- kindred: interactions\nSELECT 2",
			[]string{"line 5: a mapping has ratings (line 3) or interactions (line 5), not both"}},
		{"-- kindred: interactions\nSELECT 2", []string{"line 1: interactions need products"}},
		{"-- kindred: ratings\nSELECTED", []string{"does not begin with SELECT"}},
	}
	for _, test := range tests {
		_, err := mapping.Parse(test.text)
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

func TestNamesFindsAColumnOutsideCommentsAndValues(t *testing.T) {
	t.Parallel()
	query := "SELECT id, `E-Mail`, c.Loyalty AS tier, 'city' -- no phone\nFROM customers c /* birthday */"
	for column, want := range map[string]bool{"ID": true, "e-mail": true, "loyalty": true, "Tier": true, "loyal": false,
		"city": false, "phone": false, "birthday": false} {
		if got := mapping.Names(query, column); got != want {
			t.Errorf("%s: %t, want %t", column, got, want)
		}
	}
}
