package evaluation

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// mustTastes is customers of two tastes, and some noise.
func mustTastes(customers, products int) *Pairs {
	rng := rand.New(rand.NewPCG(7, 7))
	p := &Pairs{Products: products, Of: make([][]int32, customers)}
	for c := range p.Of {
		for product := range products {
			chance := 0.05
			if product%2 == c%2 {
				chance = 0.4
			}
			if rng.Float64() < chance {
				p.Of[c] = append(p.Of[c], int32(product))
			}
		}
	}
	return p
}

// TestEASESolvesItsProblem holds both ways of computing it, by products and by customers, to the
// optimality condition of the published objective: for j ≠ i the gradient of |X − XB|² + λ|B|² with
// respect to B_ij is zero.
func TestEASESolvesItsProblem(t *testing.T) {
	t.Parallel()
	const lambda = 3.0
	for _, size := range [][2]int{{40, 12}, {12, 40}, {90, 70}} {
		likes := mustTastes(size[0], size[1])
		rank, err := EASE(likes, lambda, 2)
		if err != nil {
			t.Fatal(err)
		}
		x := make([][]float64, size[0])
		for c, own := range likes.Of {
			x[c] = make([]float64, size[1])
			for _, p := range own {
				x[c][p] = 1
			}
		}
		gram := mat.NewDense(size[1], size[1], nil)
		for i := range size[1] {
			for j := range size[1] {
				var s float64
				for c := range x {
					s += x[c][i] * x[c][j]
				}
				gram.Set(i, j, s)
			}
			gram.Set(i, i, gram.At(i, i)+lambda)
		}
		var p mat.Dense
		if err := p.Inverse(gram); err != nil {
			t.Fatal(err)
		}
		scores := make([]float32, size[1])
		for c, own := range likes.Of {
			rank(int32(c), scores)
			for j := range scores {
				if x[c][j] > 0 {
					continue // masked in a ranking
				}
				var want float64
				for _, i := range own {
					want -= p.At(int(i), j) / p.At(j, j)
				}
				if math.Abs(want-float64(scores[j])) > 1e-5 {
					t.Fatalf("%v: customer %d scores product %d with %g, want %g", size, c, j, scores[j], want)
				}
			}
		}
	}
	huge := &Pairs{Products: 6000, Of: make([][]int32, 6000)}
	if _, err := EASE(huge, 1, 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("6,000 by 6,000: %v, want ErrTooLarge", err)
	}
}

// TestGFCFIsTheTwoFilters compares with dense arithmetic: R̃ᵀR̃, and the ideal filter from the
// eigenvectors of the whole matrix.
func TestGFCFIsTheTwoFilters(t *testing.T) {
	t.Parallel()
	const dim = 10
	for _, size := range [][2]int{{120, 150}, {150, 120}} { // more than dim and the spare vectors: something is cut off
		likes := mustTastes(size[0], size[1])
		block, err := graphFilter(t.Context(), likes, dim, 2)
		if err != nil {
			t.Fatal(err)
		}
		r := newNormalised(likes)
		n := likes.Products
		linear := mat.NewSymDense(n, nil)
		for u, own := range likes.Of {
			for a, i := range own {
				for _, j := range own[a:] {
					x := r.scaleUser[u] * r.scaleUser[u] * r.scaleItem[i] * r.scaleItem[j]
					linear.SetSym(int(i), int(j), linear.At(int(i), int(j))+x)
				}
			}
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(linear, true) {
			t.Fatal("no eigenvectors")
		}
		var vectors mat.Dense
		eigen.VectorsTo(&vectors)
		scores := make([]float32, 2*n)
		block([]int32{3, 8}, scores)
		for k, c := range []int{3, 8} {
			want := make([]float64, n)
			for _, i := range likes.Of[c] {
				for j := range want {
					want[j] += linear.At(int(i), j)
				}
			}
			for f := range dim {
				v := mat.Col(nil, n-1-f, &vectors)
				var s float64
				for _, i := range likes.Of[c] {
					s += v[i] * r.scaleItem[i]
				}
				for j := range want {
					want[j] += gfcfWeight * s * v[j] / r.scaleItem[j]
				}
			}
			for j := range want {
				if math.Abs(want[j]-float64(scores[k*n+j])) > 2e-4 {
					t.Fatalf("%v: customer %d scores product %d with %g, want %g", size, c, j, scores[k*n+j], want[j])
				}
			}
		}
	}
}

func TestBPRLearnsTastesAndIsDeterministic(t *testing.T) {
	t.Parallel()
	likes, err := mustTastes(60, 40), error(nil)
	rest, held := likes.Cut(1)
	cfg := BPRConfig{Dim: 8, Epochs: 60, Rate: 0.05, Regularising: 0.01, Seed: 1}
	ndcg := func() float64 {
		block, fitErr := BPR(t.Context(), rest, cfg)
		if err = fitErr; err != nil {
			t.Fatal(err)
		}
		scores, err := Measure(t.Context(), rest.Task(held), 2, block)
		if err != nil {
			t.Fatal(err)
		}
		return Mean(scores.NDCG10)
	}
	random, err := Measure(t.Context(), rest.Task(held), 2, Random(1).Each)
	if err != nil {
		t.Fatal(err)
	}
	a, b := ndcg(), ndcg()
	if a != b || a < 1.3*Mean(random.NDCG10) {
		t.Errorf("NDCG@10 is %g, then %g; random's is %g", a, b, Mean(random.NDCG10))
	}
	everything := &Pairs{Products: 2, Of: [][]int32{{0, 1}}}
	if _, err := BPR(t.Context(), everything, cfg); err != nil {
		t.Errorf("a customer who likes everything: %v", err)
	}
}
