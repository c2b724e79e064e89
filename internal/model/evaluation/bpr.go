package evaluation

import (
	"context"
	"math"
	"math/rand/v2"

	"kindred/internal/model/ials"
)

// BPRConfig is how BPR-MF is trained.
type BPRConfig struct {
	Dim          int     `json:"dim"`
	Epochs       int     `json:"epochs"`
	Rate         float64 `json:"rate"`
	Regularising float64 `json:"regularisation"`
	Seed         uint64  `json:"seed"`
}

// bprSpread is the standard deviation of an initial component: smaller ones take epochs to leave zero.
const bprSpread = 0.1

// BPR is matrix factorisation with the pairwise ranking loss (Rendle et al. 2009,
// https://arxiv.org/abs/1205.2618): stochastic gradient steps on one liked and one other product at
// a time, with item biases. One goroutine, so that a seed gives one model.
func BPR(ctx context.Context, likes *Pairs, cfg BPRConfig) (Block, error) {
	rng := rand.New(rand.NewPCG(cfg.Seed, 1))
	d := cfg.Dim + 2 // the last two places are the bias: 1 with the user, b with the item, and padding
	users, items := make([]float32, len(likes.Of)*d), make([]float32, likes.Products*d)
	for _, side := range [][]float32{users, items} {
		for i := range side {
			if i%d < cfg.Dim {
				side[i] = float32(rng.NormFloat64() * bprSpread)
			}
		}
	}
	type pair struct{ customer, product int32 }
	var pairs []pair
	liked := make([]map[int32]bool, len(likes.Of))
	for c, own := range likes.Of {
		users[c*d+cfg.Dim] = 1
		liked[c] = make(map[int32]bool, len(own))
		for _, p := range own {
			pairs = append(pairs, pair{int32(c), p})
			liked[c][p] = true
		}
	}
	reg := float32(cfg.Regularising)
	for epoch := range cfg.Epochs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rate := float32(cfg.Rate * (1 - float64(epoch)/float64(cfg.Epochs+1)))
		rng.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
		for _, one := range pairs {
			if len(liked[one.customer]) == likes.Products {
				continue // likes everything: there is no other product
			}
			other := rng.Int32N(int32(likes.Products))
			for liked[one.customer][other] {
				other = rng.Int32N(int32(likes.Products))
			}
			u, i, j := users[int(one.customer)*d:][:d], items[int(one.product)*d:][:d], items[int(other)*d:][:d]
			var x float32
			for k := range u {
				x += u[k] * (i[k] - j[k])
			}
			g := rate * float32(1/(1+math.Exp(float64(x))))
			shrink := 1 - rate*reg
			for k := range cfg.Dim {
				uk, ik, jk := u[k], i[k], j[k]
				u[k] = shrink*uk + g*(ik-jk)
				i[k] = shrink*ik + g*uk
				j[k] = shrink*jk - g*uk
			}
			i[cfg.Dim] = shrink*i[cfg.Dim] + g
			j[cfg.Dim] = shrink*j[cfg.Dim] - g
		}
	}
	return Factors(users, items, d), nil
}

// Factors ranks by inner products of a customer's vector with the products'; both matrices are
// row-major, d wide.
func Factors(users, items []float32, d int) Block {
	return func(customers []int32, scores []float32) {
		block := make([]float32, 0, BlockSize*d)
		for _, c := range customers {
			block = append(block, users[int(c)*d:(int(c)+1)*d]...)
		}
		ials.Scores(block, items, d, scores)
	}
}
