package scan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/recommend/recommendtest"
)

// mustIndex makes an index of a version.
func mustIndex(t interface{ Fatal(...any) }, v *modelversion.Version) *Index {
	x := New(v.Solver, len(v.Items))
	for _, it := range v.Items {
		if err := x.Add(it.Code, it.Positives, it.QuantityInStock > 0, it.Vector); err != nil {
			t.Fatal(err)
		}
	}
	if v.Near != nil {
		for _, list := range v.Near.Items {
			if err := x.AddNear(list); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := x.Finish(); err != nil {
		t.Fatal(err)
	}
	return x
}

// randomVersion has vectors of whole numbers, so that many products are equal to others, or any ones, of very
// different lengths.
func randomVersion(rng *rand.Rand, items, dim int, whole, near bool) *modelversion.Version {
	v := &modelversion.Version{ID: "m1", Solver: modelversion.Solver{Dim: dim, Items: items}}
	for i := range items {
		it := modelversion.Item{Code: fmt.Sprintf("S%06d", i), Positives: rng.Int32N(9),
			QuantityInStock: int16(rng.IntN(4)), Vector: make([]float32, dim)}
		length := rng.Float64() / 4
		for c := range it.Vector {
			if it.Vector[c] = float32(rng.NormFloat64() * length); whole {
				it.Vector[c] = float32(rng.IntN(3) - 1)
			}
		}
		v.Items = append(v.Items, it)
	}
	if near {
		recommendtest.AddNeighbours(v, rng.Uint64(), 8)
		v.Solver.SimilarWeight = 0.3
	}
	return v
}

// TestSameAnswers compares with the plain scan of package memory, for batches of any size.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		v := randomVersion(rng, rapid.IntRange(1, 1500).Draw(t, "items"), rapid.IntRange(1, 40).Draw(t, "components"),
			rapid.Bool().Draw(t, "whole"), rapid.Bool().Draw(t, "near"))
		state := map[string]bool{"strange": true}
		var searches, plain []recommend.Search
		var neighbours []recommend.Neighbours
		var hidden [][]int32
		code := func() string { return v.Items[rng.IntN(len(v.Items))].Code }
		for range rng.IntN(len(v.Items)) {
			state[code()] = rng.IntN(2) == 0
		}
		for range rapid.IntRange(0, 60).Draw(t, "searches") {
			s := recommend.Search{Limit: 1 + rng.IntN(30), Exclude: []string{"strange", code()}}
			if rng.IntN(5) > 0 {
				s.Vector = v.Items[rng.IntN(len(v.Items))].Vector
			}
			if v.Near != nil {
				s.Added = slices.Clone(v.Near.Items[rng.IntN(len(v.Items))])
				rng.Shuffle(len(s.Added), func(i, j int) { s.Added[i], s.Added[j] = s.Added[j], s.Added[i] })
			}
			searches = append(searches, s)
			hidden = append(hidden, nil)
			s.Exclude = slices.Clone(s.Exclude)
			for range rng.IntN(20) {
				item := rng.IntN(len(v.Items))
				hidden[len(hidden)-1] = append(hidden[len(hidden)-1], int32(item))
				s.Exclude = append(s.Exclude, v.Items[item].Code)
			}
			plain = append(plain, s)
		}
		for range rapid.IntRange(0, 40).Draw(t, "neighbours") {
			neighbours = append(neighbours, recommend.Neighbours{Code: code(), Limit: 1 + rng.IntN(30)})
		}
		neighbours = append(neighbours, recommend.Neighbours{Code: "strange", Limit: 3})
		index, store := mustIndex(t, v), memory.NewStore(memory.New(v))
		store.SetState(state)
		index.Retrieve(nil, nil, neighbours, index.Shown(nil), nil, nil) // what it keeps holds for any state
		candidates, similar := index.Retrieve(searches, hidden, neighbours, index.Shown(state), nil, nil)
		wantCandidates, wantSimilar, err := store.Retrieve(t.Context(), &recommend.Model{Version: v.ID}, plain, neighbours)
		if err != nil {
			t.Fatal(err)
		}
		for i := range searches {
			score := func(c recommend.Candidate) float64 { return float64(c.Score) }
			name := func(c recommend.Candidate) string { return fmt.Sprint(c.Code, c.Item, c.Vector) }
			compare(t, candidates[i], wantCandidates[i], score, name)
		}
		for i := range neighbours {
			score := func(s recommend.Similar) float64 { return float64(s.Distance) }
			compare(t, similar[i], wantSimilar[i], score, func(s recommend.Similar) string { return s.Code })
		}
	})
}

// compare allows products in another order whose scores differ by rounding.
func compare[T any](t *rapid.T, got, want []T, score func(T) float64, name func(T) string) {
	if len(got) != len(want) {
		t.Fatalf("found %d, want %d", len(got), len(want))
	}
	for i := range got {
		if math.Abs(score(got[i])-score(want[i])) > 2e-6 {
			t.Fatalf("at %d found %v, want %v", i, got[i], want[i])
		}
		if name(got[i]) == name(want[i]) {
			continue
		}
		at := slices.IndexFunc(want, func(w T) bool { return name(w) == name(got[i]) })
		last := score(want[len(want)-1])
		if at >= 0 && math.Abs(score(got[i])-score(want[at])) > 2e-6 || at < 0 && math.Abs(score(got[i])-last) > 2e-6 {
			t.Fatalf("at %d found %v, want %v", i, got[i], want[i])
		}
	}
}

// TestRefuses what cannot be a version's products.
func TestRefuses(t *testing.T) {
	t.Parallel()
	solver := modelversion.Solver{Dim: 2}
	for name, fill := range map[string]func(x *Index) error{
		"too many":       func(x *Index) error { _ = add(x, "a"); _ = add(x, "b"); return add(x, "c") },
		"too few":        func(x *Index) error { _ = add(x, "a"); return x.Finish() },
		"out of order":   func(x *Index) error { _ = add(x, "b"); return add(x, "a") },
		"twice":          func(x *Index) error { _ = add(x, "a"); return add(x, "a") },
		"short":          func(x *Index) error { return x.Add("a", 0, true, []float32{1}) },
		"not finite":     func(x *Index) error { return x.Add("a", 0, true, []float32{1, float32(math.Inf(1))}) },
		"no such item":   func(x *Index) error { return x.AddNear([]modelversion.Neighbour{{Item: 2, Weight: 1}}) },
		"below 0":        func(x *Index) error { return x.AddNear([]modelversion.Neighbour{{Item: 0, Weight: -1}}) },
		"near too often": func(x *Index) error { _ = add(x, "a"); _ = add(x, "b"); _ = x.AddNear(nil); return x.Finish() },
	} {
		if fill(New(solver, 2)) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func add(x *Index, code string) error { return x.Add(code, 0, true, []float32{1, 2}) }

// BenchmarkRetrieve answers a batch of 512 searches, none of them like another, on one processor.
func BenchmarkRetrieve(b *testing.B) {
	for _, shape := range []struct{ items, dim int }{{800, 64}, {18_000, 128}, {41_000, 64}, {41_000, 128},
		{100_000, 64}, {100_000, 128}} {
		b.Run(fmt.Sprintf("%dx%d", shape.items, shape.dim), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			x := mustIndex(b, randomVersion(rng, shape.items, shape.dim, false, false))
			searches, hidden := make([]recommend.Search, 512), make([][]int32, 512)
			for i := range searches {
				searches[i] = recommend.Search{Limit: 10, Vector: x.vectors.At(rng.IntN(shape.items))}
			}
			shown := x.Shown(nil)
			for b.Loop() {
				x.Retrieve(searches, hidden, nil, shown, nil, nil)
			}
			b.ReportMetric(float64(b.N*len(searches))/b.Elapsed().Seconds(), "queries/s")
		})
	}
}
