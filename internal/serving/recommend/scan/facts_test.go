package scan

import (
	"fmt"
	"testing"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/rule"

	"pgregory.net/rapid"
)

// TestFactsForgetLabels: whatever was said before, the facts take what they take if only the last was ever said.
func TestFactsForgetLabels(t *testing.T) {
	t.Parallel()
	index := New(modelversion.Solver{Dim: 1}, 5)
	var shown []bool
	for i := range 5 {
		if err := index.Add(fmt.Sprint("p", i), 0, true, []float32{1}); err != nil {
			t.Fatal(err)
		}
		shown = append(shown, true)
	}
	if err := index.Finish(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		label := rapid.SampledFrom([]string{"", "a", "b", "a longer one"})
		last := map[string]*rule.Product{}
		f := NewFacts(index, shown)
		for range rapid.IntRange(1, 30).Draw(rt, "writes") {
			p := &rule.Product{ID: fmt.Sprint("p", rapid.IntRange(0, 5).Draw(rt, "product")),
				Categories: rapid.SliceOfN(label, 0, 3).Draw(rt, "categories")}
			if brand := label.Draw(rt, "brand"); brand != "" {
				p.Brand = &brand
			}
			f.Set(p)
			last[p.ID] = p
		}
		once := NewFacts(index, shown)
		for _, p := range last {
			once.Set(p)
		}
		if f.bytes != once.bytes || len(f.names) != len(once.names) {
			rt.Fatalf("%d bytes and %d labels, want %d and %d", f.bytes, len(f.names), once.bytes, len(once.names))
		}
	})
}
