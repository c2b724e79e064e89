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
func assemble(data *Data, f *fitted, chosen choice) *modelversion.Version {
	used, weights := chosen.solver, chosen.weights
	origin := func(featured bool) modelversion.Origin {
		if featured {
			return modelversion.OriginFeatures
		}
		return modelversion.OriginTrained
	}
	// The sum of serving's Gram matrix is in canonical order: neither it nor a vector depends on names.
	v := &modelversion.Version{TrainerVersion: Version, Encoder: f.encoder, Products: f.products,
		Solver: modelversion.Solver{
			Dim: used.Dim, Alpha0: used.Alpha0, Lambda: used.Lambda, Nu: used.Nu, ViewWeight: weights.view,
			CartWeight: weights.cart, NewcomerShare: weights.newcomer,
			Items: len(data.Products), Gram: ials.Gram(f.model.Items, used.Dim, used.Threads),
		}}
	positives := data.popularity(chosen.signal)
	owned := make([]map[int32]purchase, len(data.Customers))
	own := func(customer, product int32, at int64) {
		if owned[customer] == nil {
			owned[customer] = map[int32]purchase{}
		}
		p := owned[customer][product]
		owned[customer][product] = purchase{max(p.last, at), p.count + 1}
	}
	for _, r := range data.Ratings {
		own(r.Customer, r.Product, r.RatedAt)
	}
	for _, f := range data.Feedback {
		if f.Action == interaction.Purchase {
			own(f.Customer, f.Product, f.At) // what has been bought counts as rated
		}
	}
	v.Repeats = chosen.repeats
	for i, p := range data.Products {
		v.Items = append(v.Items, modelversion.Item{Code: p.ID, Name: p.Name, Line: p.Line,
			QuantityInStock: p.Stock,
			Positives:       positives[i], Repeat: chosen.repeats.Of(p.Categories),
			Origin: origin(f.itemsFeatured[i]), Vector: f.model.Item(i)})
	}
	for i, c := range data.Customers {
		if c.Guest {
			continue
		}
		customer := modelversion.Customer{ID: c.ID, Origin: origin(f.customersFeatured[i]), Vector: f.model.User(i)}
		history(&customer, data.Products, owned[i], chosen.repeats != nil)
		v.Customers = append(v.Customers, customer)
	}
	slices.SortFunc(v.Items, func(a, b modelversion.Item) int { return cmp.Compare(a.Code, b.Code) })
	slices.SortFunc(v.Customers, func(a, b modelversion.Customer) int { return text.CompareIDs(a.ID, b.ID) })
	if f.near != nil {
		f.near.assemble(v, chosen.near, data)
	}
	return v
}

// purchase says when a customer last bought or rated a product, in unix seconds (0: not known), and
// how often.
type purchase struct {
	last  int64
	count int32
}

// history fills in what a customer has, in the order of the products' ids, with times or without.
func history(c *modelversion.Customer, products []Product, owned map[int32]purchase, times bool) {
	codes := make([]int32, 0, len(owned))
	for p := range owned {
		codes = append(codes, p)
	}
	slices.SortFunc(codes, func(a, b int32) int { return cmp.Compare(products[a].ID, products[b].ID) })
	c.Rated = make([]string, len(codes))
	for i, p := range codes {
		c.Rated[i] = products[p].ID
		if times {
			c.Last, c.Count = append(c.Last, owned[p].last), append(c.Count, owned[p].count)
		}
	}
}
