// Package projection finds two directions in which the products of a version differ most, so that a page can draw
// them on a plane. It looks at the directions of their vectors, as similar products do, and not at their lengths,
// which mostly say how popular a product is. It is a principal component analysis for two components, by power
// iteration: the cost grows with the dimension, and not with its cube. It knows no database.
package projection

import (
	"math"

	"kindred/internal/model/modelversion"
)

const (
	sampled    = 2000 // products that are looked at, evenly spread over the version
	iterations = 100  // at most; axes that are still moving then explain nearly the same
	settled    = 1e-7 // a squared change below which an axis is found
	leastShare = 1e-6 // of the variance, below which there is no axis
)

// Axis is a direction of unit length, with the share of the products' variance that lies in it, from 0 to 1.
type Axis struct {
	Vector []float32
	Share  float64
}

// Of returns two axes that are at right angles, the one with the larger share first; nil if the products do not
// spread in two directions. The same products in the same order give the same axes.
func Of(items []modelversion.Item) []Axis {
	rows := centred(items)
	total := 0.0
	for _, row := range rows {
		total += dot(row, row)
	}
	if !(total > 0) {
		return nil
	}
	var axes []Axis
	for range 2 {
		axis, variance := strongest(rows)
		if !(variance > leastShare*total) {
			return nil
		}
		narrow := make([]float32, len(axis))
		for i, x := range axis {
			narrow[i] = float32(x)
		}
		axes = append(axes, Axis{narrow, math.Min(1, variance/total)})
		for _, row := range rows { // the next axis is found in what this one leaves
			subtract(row, axis, dot(row, axis))
		}
	}
	return axes
}

// centred are the directions of a sample of the products, without their mean. A vector of no length has none.
func centred(items []modelversion.Item) (rows [][]float64) {
	n := min(sampled, len(items))
	for i := range n {
		vector := items[i*len(items)/n].Vector
		row := make([]float64, len(vector))
		for k, x := range vector {
			row[k] = float64(x)
		}
		if length := math.Sqrt(dot(row, row)); length > 0 {
			scale(row, 1/length)
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	mean := make([]float64, len(rows[0]))
	for _, row := range rows {
		subtract(mean, row, -1/float64(len(rows)))
	}
	for _, row := range rows {
		subtract(row, mean, 1)
	}
	return rows
}

// strongest is the axis of the largest variance, and that variance times the number of rows.
func strongest(rows [][]float64) (axis []float64, variance float64) {
	axis = make([]float64, len(rows[0]))
	for k := range axis { // no product's vector is likely to be at right angles to it
		axis[k] = 1 + 1/float64(k+1)
	}
	scale(axis, 1/math.Sqrt(dot(axis, axis)))
	next := make([]float64, len(axis))
	for range iterations {
		clear(next)
		variance = 0
		for _, row := range rows {
			along := dot(row, axis)
			variance += along * along
			subtract(next, row, -along)
		}
		length := math.Sqrt(dot(next, next))
		if !(length > 0) {
			return axis, 0
		}
		scale(next, 1/length)
		change := 0.0
		for k := range axis {
			change += (next[k] - axis[k]) * (next[k] - axis[k])
		}
		axis, next = next, axis
		if change < settled {
			break
		}
	}
	return axis, variance
}

func dot(a, b []float64) (sum float64) {
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

func scale(a []float64, by float64) {
	for i := range a {
		a[i] *= by
	}
}

// subtract takes times b from a.
func subtract(a, b []float64, times float64) {
	for i, x := range b {
		a[i] -= times * x
	}
}
