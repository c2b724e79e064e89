package recommendtest

import (
	"math/rand/v2"

	"kindred/internal/model/modelversion"
)

// AddNeighbours gives most products and customers of a version up to most random neighbours, the same
// for the same seed. Weights are a few tenths.
func AddNeighbours(v *modelversion.Version, seed uint64, most int) {
	rng := rand.New(rand.NewPCG(seed, 17))
	list := func(self int) (all []modelversion.Neighbour) {
		if rng.IntN(5) == 0 {
			return nil
		}
		step := max(1, 2*len(v.Items)/most)
		for i := rng.IntN(step); i < len(v.Items) && len(all) < most; i += 1 + rng.IntN(step) {
			if i != self {
				all = append(all, modelversion.Neighbour{Item: int32(i), Weight: 0.5*rng.Float32() + 0.01})
			}
		}
		return all
	}
	v.Solver.Neighbours, v.Solver.NearWeight, v.Near = most, 0.7, &modelversion.Near{}
	for i := range v.Items {
		v.Near.Items = append(v.Near.Items, list(i))
	}
	for range v.Customers {
		v.Near.Customers = append(v.Near.Customers, list(-1))
	}
}
