package rule_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/parser"
	"pgregory.net/rapid"

	"kindred/internal/serving/rule"
	"kindred/internal/serving/rule/ruletest"
)

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
		s := ruletest.Expression(t, 3)
		e, err := rule.Compile(s.Rule)
		if err != nil {
			if len(s.Rule) > rule.MaxBytes || strings.Contains(err.Error(), "more than") {
				t.Skip("too long")
			}
			t.Fatalf("%s: %v", s.Rule, err)
		}
		again, err := rule.Compile(e.String())
		if err != nil && len(e.String()) <= rule.MaxBytes && !strings.Contains(err.Error(), "more than") ||
			err == nil && again.String() != e.String() {
			t.Fatalf("%s\nas  %s\ncompiles to %v, %v", s.Rule, e, again, err)
		}
		tree, issues := env.Compile(s.CEL)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		oracle, err := env.Program(tree)
		if err != nil {
			t.Fatal(err)
		}
		n := rapid.SampledFrom([]int{1, 3, 64, 70, 130}).Draw(t, "products")
		columns, products := rule.NewColumns(n), make([]*rule.Product, n)
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			for range rapid.IntRange(1, 8).Draw(t, "changed") {
				p := ruletest.Product(t, ruletest.ID(t))
				// The same product stands for many: mask and list of a value have their own code.
				step := rapid.IntRange(1, n).Draw(t, "step")
				for i := rapid.IntRange(0, n-1).Draw(t, "product"); i < n; i += step {
					products[i] = p
					columns.Set(int32(i), p)
				}
			}
			var dirty rule.Mask = slices.Repeat([]uint64{math.MaxUint64}, 3)
			mask := e.Mask(columns, dirty)
			for i, p := range products {
				if p == nil {
					p = &rule.Product{}
				}
				want, got := mask.Has(int32(i)), e.Match(p)
				if p.ID == "" && products[i] == nil {
					if strings.Contains(s.Rule, "product.id") {
						continue // a product without Set has no id at all
					}
				} else if out, _, err := oracle.Eval(ruletest.Facts(p)); err != nil || out.Value() != got {
					t.Fatalf("%s\nas %s\nof %+v: match %v, CEL %v, %v", s.Rule, e, ruletest.Facts(p), got, out, err)
				}
				if got != want {
					t.Fatalf("%s\nof product %d %+v: match %v, mask %v", s.Rule, i, ruletest.Facts(p), got, want)
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
