// Package ruletest draws random expressions and products, for tests that hold whatever answers rules to CEL's
// own evaluator. It is for tests only.
package ruletest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/serving/rule"
)

// Said is an expression as a rule, and as an expression of whole CEL. The latter also says what is understood
// in a rule: that a comparison with what is not known, or of another type, does not hold.
type Said struct{ Rule, CEL string }

// kind is the type of a fact or of a literal.
type kind int

const (
	anything kind = iota
	text
	digits
	flag
	instant
	list
)

var plainKey = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// quoted is a text literal that all of CEL's parsers read.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

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
func someFact(t *rapid.T, of kind) (spelling, guard string) {
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
func someLeaf(t *rapid.T) Said {
	var leaf, guard string
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
		return Said{"product.available", "product.available"}
	case 1:
		sign := compare("product.available", rapid.SampledFrom([]string{"true", "false"}).Draw(t, "flag"), signs[:2])
		return Said{sign, sign}
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
	return Said{leaf, "(" + guard + " && " + leaf + ")"}
}

// someList draws a comparison with a list.
func someList(t *rapid.T) (leaf, guard string) {
	kinds := []kind{rapid.SampledFrom([]kind{text, digits}).Draw(t, "of")}
	leaf, guard = someFact(t, kinds[0])
	if rapid.Bool().Draw(t, "of many types") {
		kinds = []kind{text, digits, flag}
		leaf, guard = someAttribute(t, anything)
	}
	var literals []string
	for range rapid.IntRange(0, 14).Draw(t, "literals") {
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

// Expression draws an expression of at most so many levels.
func Expression(t *rapid.T, levels int) Said {
	if levels == 0 || rapid.IntRange(0, 2).Draw(t, "what") == 0 {
		return someLeaf(t)
	}
	switch rapid.IntRange(0, 5).Draw(t, "joined") {
	case 0:
		b := rapid.SampledFrom([]string{"true", "false"}).Draw(t, "constant")
		return Said{b, b}
	case 1, 2:
		inner := Expression(t, levels-1)
		return Said{"!(" + inner.Rule + ")", "!(" + inner.CEL + ")"}
	default:
		sign := rapid.SampledFrom([]string{" && ", "\n||\t"}).Draw(t, "sign")
		all := Expression(t, levels-1)
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			next := Expression(t, levels-1)
			all = Said{"(" + all.Rule + ")" + sign + "(" + next.Rule + ")", "(" + all.CEL + ")" + sign + "(" + next.CEL + ")"}
		}
		return all
	}
}

// Product draws a product of which anything may be unknown.
func Product(t *rapid.T, id string) *rule.Product {
	p := &rule.Product{ID: id, Available: rapid.Bool().Draw(t, "available")}
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
		price := rule.Decimal(rapid.SampledFrom([]int64{0, 1, 5_000, 199_900, 200_000, 1 << 40}).Draw(t, "price"))
		if rapid.Bool().Draw(t, "any price") {
			price = rule.Decimal(rapid.IntRange(0, 300_000).Draw(t, "ten-thousandths"))
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

// Facts are the variables that CEL has of a product. What is not known is missing.
func Facts(p *rule.Product) map[string]any {
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

// ID draws an id. Some of them are texts that expressions have.
func ID(t *rapid.T) string { return rapid.SampledFrom(someTexts).Draw(t, "id") }
