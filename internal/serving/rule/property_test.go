package rule

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/parser"
	"pgregory.net/rapid"
)

// said is an expression as a rule, and as an expression of whole CEL that says beside it what a rule says of
// itself: that a comparison with what is not known, or of another type, does not hold.
type said struct{ rule, cel string }

var (
	someTexts = []string{"", "a", "ab", "b", "Z", "é", "e\u0301", "日本", "it's", `"`, `\`, "%", "$1", "' OR true --",
		"a\nb", "\u200b", "ﬀ"}
	someKeys   = []string{"colour", "size", "a b", "it's", `"`, "in", "ü", "", "weight"}
	someWholes = []int64{0, 1, -1, 2, 5, 19, 20, 100, 1 << 40}
	someTimes  = []string{"2026-01-01T00:00:00Z", "2026-03-01T12:00:00.000001Z", "2026-03-01T14:00:00+02:00",
		"1969-12-31T23:59:59.5Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"}
	someFloats = []float64{0, 1, -1, 0.5, 2, 19.99, 1e17, 0.1, 1e-7, -2.25}
)

// spelt is a text literal in one of CEL's spellings.
func spelt(t *rapid.T, s string) string {
	switch rapid.IntRange(0, 3).Draw(t, "spelling") {
	case 0:
		return strconv.Quote(s)
	case 1:
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(s) + "'"
	case 2:
		if !strings.ContainsAny(s, "\"\n\\") {
			return `r"` + s + `"`
		}
	}
	return quoted(s)
}

func speltNumber(t *rapid.T) string {
	switch rapid.IntRange(0, 4).Draw(t, "number") {
	case 0:
		return strconv.FormatInt(rapid.SampledFrom(someWholes).Draw(t, "whole"), 10)
	case 1:
		return strconv.FormatUint(uint64(max(0, rapid.SampledFrom(someWholes).Draw(t, "whole"))), 10) + "u"
	case 2:
		f := rapid.SampledFrom(someFloats).Draw(t, "double")
		return strconv.FormatFloat(f, 'e', -1, 64)
	case 3:
		return fmt.Sprintf("0x%x", max(0, rapid.SampledFrom(someWholes).Draw(t, "whole")))
	}
	return strconv.FormatFloat(float64(rapid.IntRange(-300_000, 300_000).Draw(t, "ten-thousandths"))/10_000, 'f', 5, 64)
}

// someFact draws a field, spelt as CEL does, with the condition that it is known and of the literal's type.
func someFact(t *rapid.T, of kind) (spelt, guard string) {
	names := map[kind][]string{text: {"id", "name", "brand", "currency", "url", "image"}, digits: {"price", "stock"},
		instant: {"first_seen"}, list: {"categories"}}[of]
	if name := rapid.SampledFrom(append(names, "attributes")).Draw(t, "fact"); name != "attributes" || len(names) == 0 ||
		of == instant || of == list {
		if name == "attributes" {
			name = names[0]
		}
		return "product." + name, "has(product." + name + ")"
	}
	return someAttribute(t, of)
}

func someAttribute(t *rapid.T, of kind) (spelling, guard string) {
	key := rapid.SampledFrom(someKeys).Draw(t, "key")
	spelling = "product.attributes[" + spelt(t, key) + "]"
	if plainKey.MatchString(key) && key != "in" && rapid.Bool().Draw(t, "after a point") {
		spelling = "product.attributes." + key
	}
	guard = quoted(key) + " in product.attributes"
	if name := map[kind]string{text: "string", digits: "double", flag: "bool"}[of]; name != "" {
		guard += " && type(product.attributes[" + quoted(key) + "]) == " + name
	}
	return spelling, guard
}

// someLeaf draws a comparison.
func someLeaf(t *rapid.T) said {
	leaf, guard := "", ""
	literal := func() string { return spelt(t, rapid.SampledFrom(someTexts).Draw(t, "text")) }
	signs := []string{"==", "!=", "<", "<=", ">", ">="}
	compare := func(fact, literal string, signs []string) string {
		sign := rapid.SampledFrom(signs).Draw(t, "sign")
		if rapid.Bool().Draw(t, "turned") {
			return literal + sign + fact
		}
		return fact + " " + sign + " " + literal
	}
	switch rapid.IntRange(0, 9).Draw(t, "leaf") {
	case 0:
		return said{"product.available", "product.available"}
	case 1:
		sign := compare("product.available", rapid.SampledFrom([]string{"true", "false"}).Draw(t, "flag"), signs[:2])
		return said{sign, sign}
	case 2:
		leaf, guard = someFact(t, text)
		leaf = compare(leaf, literal(), signs)
	case 3:
		leaf, guard = someFact(t, digits)
		leaf = compare(leaf, speltNumber(t), signs)
	case 4:
		leaf, guard = someFact(t, instant)
		leaf = compare(leaf, "timestamp("+quoted(rapid.SampledFrom(someTimes).Draw(t, "time"))+")", signs)
	case 5:
		leaf, guard = someFact(t, list)
		leaf = literal() + " in " + leaf
	case 6:
		leaf, guard = someFact(t, text)
		leaf += ".startsWith(" + literal() + ")"
	case 7:
		leaf, guard = someAttribute(t, flag)
		if rapid.Bool().Draw(t, "compared") {
			leaf = compare(leaf, rapid.SampledFrom([]string{"true", "false"}).Draw(t, "flag"), signs[:2])
		}
	default:
		leaf, guard = someList(t)
	}
	return said{leaf, "(" + guard + " && " + leaf + ")"}
}

// someList draws a comparison with a list.
func someList(t *rapid.T) (leaf, guard string) {
	kinds := []kind{rapid.SampledFrom([]kind{text, digits}).Draw(t, "of")}
	leaf, guard = someFact(t, kinds[0])
	if rapid.Bool().Draw(t, "of many types") {
		kinds = []kind{text, digits, flag}
		leaf, guard = someAttribute(t, 0)
	}
	var literals []string
	for range rapid.IntRange(0, 6).Draw(t, "literals") {
		switch rapid.SampledFrom(kinds).Draw(t, "type") {
		case text:
			literals = append(literals, spelt(t, rapid.SampledFrom(someTexts).Draw(t, "text")))
		case digits:
			literals = append(literals, speltNumber(t))
		default:
			literals = append(literals, rapid.SampledFrom([]string{"true", "false"}).Draw(t, "flag"))
		}
	}
	return leaf + " in [" + strings.Join(literals, ",") + "]", guard
}

// someExpression draws an expression of at most so many levels.
func someExpression(t *rapid.T, levels int) said {
	if levels == 0 || rapid.IntRange(0, 2).Draw(t, "what") == 0 {
		return someLeaf(t)
	}
	switch rapid.IntRange(0, 5).Draw(t, "joined") {
	case 0:
		b := rapid.SampledFrom([]string{"true", "false"}).Draw(t, "constant")
		return said{b, b}
	case 1, 2:
		inner := someExpression(t, levels-1)
		return said{"!(" + inner.rule + ")", "!(" + inner.cel + ")"}
	default:
		sign := rapid.SampledFrom([]string{" && ", "\n||\t"}).Draw(t, "sign")
		all := someExpression(t, levels-1)
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			next := someExpression(t, levels-1)
			all = said{"(" + all.rule + ")" + sign + "(" + next.rule + ")", "(" + all.cel + ")" + sign + "(" + next.cel + ")"}
		}
		return all
	}
}

// someProduct draws a product of which anything may be unknown.
func someProduct(t *rapid.T, id string) *Product {
	p := &Product{ID: id, Available: rapid.Bool().Draw(t, "available")}
	for _, s := range []**string{&p.Name, &p.Brand, &p.Currency, &p.URL, &p.Image} {
		if rapid.IntRange(0, 3).Draw(t, "known") > 0 {
			drawn := rapid.SampledFrom(someTexts).Draw(t, "text")
			*s = &drawn
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		p.Categories = rapid.SliceOfN(rapid.SampledFrom(someTexts), 0, 4).Draw(t, "categories")
	}
	if rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		price := Decimal(rapid.SampledFrom([]int64{0, 1, 5_000, 199_900, 200_000, 1 << 40}).Draw(t, "price"))
		if rapid.Bool().Draw(t, "any price") {
			price = Decimal(rapid.IntRange(0, 300_000).Draw(t, "ten-thousandths"))
		}
		p.Price = &price
	}
	if rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		stock := rapid.SampledFrom(someWholes).Draw(t, "stock")
		p.Stock = &stock
	}
	if rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		p.Attributes = map[string]any{}
		for _, key := range rapid.SliceOfN(rapid.SampledFrom(someKeys), 0, 5).Draw(t, "keys") {
			p.Attributes[key] = rapid.SampledFrom([]any{"", "a", "ab", "it's", "1", "true", 0.0, 1.0, 0.5, 19.99, 1e-7,
				1e17, -2.25, true, false}).Draw(t, "value")
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		p.FirstSeen, _ = time.Parse(time.RFC3339, rapid.SampledFrom(someTimes[:4]).Draw(t, "first seen"))
	}
	return p
}

// facts is the product as CEL sees it. What is not known is missing.
func facts(p *Product) map[string]any {
	all := map[string]any{"id": p.ID, "available": p.Available, "attributes": p.Attributes}
	for name, s := range map[string]*string{"name": p.Name, "brand": p.Brand, "currency": p.Currency, "url": p.URL,
		"image": p.Image} {
		if s != nil {
			all[name] = *s
		}
	}
	if p.Categories != nil {
		all["categories"] = p.Categories
	}
	if p.Price != nil {
		all["price"], _ = strconv.ParseFloat(p.Price.String(), 64)
	}
	if p.Stock != nil {
		all["stock"] = *p.Stock
	}
	if !p.FirstSeen.IsZero() {
		all["first_seen"] = p.FirstSeen
	}
	return map[string]any{"product": all}
}

// TestAgreesWithCEL: CEL's own evaluator, Match and Mask say the same of random expressions and products,
// also after the products have changed, and so does the expression's one spelling.
func TestAgreesWithCEL(t *testing.T) {
	t.Parallel()
	env, err := cel.NewEnv(cel.Variable("product", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	var held, not int
	rapid.Check(t, func(t *rapid.T) {
		s := someExpression(t, 3)
		e, err := Compile(s.rule)
		if err != nil {
			if len(s.rule) > MaxBytes || strings.Contains(err.Error(), "more than") {
				t.Skip("too long")
			}
			t.Fatalf("%s: %v", s.rule, err)
		}
		again, err := Compile(e.String())
		if err != nil && len(e.String()) <= MaxBytes && !strings.Contains(err.Error(), "more than") ||
			err == nil && again.String() != e.String() {
			t.Fatalf("%s\nas  %s\ncompiles to %v, %v", s.rule, e, again, err)
		}
		tree, issues := env.Compile(s.cel)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		oracle, err := env.Program(tree)
		if err != nil {
			t.Fatal(err)
		}
		n := rapid.SampledFrom([]int{1, 3, 64, 70, 130}).Draw(t, "products")
		columns, products := NewColumns(n), make([]*Product, n)
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			for range rapid.IntRange(1, 8).Draw(t, "changed") {
				p := someProduct(t, rapid.SampledFrom(someTexts).Draw(t, "id"))
				// The same product stands for many: mask and list of a value have their own code.
				step := rapid.IntRange(1, n).Draw(t, "step")
				for i := rapid.IntRange(0, n-1).Draw(t, "product"); i < n; i += step {
					products[i] = p
					columns.Set(int32(i), p)
				}
			}
			var dirty Mask = slices.Repeat([]uint64{math.MaxUint64}, 3)
			mask := e.Mask(columns, dirty)
			for i, p := range products {
				if p == nil {
					p = &Product{}
				}
				want, got := mask.Has(int32(i)), e.Match(p)
				if p.ID == "" && products[i] == nil {
					if strings.Contains(s.rule, "product.id") {
						continue // a product without Set has no id at all
					}
				} else if out, _, err := oracle.Eval(facts(p)); err != nil || out.Value() != got {
					t.Fatalf("%s\nas %s\nof %+v: match %v, CEL %v, %v", s.rule, e, facts(p), got, out, err)
				}
				if got != want {
					t.Fatalf("%s\nof product %d %+v: match %v, mask %v", s.rule, i, facts(p), got, want)
				}
				if got {
					held++
				} else {
					not++
				}
			}
			if mask.Count() > n {
				t.Fatalf("the mask has %d of %d products", mask.Count(), n)
			}
		}
		if both := antlr(t, e.String()); both != nil {
			t.Fatalf("CEL's other parser: %s: %v", e, both)
		}
	})
	if held < 100 || not < 100 {
		t.Errorf("%d comparisons held and %d did not: too few to mean anything", held, not)
	}
}

// antlr is what CEL's other parser finds wrong.
func antlr(t *rapid.T, text string) error {
	p, err := parser.NewParser(parser.EnablePrattParser(false))
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := p.Parse(common.NewTextSource(text)); len(errs.GetErrors()) > 0 {
		return fmt.Errorf("%s", errs.ToDisplayString())
	}
	return nil
}
