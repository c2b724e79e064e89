package ials

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestScores(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 9))
	for _, k := range allKernels() {
		for _, size := range [][3]int{{1, 1, 1}, {2, 64, 16}, {3, 65, 17}, {16, 131, 40}, {5, 200, 64}} {
			n, m, d := size[0], size[1], size[2]
			users, items, out := random32(rng, n*d), random32(rng, m*d), make([]float32, n*m)
			scores(k, users, items, d, out)
			for u := range n {
				for i := range m {
					want := score(users[u*d:(u+1)*d], items[i*d:(i+1)*d])
					if got := float64(out[u*m+i]); math.Abs(got-want) > 1e-4 {
						t.Fatalf("%s, %v: user %d, item %d scores %g, want %g", k.name, size, u, i, got, want)
					}
				}
			}
		}
	}
}
