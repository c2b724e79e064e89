package nextitem

import (
	"cmp"
	"math"
	"slices"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// Version is the blend as what is stored and served, without id, origin, report and verdict: serving scores as Rank
// does. It has no customers. An item has as many likes as clicks, and is in stock. train is the log that the blend
// was made of.
func (b *Blend) Version(train *Log, threads int) *modelversion.Version {
	o, n := b.factors.Options, len(train.Items)
	order := make([]int32, n) // of the items by code
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(train.Items[a], train.Items[b]) })
	row := make([]int32, n)
	for at, item := range order {
		row[item] = int32(at)
	}
	v := &modelversion.Version{Near: &modelversion.Near{},
		Encoder: modelversion.Encoder{Bias: make([]float32, o.Dim), Weights: map[string][]float32{}},
		Solver: modelversion.Solver{Dim: o.Dim, Alpha0: o.Alpha0, Lambda: o.Lambda, Nu: nu, ViewWeight: b.weights.View,
			CartWeight: b.weights.View, Items: n, Gram: ials.Gram(b.factors.items, o.Dim, threads), Neighbours: 1,
			NearWeight: b.weights.Near, Clicks: &b.weights.Clicks}}
	for _, item := range order {
		id := train.Items[item]
		v.Items = append(v.Items, modelversion.Item{Code: id, Name: id, QuantityInStock: math.MaxInt16,
			Positives: int32(b.popular[item]), Origin: modelversion.OriginTrained, Vector: b.factors.item(item)})
		list := make([]modelversion.Neighbour, len(b.near[item]))
		for i, neighbour := range b.near[item] {
			list[i] = modelversion.Neighbour{Item: row[neighbour.Item], Weight: neighbour.Weight}
		}
		slices.SortFunc(list, func(a, b modelversion.Neighbour) int { return cmp.Compare(a.Item, b.Item) })
		v.Near.Items = append(v.Near.Items, list)
		v.Solver.Neighbours = max(v.Solver.Neighbours, len(list))
	}
	return v
}
