package train

import (
	"math"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

const (
	// nominalRate is the arithmetic of the machine that a tuning budget speaks of, in operations a
	// second: about what two cores with vector units reach in these loops. A fixed number, so that a
	// budget allows the same candidates on every machine.
	nominalRate = 20e9
	// nominalThreads is the processors of that machine.
	nominalThreads = 2
	// dualShare: a row with fewer observations than this share of the dimension costs a system of its own size.
	dualShare = 0.6
	// turns is what the eigenbasis of a Gram matrix costs, in cubes of the dimension.
	turns = 10
	// pairWork is what a pair of products of a customer costs while neighbours are summed up: a read and a
	// write somewhere in memory.
	pairWork = 10
)

// epochCost is the operations of one sweep over both sides of m, whose transposed is t.
func epochCost(m, t *ials.Matrix, dim int) float64 {
	d := float64(dim)
	cost := 2*turns*d*d*d + 4*float64(m.Rows+m.Cols)*d*d // both Gram matrices and rotations
	for _, side := range []*ials.Matrix{m, t} {
		for r := range side.Rows {
			k := float64(side.Start[r+1] - side.Start[r])
			switch {
			case k == 0:
			case k < dualShare*d:
				cost += k*k*d + k*k*k/3 + 4*k*d
			default:
				cost += k*d*d + d*d*d/3
			}
		}
	}
	return cost
}

// mostEpochCost is the epochCost of the costliest matrix of so many interactions.
func mostEpochCost(customers, products, interactions, dim int) float64 {
	d, n := float64(dim), float64(interactions)
	cost := 2*turns*d*d*d + 4*float64(customers+products)*d*d
	for _, rows := range []int{customers, products} {
		long := min(float64(rows), n/(dualShare*d)) // rows of a system of d equations, each of d³/3
		cost += n*d*d + long*d*d*d/3 + 4*n*d
	}
	return cost
}

// rankCost is the operations of ranking all products for so many customers.
func rankCost(cases, products, dim int) float64 {
	return 2 * float64(cases) * float64(products) * float64(dim)
}

// fitsCost is the operations of a training besides tuning.
func fitsCost(m *ials.Matrix, dim, epochs int) float64 {
	return float64(fits*epochs) * epochCost(m, m.Transposed(), dim)
}

// cost is the operations that neighbours take, to choose them for so many customers and in all the fits.
func (s *nearSearch) cost(cases int) float64 {
	m, pairs := s.matrix, 0.0
	for r := range m.Rows {
		k := float64(m.Start[r+1] - m.Start[r])
		pairs += k * k
	}
	trials := float64(1 + len(nearRarities)*len(nearWeights))
	return tuneEpochs*epochCost(m, m.Transposed(), s.solver.Dim) + rankCost(cases, m.Cols, s.solver.Dim) +
		trials*rankCost(cases, m.Cols, 1) + (1+fits)*pairWork*pairs
}

// sampled is every n-th row of m, chosen by hash; the others are empty.
func sampled(m *ials.Matrix, n uint64) *ials.Matrix {
	if n == 1 {
		return m
	}
	s := &ials.Matrix{Rows: m.Rows, Cols: m.Cols, Start: make([]int, m.Rows+1)}
	for r := range m.Rows {
		if inSample(r, n) {
			cols, weights := m.Row(r)
			s.Col, s.Weight = append(s.Col, cols...), append(s.Weight, weights...)
		}
		s.Start[r+1] = len(s.Col)
	}
	return s
}

// sampledTask asks for one customer in n, and for not more than mostCases of them.
func sampledTask(task *evaluation.Task, n uint64) *evaluation.Task {
	part := &evaluation.Task{Products: task.Products}
	for _, c := range task.Cases {
		if inSample(int(c.Customer), n) {
			part.Cases = append(part.Cases, c)
		}
	}
	return part.Sample(mostCases)
}

// inSample is the share 1/n of the rows.
func inSample(row int, n uint64) bool {
	x := uint64(row) * 0x9e3779b97f4a7c15
	return (x^x>>32)%n == 0
}

// sampling is the smallest power of two that n candidates of a cost fit into a budget with, when
// each is tried on that part of the rows.
func sampling(candidates int, cost, budget float64) uint64 {
	need := float64(candidates) * cost / math.Max(budget, 1)
	n := uint64(1)
	for float64(n) < need && n < 64 {
		n *= 2
	}
	return n
}
