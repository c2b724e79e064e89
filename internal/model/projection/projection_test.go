package projection

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"kindred/internal/model/modelversion"
)

// spread are products whose directions spread differently along each component, turned at random.
func spread(random *rand.Rand, products, dim int) (items []modelversion.Item) {
	turn := make([][]float64, dim)
	for i := range turn {
		turn[i] = make([]float64, dim)
		for k := range turn[i] {
			turn[i][k] = random.NormFloat64()
		}
	}
	for range products {
		vector := make([]float32, dim)
		for i := range dim {
			along := random.NormFloat64() * math.Pow(0.5, float64(i))
			for k := range dim {
				vector[k] += float32(along * turn[i][k])
			}
		}
		items = append(items, modelversion.Item{Vector: vector})
	}
	return items
}

// TestAxesAreThoseOfAnAnalysisOfAllComponents compares with gonum, which finds all of them: two axes keep as much of
// the variance as any two can, whatever the products are.
func TestAxesAreThoseOfAnAnalysisOfAllComponents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(2, 12).Draw(t, "dim")
		products := rapid.IntRange(20, 200).Draw(t, "products")
		items := spread(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), products, dim)
		rows := centred(items)
		table := mat.NewDense(len(rows), dim, slices.Concat(rows...))
		var all stat.PC
		if !all.PrincipalComponents(table, nil) {
			t.Skip("gonum finds no components")
		}
		variances, total := all.VarsTo(nil), 0.0
		for _, v := range variances {
			total += v
		}
		axes := Of(items)
		if axes == nil {
			if variances[1] > 10*leastShare*total {
				t.Fatalf("there are no axes, but the shares are %v", variances)
			}
			return
		}
		kept, best := axes[0].Share+axes[1].Share, (variances[0]+variances[1])/total
		if kept > best+1e-6 || kept < 0.98*best {
			t.Fatalf("the axes keep %v, the best two %v", kept, best)
		}
		across := 0.0
		for k := range dim {
			across += float64(axes[0].Vector[k]) * float64(axes[1].Vector[k])
		}
		if math.Abs(across) > 1e-4 || axes[1].Share > axes[0].Share+0.02 {
			t.Fatalf("the axes are %v apart, their shares %v and %v", across, axes[0].Share, axes[1].Share)
		}
		if again := Of(items); !slices.Equal(again[0].Vector, axes[0].Vector) ||
			!slices.Equal(again[1].Vector, axes[1].Vector) {
			t.Fatal("a second look finds other axes")
		}
	})
}

func TestProductsWithoutTwoDirectionsHaveNoAxes(t *testing.T) {
	t.Parallel()
	for name, vectors := range map[string][][]float32{"no product": {}, "one": {{1, 2}}, "no length": {{0, 0}, {0, 0}},
		"one component": {{1}, {2}, {-3}}, "equal ones": {{1, 1}, {2, 2}, {3, 3}}, "two": {{1, 0}, {0, 1}}} {
		var items []modelversion.Item
		for _, v := range vectors {
			items = append(items, modelversion.Item{Vector: v})
		}
		if axes := Of(items); axes != nil {
			t.Errorf("%s: %v", name, axes)
		}
	}
}
