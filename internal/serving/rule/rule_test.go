package rule

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func must(t testing.TB, text string) *Expr {
	t.Helper()
	e, err := Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

func ptr[T any](v T) *T { return &v }

// trainer is a product of which everything is known.
func trainer() *Product {
	return &Product{ID: "t-1", Name: ptr("Trainer “Fly”"), Brand: ptr("Acme"), Currency: ptr("EUR"),
		URL: ptr("https://shop.example/t-1"), Image: ptr("https://shop.example/t-1.jpg"),
		Categories: []string{"shoes", "trainers"}, Price: ptr(Decimal(199_900)), Stock: ptr(int64(3)), Available: true,
		Attributes: map[string]any{"colour": "red", "size": 42.5, "vegan": true},
		FirstSeen:  time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// TestMatch: what docs/formats.md says of the language, of one product.
func TestMatch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`product.price < 20.0 && "trainers" in product.categories && product.available`: true,
		`product.price < 19.99`:                                                 false,
		`product.price <= 19.99`:                                                true,
		`19.990000 == product.price`:                                            true,
		`product.price > 19.989999999999999`:                                    true,
		`product.price == 19.990000000000001`:                                   false,
		`product.price in [5, 19.99]`:                                           true,
		`product.stock >= 3u`:                                                   true,
		`product.stock < 3.5`:                                                   true,
		`product.stock in [2.5, 4]`:                                             false,
		`product.brand in ["Other", "Acme"]`:                                    true,
		`product.brand == "acme"`:                                               false,
		`product.brand < "a"`:                                                   true,
		`product.name.startsWith("Trainer “")`:                                  true,
		`product.attributes.colour == "red"`:                                    true,
		`product.attributes["size"] > 42`:                                       true,
		`product.attributes.size == "42.5"`:                                     false,
		`product.attributes.size != "42.5"`:                                     false,
		`!(product.attributes.size != "42.5")`:                                  true,
		`product.attributes.width != 1`:                                         false,
		`!(product.attributes.width == 1)`:                                      true,
		`product.attributes.vegan`:                                              true,
		`product.attributes.vegan != false`:                                     true,
		`product.attributes.size in ["M", 42.5]`:                                true,
		`product.available == false`:                                            false,
		`product.id in []`:                                                      false,
		`product.first_seen >= timestamp("2026-03-01T12:00:00Z")`:               true,
		`product.first_seen < timestamp("2026-03-01T13:00:00+01:00")`:           false,
		`product.url.startsWith("https://") || product.image == ""`:             true,
		`true && !(product.currency == "USD" || product.currency == "GBP")`:     true,
		"product.brand == 'Acme' // a comment\n && product.currency == \"EUR\"": true,
	} {
		if got := must(t, text).Match(trainer()); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestExamplesOfTheDocument: every whole expression in the section of docs/formats.md compiles.
func TestExamplesOfTheDocument(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n## Rules\n")
	section, _, _ = strings.Cut(section, "\n## ")
	fact, compiled := regexp.MustCompile(`^product\.[a-z_]+(\.NAME|\["NAME"\])?$`), 0
	for _, found := range regexp.MustCompile("`+([^`]+)`+").FindAllStringSubmatch(section, -1) {
		if strings.Contains(found[1], "product.") && !fact.MatchString(found[1]) {
			must(t, found[1])
			compiled++
		}
	}
	if compiled < 8 {
		t.Errorf("found %d expressions only", compiled)
	}
}

// TestOneSpelling: equal meanings have one text.
func TestOneSpelling(t *testing.T) {
	t.Parallel()
	for want, spellings := range map[string][]string{
		`product.available && "a" in product.categories && product.price < 20`: {
			`product.price < 20.0 && 'a' in product.categories && product.available`,
			`(20e0>product.price&&(product.available==true && "\x61" in product.categories))`,
			`product.price < 20 && product.available && !(!("a" in product.categories) || product.available != true)`},
		`!(product.brand == "b") && !(product.brand == "c")`: {
			`!(product.brand == "c" || product.brand in ["b", "b"])`},
		`product.attributes["a b"] == true || product.attributes.x in ["y", 5]`: {
			`product.attributes.x in [0x5, "y", 5.0] || product.attributes["a b"]`},
		`product.price <= 0.0001`: {`product.price <= 1e-4`, `product.price<=00.00010`},
		`false`:                   {`product.brand in [] || false`, `product.available && product.id in [] && true`},
		`product.first_seen < timestamp("2026-03-01T12:00:00Z")`: {
			`timestamp('2026-03-01T14:00:00.000+02:00') > product.first_seen`},
	} {
		for _, s := range append(spellings, want) {
			if got := must(t, s).String(); got != want {
				t.Errorf("%s\ngives %s\nwant  %s", s, got, want)
			}
		}
	}
}

// TestSyntaxErrors: each error names the column and says what to do.
func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                                       `column 1: the expression ends too soon`,
		`product.price <`:                        `column 16: the expression ends too soon`,
		`product. == 5`:                          `column 10: expected identifier after a point`,
		`product.price <> 5`:                     `column 16: unexpected token`,
		`product.price < 5 €`:                    `column 19: unexpected character`,
		"product.available\n && §":               `column 23: unexpected character`,
		`product.prize < 5`:                      `column 1: a product has no such fact; it has attributes, available, brand,`,
		`price < 5`:                              `column 1: a comparison is between a fact of the product, such as product.price, and`,
		`item.price < 5`:                         `column 1: this is not known; a rule speaks of product alone`,
		`product.price < "5"`:                    `column 17: product.price is a number, and this is a text`,
		`product.brand == 5`:                     `column 18: product.brand is a text, and this is a number`,
		`product.price`:                          `column 1: product.price is a number, and no condition by itself`,
		`"a"`:                                    `column 1: a literal alone is no condition`,
		`product.price * 2 < 5`:                  `column 15: a comparison is between a fact of the product`,
		`product.price < 2 + 3`:                  `column 19: this is no literal`,
		`-product.stock < 3`:                     `column 1: a comparison is between`,
		`product.name.matches("a")`:              `column 1: this is not in the subset of CEL`,
		`product.name.contains("a")`:             `column 1: this is not in the subset`,
		`product.categories.exists(c, c == "a")`: `column 1: this is not in the subset`,
		`has(product.price)`:                     `column 4: this is not in the subset`,
		`product.available ? true : false`:       `column 19: this is not in the subset`,
		`size(product.categories) > 1`:           `column 5: a comparison is between a fact`,
		`product.categories == ["a"]`:            `column 23: this is no literal`,
		`product.categories == "a"`:              `column 20: product.categories is a list of texts; write "…" in product.categories`,
		`"a" in product.brand`:                   `column 8: what follows in is product.categories or a list`,
		`5 in product.categories`:                `column 1: product.categories is a list of texts, and this is a number`,
		`product.categories in ["a"]`:            `column 1: product.categories is a list of texts, and only a text`,
		`product.brand in ["a", 5]`:              `column 24: product.brand is a text, and this is a number`,
		`product.brand in ["a", product.name]`:   `column 24: this is no literal`,
		`product.brand == null`:                  `column 18: a fact is compared with a text, a number, true or false, and not`,
		`product.brand == b"a"`:                  `column 18: a fact is compared with`,
		`product.brand == "a\000"`:               `column 18: no product has a text with NUL`,
		`product.attributes["\000"] == 1`:        `column 1: no attribute has the character NUL`,
		`product.attributes == 5`:                `column 1: product.attributes has no value of its own`,
		`product.attributes[5] == 5`:             `column 20: an attribute has a text as its name`,
		`product.attributes.a.b == 5`:            `column 1: a comparison is between a fact`,
		`product.attributes.a < true`:            `column 22: true and false are not in an order`,
		`product.attributes.a < timestamp("2026-03-01T00:00:00Z")`:          `column 33: an attribute is a text, a number`,
		`product.first_seen < "2026-03-01"`:                                 `column 22: product.first_seen is a time, and this is a text`,
		`product.first_seen < timestamp("today")`:                           `column 31: timestamp takes a time such as`,
		`product.first_seen < timestamp(5)`:                                 `column 31: timestamp takes a time such as`,
		`product.first_seen < timestamp("2026-03-01T00:00:00.0000001Z")`:    `column 31: timestamp takes a time such as`,
		`product.price < 1234567890123456789`:                               `column 17: the number has more than 18 digits`,
		`product.price < 1e18`:                                              `column 17: the number has more than 18 digits`,
		`product.price < 0.1234567890123456789`:                             `column 17: the number has more than 18 digits`,
		`product.price < 18446744073709551615u`:                             `column 17: the number has more than 18 digits`,
		`product.price < - // five` + "\n5.5":                               `column 17: the number cannot be read`,
		`product.name.startsWith("a", "b")`:                                 `column 1: startsWith takes one text`,
		`product.name.startsWith(5)`:                                        `column 25: startsWith takes a text, and this is a number`,
		`product.price.startsWith("5")`:                                     `column 1: product.price is a number, and startsWith is for a text`,
		`{"a": 1} == 5`:                                                     `column 1: a comparison is between`,
		`[product.available]`:                                               `column 1: this is no condition`,
		`product.price < product.stock`:                                     `column 17: this is no literal`,
		`5 < 6`:                                                             `column 1: a comparison is between`,
		`product["price"] < 5`:                                              `column 1: a comparison is between`,
		strings.Repeat("(", 65) + "true":                                    `column 1: more than 64 brackets are nested`,
		strings.Repeat("product.stock<1||", 64) + `true||product.available`: `column 1095: the expression has more than 64 comparisons`,
		strings.Repeat(" ", 2001):                                           `column 1: the expression has 2001 bytes, at most 2000 are allowed`,
		"product.brand == \"\xff\"":                                         `column 1: the expression is not UTF-8`,
	} {
		e, err := Compile(text)
		var wrong *SyntaxError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.80q\ngives %v (%v)\nwant  %s", text, err, e, want)
		}
	}
}

// TestNumbersAreExact: a comparison of a price with a literal of up to 18 digits is that of the two exact
// numbers.
func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := Decimal(rapid.Int64Range(-999_999_999_999_999_999, 999_999_999_999_999_999).Draw(t, "price"))
		literal := price.String()
		if rapid.Bool().Draw(t, "another") {
			literal = fmt.Sprintf("%d.%d", rapid.Int64Range(-1e9, 1e9).Draw(t, "whole"),
				rapid.Int64Range(0, 99_999_999).Draw(t, "part"))
		}
		a, _ := new(big.Rat).SetString(fmt.Sprint(int64(price), "/10000"))
		b, ok := new(big.Rat).SetString(literal)
		if !ok {
			t.Fatal(literal)
		}
		read, err := ParseDecimal(price.String())
		if err != nil || read != price {
			t.Fatalf("%d is written %s and read %d, %v", price, price, read, err)
		}
		p := &Product{Price: &price}
		c := NewColumns(1)
		c.Set(0, p)
		for sign, want := range map[string]bool{"<": a.Cmp(b) < 0, "<=": a.Cmp(b) <= 0, ">": a.Cmp(b) > 0,
			">=": a.Cmp(b) >= 0, "==": a.Cmp(b) == 0, "!=": a.Cmp(b) != 0} {
			e, err := Compile("product.price " + sign + " " + literal)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Match(p); got != want || e.Mask(c, nil).Has(0) != want {
				t.Fatalf("%s %s %s is %v", price, sign, literal, got)
			}
		}
	})
}

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"19.9900": "19.99", "0": "0", "-0.5": "-0.5", "0012": "12",
		"99999999999999.9999": "99999999999999.9999"} {
		if d, err := ParseDecimal(text); err != nil || d.String() != want {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
	for _, bad := range []string{"", "-", ".5", "5.", "1e3", "+5", "1.23456", "123456789012345", "NaN", "5,5", "1.-5",
		"--1"} {
		if d, err := ParseDecimal(bad); err == nil {
			t.Errorf("%q is read as %s", bad, d)
		}
	}
}

// TestBoosted: a larger factor never gives a lower score, and one factor keeps the order.
func TestBoosted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		score := func() float32 { return rapid.Float32Range(-1e6, 1e6).Draw(t, "score") }
		factor := func() float32 { return rapid.Float32Range(MinFactor, MaxFactor).Draw(t, "factor") }
		a, b, f, g := score(), score(), factor(), factor()
		if low, high := Boosted(a, min(f, g)), Boosted(a, max(f, g)); low > high {
			t.Fatalf("%g boosted by %g is %g, by %g %g", a, min(f, g), low, max(f, g), high)
		}
		if low, high := Boosted(min(a, b), f), Boosted(max(a, b), f); low > high {
			t.Fatalf("boosted by %g, %g and %g become %g and %g", f, min(a, b), max(a, b), low, high)
		}
		if Boosted(a, 1) != a {
			t.Fatalf("%g boosted by 1 is %g", a, Boosted(a, 1))
		}
	})
	always := must(t, "true")
	for _, b := range []Boost{{nil, 1}, {always, 0.09}, {always, 11}, {always, math.NaN()}} {
		if b.Check() == nil {
			t.Errorf("%v is not refused", b)
		}
	}
	boosts := []Boost{{always, 10}, {always, 0.1}, {always, 5}, {always, 3}}
	for n, want := range map[int]float32{0: 10, 1: 0.1, 3: 3} {
		if err := boosts[n].Check(); err != nil {
			t.Error(err)
		}
		if got := Factor(boosts, func(i int) bool { return i == n }); got != want {
			t.Errorf("boost %d gives %g", n, got)
		}
	}
	if got := Factor(boosts, func(int) bool { return true }); got != MaxFactor {
		t.Errorf("together they give %g, want the bound", got)
	}
}
