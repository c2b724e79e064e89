package placement_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"kindred/internal/platform/golden"
	"kindred/internal/serving/placement"
	"kindred/internal/serving/recommend"

	"pgregory.net/rapid"
)

// example is what docs/formats.md shows.
const example = `# The places on our pages that show products.
format: 1
placements:
  home:
    limit: 12
    filter: product.available && product.price < 500
    boost:
      - where: product.brand == "Own"
        factor: 1.5
    diversity: {by: category, at_most: 3}
    min_share:
      - where: product.brand == "Own"
        share: 0.25
    exclude: [GIFT-CARD]
    fields: [name, price, url, image, reason]
  product-alike:
    list: similar
    limit: 6
    filter: product.available
  cart:
    list: bought-together
    limit: 4
  bestsellers:
    list: popular
`

// TestGoldenPlacements: the example is read. What functions read says the same.
func TestGoldenPlacements(t *testing.T) {
	t.Parallel()
	golden.Equal(t, "placements.yaml", []byte(example))
	byName, err := placement.Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"bestsellers", "cart", "home", "product-alike"}
	if got := slices.Sorted(maps.Keys(byName)); !slices.Equal(got, want) {
		t.Errorf("placements %v", got)
	}
	home := byName["home"]
	if *home.Limit != 12 || home.Boost[0].Factor != 1.5 || home.Diversity.AtMost != 3 || home.MinShare[0].Share != 0.25 ||
		home.Exclude[0] != "GIFT-CARD" || len(home.Fields) != 5 || home.Filter == "" ||
		byName["cart"].List != "bought-together" {
		t.Errorf("home: %+v, cart: %+v", home, byName["cart"])
	}
	kept := recommend.EncodePlacements(byName)
	golden.Equal(t, "rules.json", golden.Indent(t, kept))
	if read := recommend.ReadPlacements("p", kept); read.Fault != nil || len(read.Names()) != 4 {
		t.Errorf("read back: %+v", read)
	} else if again, _ := read.Of("home"); again.Problem() != "" || *again.Limit != 12 {
		t.Errorf("home read back: %+v", again)
	}
	later := strings.Replace(string(kept), `"format":1`, `"format":3`, 1)
	for _, form := range []string{later, "", "[]"} {
		if read := recommend.ReadPlacements("p", []byte(form)); read.Fault == nil {
			t.Errorf("%q was read", form)
		}
	}
}

// TestRulesOnListsAreOfALaterForm: a program that would forget them refuses the placements instead.
func TestRulesOnListsAreOfALaterForm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ rules, form string }{
		{"list: trending, limit: 3, exclude: [A]", `{"format":1,`},
		{"list: similar, filter: product.available", `{"format":1,`},
		{"list: trending, filter: product.available", `{"format":2,`},
		{"list: new, boost: [{where: product.available, factor: 2}]", `{"format":2,`},
		{"list: bought-together, diversity: {by: brand, at_most: 1}", `{"format":2,`},
		{"list: recently-viewed, min_share: [{where: product.available, share: 0.5}]", `{"format":2,`},
	} {
		byName, err := placement.Parse([]byte("format: 1\nplacements:\n  a: {" + test.rules + "}\n  b: {}"))
		if err != nil {
			t.Fatal(err)
		}
		kept := recommend.EncodePlacements(byName)
		if read := recommend.ReadPlacements("p", kept); !strings.HasPrefix(string(kept), test.form) || read.Fault != nil {
			t.Errorf("%s: %s, read back: %+v", test.rules, kept, read)
		}
	}
}

// TestFaultsHaveTheirLine: each problem of a file is reported, by its line.
func TestFaultsHaveTheirLine(t *testing.T) {
	t.Parallel()
	const one, boost = "format: 1\nplacements:\n  a:\n    ", "boost: [{where: product.available, "
	for text, want := range map[string][]string{
		"":                          {"line 1: the file is empty"},
		"format: 2\nplacements: {}": {"line 1: the file has the format 2"},
		"placements: {}":            {"line 1: format is missing"},
		"format: 1":                 {"line 1: placements are missing"},
		"format: one\nplacements:":  {"line 1: format must be 1"},
		"format: 1\nplacements: []": {"line 2: placements must have members"},
		"format: 1\nplacements:\n  a: {}\n  a: {}":   {`line 4: placements has "a" twice`},
		"format: 1\nplacements:\n  A:\n    limit: 1": {"line 3: the name of a placement must have 1 to 40"},
		"format: 1\nplacements: {}\nrules: 1":        {`line 3: the file has no member "rules"`},
		"format: 1\nplacements:\n  a: 3":             {"line 3: placement a must have members"},
		one + "limits: 1":                            {`line 4: placement a has no member "limits"`},
		one + "limit: 101":                           {"line 4: placement a: limit must be a number from 1 to 100"},
		one + "limit: many":                          {"line 4: placement a: limit has string"},
		one + "list: best":                           {"line 4: placement a: list is none of bought-together"},
		one + "filter: product.prize < 2":            {"line 4: placement a: filter: column "},
		one + "list: similar\n    diversity: {mmr: 0.5}": {
			"line 5: placement a: diversity does not apply to the list similar"},
		one + "boost:\n      - where: product.available\n        factor: 2\n      - where: x\n        factor: 2": {
			"line 7: placement a: boost[1].where: column 1"},
		one + boost + "factor: 11}]\n  b:\n    fields: [colour]": {
			"line 4: placement a: boost[0].factor must be", "line 6: placement b: fields[0] is none of"},
		one + boost + "factors: 1}]":  {`line 4: placement a: boost has the unknown member "factors"`},
		"format: 1\n---\nformat: 1":   {"line 2: the file must be one document"},
		"format: 1\nplacements: {a: ": {"line 2: "},
		"format: 1\nplacements:\n  a: &a\n    limit: 4\n  b: *a\n  c:\n    limit: 0": {
			"line 7: placement c: limit must be"},
	} {
		_, err := placement.Parse([]byte(text))
		if err == nil {
			t.Errorf("%q was read", text)
			continue
		}
		got := strings.Split(err.Error(), "\n")
		if len(got) != len(want) {
			t.Errorf("%q: %d problems, not %d: %v", text, len(got), len(want), err)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%q:\n got  %s\n want %s", text, got[i], want[i])
			}
		}
	}
}

// TestAnyTextIsReadOrRefused: no file makes the reader fail, and what is read has no problem.
func TestAnyTextIsReadOrRefused(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"format: 1", "placements:", "  home:", "    limit: 3", "    limit: 0",
		"  cart: {}", "-", "    filter: product.available", "    list: similar", "    list: {}", "    boost: [1]",
		"    exclude: [7, x]", "?", "&a", "*a", "    fields: name", "<<: 1", "    filter:", "\t",
		"    min_share: [{where: product.available, share: 0.3}]"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.OneOf(piece, rapid.String()), 0, 12).Draw(t, "lines"), "\n")
		byName, err := placement.Parse([]byte(text))
		for name, p := range byName {
			if problem := p.Problem(); err == nil && problem != "" {
				t.Fatalf("%q: placement %s: %s", text, name, problem)
			}
		}
		if err != nil && (byName != nil || err.Error() == "") {
			t.Fatalf("%q: %v, %v", text, byName, err)
		}
	})
}
