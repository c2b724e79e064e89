package train

import (
	"cmp"
	"slices"

	"kindred/internal/lake/interaction"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/text"
)

// assemble puts a fitted model into the form that is stored and served.
func assemble(data *Data, f *fitted, signal Signal, used ials.Config, weights weights) *modelversion.Version {
	origin := func(featured bool) modelversion.Origin {
		if featured {
			return modelversion.OriginFeatures
		}
		return modelversion.OriginTrained
	}
	// The sum of serving's Gram matrix is in canonical order: neither it nor a vector depends on names.
	v := &modelversion.Version{TrainerVersion: Version, Encoder: f.encoder, Solver: modelversion.Solver{
		Dim: used.Dim, Alpha0: used.Alpha0, Lambda: used.Lambda, Nu: used.Nu, ViewWeight: weights.view,
		CartWeight: weights.cart,
		Items:      len(data.Products), Gram: ials.Gram(f.model.Items, used.Dim, used.Threads),
	}}
	positives := data.popularity(signal)
	rated := make([][]int32, len(data.Customers))
	for _, r := range data.Ratings {
		rated[r.Customer] = append(rated[r.Customer], r.Product)
	}
	for _, f := range data.Feedback {
		if f.Action == interaction.Purchase {
			rated[f.Customer] = append(rated[f.Customer], f.Product) // what has been bought is not recommended again either
		}
	}
	for i, p := range data.Products {
		v.Items = append(v.Items, modelversion.Item{Code: p.ID, Name: p.Name, Line: p.Line,
			QuantityInStock: p.Stock,
			Positives:       positives[i], Origin: origin(f.itemsFeatured[i]), Vector: f.model.Item(i)})
	}
	for i, c := range data.Customers {
		if c.Guest {
			continue
		}
		codes := make([]string, len(rated[i]))
		for j, p := range rated[i] {
			codes[j] = data.Products[p].ID
		}
		slices.Sort(codes)
		codes = slices.Compact(codes)
		v.Customers = append(v.Customers, modelversion.Customer{ID: c.ID, Origin: origin(f.customersFeatured[i]),
			Vector: f.model.User(i), Rated: codes})
	}
	slices.SortFunc(v.Items, func(a, b modelversion.Item) int { return cmp.Compare(a.Code, b.Code) })
	slices.SortFunc(v.Customers, func(a, b modelversion.Customer) int { return text.CompareIDs(a.ID, b.ID) })
	return v
}
