package train

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kindred/internal/lake/interaction"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// renamed is a shop under other names.
type renamed struct {
	data      *Data
	customers map[string]string // new number → old
	products  map[string]string // new code → old
}

// rename gives all customers and products other numbers and codes, all lines, cities and so on other
// spellings, and puts the rows into another order. It changes nothing else.
func rename(rng *rand.Rand, d *Data) renamed {
	r := renamed{&Data{Counted: d.Counted}, map[string]string{}, map[string]string{}}
	words := map[string]string{}
	word := func(kind, old string) string {
		if old == "" {
			return ""
		}
		if words[kind+old] == "" {
			words[kind+old] = fmt.Sprintf("%08x", rng.Uint32())
		}
		return words[kind+old]
	}
	numbers := rng.Perm(len(d.Customers) * 3)
	oldCustomer, oldProduct := map[string]int{}, map[string]int{}
	for i, c := range d.Customers {
		number := strconv.Itoa(numbers[i])
		if numbers[i]%2 == 0 { // some ids are no numbers
			number = fmt.Sprintf("%08x-ü", numbers[i])
		}
		r.customers[number], oldCustomer[number] = c.ID, i
		c.ID, c.Country, c.City = number, word("country", c.Country), word("city", c.City)
		c.Features = spelled(rng, c.Features, word)
		r.data.Customers = append(r.data.Customers, c)
	}
	for i, p := range d.Products {
		code := fmt.Sprintf("%016x", rng.Uint64())
		r.products[code], oldProduct[code] = p.ID, i
		p.ID, p.Name, p.Line = code, "new", "new"
		p.Features, p.Categories = spelled(rng, p.Features, word), nil
		for _, f := range p.Features {
			if f.kind == nodeLine || f.kind == nodeCategory {
				p.Categories = append(p.Categories, f.Value)
			}
		}
		p.Stock = int16(rng.IntN(100))
		r.data.Products = append(r.data.Products, p)
	}
	slices.SortFunc(r.data.Customers, func(a, b Customer) int { return text.CompareIDs(a.ID, b.ID) })
	slices.SortFunc(r.data.Products, func(a, b Product) int { return cmp.Compare(a.ID, b.ID) })
	who, what := make([]int32, len(d.Customers)), make([]int32, len(d.Products))
	for i, c := range r.data.Customers {
		who[oldCustomer[c.ID]] = int32(i)
	}
	for i, p := range r.data.Products {
		what[oldProduct[p.ID]] = int32(i)
	}
	for _, x := range d.Ratings {
		x.Customer, x.Product = who[x.Customer], what[x.Product]
		r.data.Ratings = append(r.data.Ratings, x)
	}
	for _, x := range d.Feedback {
		x.Customer, x.Product = who[x.Customer], what[x.Product]
		r.data.Feedback = append(r.data.Feedback, x)
	}
	rng.Shuffle(len(r.data.Ratings), func(i, j int) {
		r.data.Ratings[i], r.data.Ratings[j] = r.data.Ratings[j], r.data.Ratings[i]
	})
	rng.Shuffle(len(r.data.Feedback), func(i, j int) {
		r.data.Feedback[i], r.data.Feedback[j] = r.data.Feedback[j], r.data.Feedback[i]
	})
	return r
}

// spelled gives features' values other spellings, and those of one kind another order.
func spelled(rng *rand.Rand, features []Feature, word func(kind, old string) string) (all []Feature) {
	for _, f := range features {
		f.Value = word(f.Name, f.Value)
		at := len(all)
		for at > 0 && all[at-1].kind == f.kind && rng.IntN(2) == 0 {
			at--
		}
		all = slices.Insert(all, at, f)
	}
	return all
}

// sameFigures says what differs between a version and that of the same shop under other names: the
// report, what tuning tried, or what serving solves with, to the bit.
func sameFigures(a, b *modelversion.Version) string {
	if diff := gocmp.Diff(a.Report, b.Report); diff != "" {
		return "the reports differ: " + diff
	}
	if string(a.Training) != string(b.Training) {
		return fmt.Sprintf("the notes differ:\n%s\n%s", a.Training, b.Training)
	}
	if !slices.Equal(a.Solver.Gram, b.Solver.Gram) || !slices.Equal(a.Encoder.Bias, b.Encoder.Bias) {
		return "the Gram matrices or the encoders differ"
	}
	return ""
}

// sameVectors says which vector differs. Twins have one vector, so it holds whoever of them is who.
func sameVectors(a, b *modelversion.Version, r renamed) string {
	items, customers := map[string][]float32{}, map[string][]float32{}
	for _, i := range a.Items {
		items[i.Code] = i.Vector
	}
	for _, c := range a.Customers {
		customers[c.ID] = c.Vector
	}
	for _, i := range b.Items {
		if !slices.Equal(i.Vector, items[r.products[i.Code]]) {
			return "vectors of product " + i.Code + " differ"
		}
	}
	for _, c := range b.Customers {
		if !slices.Equal(c.Vector, customers[r.customers[c.ID]]) {
			return fmt.Sprint("vectors of customer ", c.ID, " differ")
		}
	}
	return ""
}

// TestNoFigureDependsOnNames renames everything in generated shops whose times are as ratings,
// orders, dates, imports and nobody have them.
func TestNoFigureDependsOnNames(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60
	for name, at := range map[string]func(r evaluation.Rating) int64{
		"each rating its time": func(r evaluation.Rating) int64 { return r.RatedAt },
		"four orders":          func(r evaluation.Rating) int64 { return r.RatedAt / (180 * day) * 180 * day },
		"one time for all":     func(evaluation.Rating) int64 { return 1700000000 },
		"no times":             func(evaluation.Rating) int64 { return 0 },
		"times for one in two": func(r evaluation.Rating) int64 { return r.RatedAt * int64(r.Customer%2) },
		"one order a customer": func(r evaluation.Rating) int64 { return int64(r.Customer) + 1700000000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			truth, data := mustShop(t, 0.05)
			for i, r := range data.Ratings {
				data.Ratings[i].RatedAt = at(r)
				if i%40 == 0 {
					data.Feedback = append(data.Feedback, Feedback{r.Customer, (r.Product + 7) % int32(len(data.Products)),
						[]interaction.Action{interaction.Cart, interaction.Purchase}[i%2], 1700000000})
				}
			}
			cfg := quick()
			cfg.TuneBudget, cfg.Dim = 0.03, 16
			want := mustTrain(t, Trainer{Config: cfg, Truth: truth.Affinity}, data)
			if want.Report.TestCustomers < 50 {
				t.Errorf("only %d customers were tested: %s", want.Report.TestCustomers, want.Report.Split)
			}
			t.Logf("%s; %.0f %% tied: NDCG@10 %.4f", want.Report.Split, 100*want.Report.Ties, want.Report.Rows[0].NDCG10)
			other := rename(rand.New(rand.NewPCG(9, 9)), data)
			got := mustTrain(t, Trainer{Config: cfg, Truth: func(customerID, productCode string) float64 {
				return truth.Affinity(other.customers[customerID], other.products[productCode])
			}}, other.data)
			if diff := cmp.Or(sameFigures(want, got), sameVectors(want, got, other)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

// TestNoFigureOfAnOddShopDependsOnNames draws shops whose customers and products can hardly be told
// apart: few of them, few stars, few times, products that nobody rated, pairs rated twice.
func TestNoFigureOfAnOddShopDependsOnNames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var customers []shop.Customer
		var products []shop.Product
		for i := range rapid.Int32Range(1, 40).Draw(t, "customers") {
			customers = append(customers, shop.Customer{ID: strconv.Itoa(int(i)), Country: rapid.SampledFrom([]string{"", "FR"}).
				Draw(t, "country")})
		}
		for i := range rapid.IntRange(1, 20).Draw(t, "products") {
			products = append(products, shop.Product{Code: fmt.Sprintf("%02d", i), Line: "Cars"})
		}
		d := NewData(customers, products, nil)
		stars := rapid.Int8Range(rapid.Int8Range(1, 5).Draw(t, "fewest stars"), 5)
		times := rapid.Int64Range(0, rapid.Int64Range(0, 4).Draw(t, "times"))
		customer, product := rapid.Int32Range(0, int32(len(d.Customers)-1)), rapid.Int32Range(0, int32(len(d.Products)-1))
		d.Ratings = append(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) evaluation.Rating {
			return evaluation.Rating{Customer: customer.Draw(t, "customer"), Product: product.Draw(t, "product"),
				Stars: stars.Draw(t, "stars"), RatedAt: times.Draw(t, "at")}
		}), 0, 200).Draw(t, "ratings"), evaluation.Rating{Stars: 5, RatedAt: 99})
		cfg := quick()
		cfg.TuneBudget, cfg.Epochs, cfg.Dim = 0.002, 4, 4
		want, err := (&Trainer{Config: cfg, Threads: 1}).Train(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		other := rename(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), d)
		got, err := (&Trainer{Config: cfg, Threads: 2}).Train(t.Context(), other.data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := sameFigures(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
