package ials

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"kindred/internal/model/modelversion"
)

// mustFolder makes a folder over n random item vectors and returns both.
func mustFolder(t testing.TB, n, d int) (*Folder, [][]float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	items := make([][]float32, n)
	gram := make([]float32, d*d)
	for i := range items {
		items[i] = make([]float32, d)
		for j := range items[i] {
			items[i][j] = float32(rng.NormFloat64() / math.Sqrt(float64(d)))
		}
		for j := range d {
			for k := range d {
				gram[j*d+k] += items[i][j] * items[i][k]
			}
		}
	}
	f, err := NewFolder(modelversion.Solver{Dim: d, Alpha0: 0.1, Lambda: 0.01, Nu: 1, ViewWeight: 1, CartWeight: 3,
		Items: n, Gram: gram})
	if err != nil {
		t.Fatal(err)
	}
	return f, items
}

func score(a, b []float32) (s float64) {
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

func TestContributionsAddUpToTheScore(t *testing.T) {
	t.Parallel()
	f, items := mustFolder(t, 60, 16)
	for name, prior := range map[string][]float32{"with a prior": items[50], "without a prior": nil} {
		q, err := f.Fold(prior, []Observation{{items[0], 1}, {items[1], 3}, {items[2], 1}})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			p, each := q.Contributions(item, nil)
			sum := float64(p)
			for _, e := range each {
				sum += float64(e)
			}
			if want := score(q.Vector(), item); math.Abs(sum-want) > 1e-6 {
				t.Fatalf("%s: parts sum to %g, score is %g", name, sum, want)
			}
			if prior == nil && p != 0 {
				t.Fatalf("%s: the prior adds %g", name, p)
			}
		}
	}
}

func TestFoldWithoutObservationsIsThePrior(t *testing.T) {
	t.Parallel()
	f, items := mustFolder(t, 40, 8)
	q, err := f.Fold(items[3], nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range q.Vector() {
		if math.Abs(float64(x-items[3][i])) > 1e-6 {
			t.Fatalf("component %d is %g, want %g", i, x, items[3][i])
		}
	}
	if q, err = f.Fold(nil, nil); err != nil || score(q.Vector(), q.Vector()) != 0 {
		t.Fatalf("fold of nothing gives %v, %v; want zeros", q.Vector(), err)
	}
}

func TestCartMovesMoreThanView(t *testing.T) {
	t.Parallel()
	f, items := mustFolder(t, 60, 16)
	moved := func(weight float64) float64 {
		q, err := f.Fold(items[7], []Observation{{items[9], float32(weight)}})
		if err != nil {
			t.Fatal(err)
		}
		return score(q.Vector(), items[9])
	}
	before, view, cart := score(items[7], items[9]), moved(f.solver.ViewWeight), moved(f.solver.CartWeight)
	if !(before < view && view < cart && cart < 1) {
		t.Fatalf("scores of the browsed item: before %g, viewed %g, in the cart %g; want them rising to below 1", before,
			view, cart)
	}
}

func TestFoldRefusesBadInput(t *testing.T) {
	t.Parallel()
	f, items := mustFolder(t, 20, 4)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tests := map[string]struct {
		prior []float32
		obs   []Observation
	}{
		"short prior":       {prior: []float32{1}},
		"prior not finite":  {prior: []float32{1, nan, 0, 0}},
		"short vector":      {obs: []Observation{{[]float32{1}, 1}}},
		"vector not finite": {obs: []Observation{{[]float32{1, inf, 0, 0}, 1}}},
		"negative weight":   {obs: []Observation{{items[0], -1}}},
		"weight not finite": {obs: []Observation{{items[0], nan}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := f.Fold(test.prior, test.obs); !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
		})
	}
}

func TestNewFolderRefusesBadSolvers(t *testing.T) {
	t.Parallel()
	good := modelversion.Solver{Dim: 1, Alpha0: 1, Lambda: 1, Nu: 1, Items: 1, Gram: []float32{1}}
	tests := map[string]func(s *modelversion.Solver){
		"no dimension":        func(s *modelversion.Solver) { s.Dim = 0 },
		"Gram of other size":  func(s *modelversion.Solver) { s.Gram = []float32{1, 2} },
		"Gram not finite":     func(s *modelversion.Solver) { s.Gram = []float32{float32(math.Inf(1))} },
		"no regularisation":   func(s *modelversion.Solver) { s.Lambda = 0 },
		"negative alpha0":     func(s *modelversion.Solver) { s.Alpha0 = -1 },
		"exponent not finite": func(s *modelversion.Solver) { s.Nu = math.NaN() },
	}
	if _, err := NewFolder(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := good
			spoil(&s)
			if _, err := NewFolder(s); !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
		})
	}
}

// TestFoldSolvesItsEquations checks the solution against the equations themselves, for sessions
// shorter and longer than a vector.
func TestFoldSolvesItsEquations(t *testing.T) {
	t.Parallel()
	const d = 8
	f, items := mustFolder(t, 60, d)
	for _, k := range []int{1, 2, 5, d, 30, keptInverses + 5} {
		for name, prior := range map[string][]float32{"with a prior": items[59], "without a prior": make([]float32, d)} {
			var obs []Observation
			for i := range k {
				obs = append(obs, Observation{items[i], float32(i % 4)}) // every fourth weighs nothing
			}
			q, err := f.Fold(prior, obs)
			if err != nil {
				t.Fatal(err)
			}
			ridge := Regularisation(f.solver.Lambda, f.solver.Alpha0, f.solver.Nu, k, f.solver.Items)
			for i := range d {
				var left, right float64
				for j := range d {
					a := f.solver.Alpha0 * float64(f.solver.Gram[i*d+j])
					if i == j {
						a += ridge
					}
					left += a * float64(q.Vector()[j])
					right += a * float64(prior[j])
				}
				for _, o := range obs {
					left += float64(o.Weight) * float64(o.Vector[i]) * score(o.Vector, q.Vector())
					right += float64(o.Weight) * float64(o.Vector[i])
				}
				if math.Abs(left-right) > 1e-5*(1+math.Abs(right)) {
					t.Fatalf("%d observations, %s: equation %d is %g = %g", k, name, i, left, right)
				}
			}
		}
	}
}

func BenchmarkFold64(b *testing.B) {
	f, items := mustFolder(b, 800, 64)
	obs := []Observation{{items[0], 1}, {items[1], 3}, {items[2], 1}, {items[3], 1}, {items[4], 1}}
	var each []float32
	for b.Loop() {
		q, err := f.Fold(items[9], obs)
		if err != nil {
			b.Fatal(err)
		}
		for _, item := range items[10:20] { // as many as are recommended
			_, each = q.Contributions(item, each[:0])
		}
	}
}
