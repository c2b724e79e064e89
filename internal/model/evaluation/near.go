package evaluation

import (
	"cmp"
	"math"
	"slices"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/parallel"
)

// Neighbours is the linear filter of GF-CF, kept to the nearest neighbours of each column, at most so
// many, best first: lists by column for each of the rarities. A common row counts the product of both
// confidences over the sum of the row's, and the sum is divided by both columns' sums of confidences,
// the neighbour's to the power of rarity and the column's own to what is left of one. Item is a column.
func Neighbours(m *ials.Matrix, most, threads int, rarities ...float64) [][][]modelversion.Neighbour {
	t := m.Transposed()
	rows, columns := sums(m), sums(t)
	near, scratch := make([][][]modelversion.Neighbour, len(rarities)), make([][]float64, max(threads, 1))
	for i := range near {
		near[i] = make([][]modelversion.Neighbour, m.Cols)
	}
	parallel.Tasks(threads, m.Cols, func(thread, p int) {
		if scratch[thread] == nil {
			scratch[thread] = make([]float64, m.Cols)
		}
		sum, touched := scratch[thread], []int32(nil)
		who, confidence := t.Row(p)
		for i, c := range who {
			vote := float64(confidence[i]) / rows[c]
			own, weights := m.Row(int(c))
			for j, q := range own {
				if sum[q] == 0 {
					touched = append(touched, q)
				}
				sum[q] += vote * float64(weights[j])
			}
		}
		list := make([]modelversion.Neighbour, 0, len(touched))
		for i, rarity := range rarities {
			list = list[:0]
			for _, q := range touched {
				if w := float32(sum[q] / (math.Pow(columns[p], 1-rarity) * math.Pow(columns[q], rarity))); int(q) != p && w > 0 {
					list = append(list, modelversion.Neighbour{Item: q, Weight: w})
				}
			}
			near[i][p] = best(list, most)
		}
		for _, q := range touched {
			sum[q] = 0
		}
	})
	return near
}

// sums is what each row adds up to.
func sums(m *ials.Matrix) []float64 {
	all := make([]float64, m.Rows)
	for r := range all {
		_, weights := m.Row(r)
		for _, w := range weights {
			all[r] += float64(w)
		}
	}
	return all
}

// best is the neighbours with the largest weights, at most so many, best first.
func best(list []modelversion.Neighbour, most int) []modelversion.Neighbour {
	slices.SortFunc(list, func(a, b modelversion.Neighbour) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Item, b.Item))
	})
	return slices.Clone(list[:min(len(list), most)])
}

// RowNeighbours sums up the neighbours of what each of the rows has, without what it has, and keeps the
// best ones, at most so many, best first. The lists of other rows are nil. A nil rows is all.
func RowNeighbours(m *ials.Matrix, near [][]modelversion.Neighbour, most, threads int,
	rows []int32) [][]modelversion.Neighbour {
	if rows == nil {
		for r := range m.Rows {
			rows = append(rows, int32(r))
		}
	}
	all, scratch := make([][]modelversion.Neighbour, m.Rows), make([][]float64, max(threads, 1))
	parallel.Tasks(threads, len(rows), func(thread, at int) {
		if scratch[thread] == nil {
			scratch[thread] = make([]float64, m.Cols)
		}
		sum, touched := scratch[thread], []int32(nil)
		own, weights := m.Row(int(rows[at]))
		for i, p := range own {
			for _, n := range near[p] {
				if sum[n.Item] == 0 {
					touched = append(touched, n.Item)
				}
				sum[n.Item] += float64(weights[i]) * float64(n.Weight)
			}
		}
		list := make([]modelversion.Neighbour, 0, len(touched))
		for _, q := range touched {
			if _, has := slices.BinarySearch(own, q); !has {
				list = append(list, modelversion.Neighbour{Item: q, Weight: float32(sum[q])})
			}
			sum[q] = 0
		}
		all[rows[at]] = best(list, most)
	})
	return all
}

// Listed ranks by each row's list.
func Listed(lists [][]modelversion.Neighbour) Ranker {
	return func(row int32, scores []float32) {
		clear(scores)
		for _, n := range lists[row] {
			scores[n.Item] += n.Weight
		}
	}
}
