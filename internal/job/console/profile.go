package console

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"kindred/internal/job/console/plot"
	"kindred/internal/job/etl"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/trainingset"
)

// mostProfiled is the largest set that a page reads whole, in rows: some 40 bytes of memory each.
const mostProfiled = 2_000_000

// errTooLarge says that a set has more rows than that.
var errTooLarge = errors.New("the training set is too large to be read for a page")

// profile is how a training set is distributed.
type profile struct {
	Stars       []share // ratings by stars, or interactions by kind
	PerCustomer []share // customers by how much they did
	PerProduct  []share // products by how much was done with them
	TopTenth    float64 // the share of all that the most popular tenth of the products has
	NeverChosen int     // products that nobody did anything with
	Newcomers   int     // customers who did nothing
	Guests      int64
}

// share is one column of a histogram.
type share struct {
	Name  string
	Count int64
	Part  float64 // of all
}

// histogramOf draws the columns.
func histogramOf(label string, all []share) plot.Histogram {
	h := plot.Histogram{Label: label}
	for _, one := range all {
		h.Bars = append(h.Bars, plot.Bar{Name: one.Name, Value: float64(one.Count)})
	}
	return h
}

// StarsChart, CustomerChart and ProductChart draw the profile.
func (p *profile) StarsChart() plot.Histogram {
	return histogramOf("What customers did, by kind", p.Stars)
}

// CustomerChart is the customers by how much they did.
func (p *profile) CustomerChart() plot.Histogram {
	return histogramOf("Customers by how much they did", p.PerCustomer)
}

// ProductChart is the products by how much was done with them.
func (p *profile) ProductChart() plot.Histogram {
	return histogramOf("Products by how much was done with them", p.PerProduct)
}

// profiles reads the profile of the current set once, beside the pages. It is safe for concurrent use.
type profiles struct {
	sets *commit.Repository

	beside  sync.WaitGroup
	mu      sync.Mutex
	run     string // whose profile this is, or is being read
	reading bool
	profile *profile
	err     error
}

func newProfiles(sets *commit.Repository) *profiles { return &profiles{sets: sets} }

// of returns the profile of a set, or begins to read it. errTooLarge where it is not read.
func (p *profiles) of(ctx context.Context, set etl.Shown) (found *profile, reading bool, err error) {
	if set.Rows.Ratings+set.Rows.Interactions > mostProfiled {
		return nil, false, errTooLarge
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != set.Run && !p.reading {
		p.run, p.reading, p.profile, p.err = set.Run, true, nil, nil
		p.beside.Go(func() { p.read(context.WithoutCancel(ctx), set) })
	}
	return p.profile, p.reading, p.err
}

// read is not ended with the page that asked: the next page needs it.
func (p *profiles) read(ctx context.Context, set etl.Shown) {
	found, err := profileOf(ctx, p.sets, set)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading, p.profile, p.err = false, found, err
}

// wait returns when nothing is being read.
func (p *profiles) wait() { p.beside.Wait() }

func profileOf(ctx context.Context, sets *commit.Repository, set etl.Shown) (*profile, error) {
	var customers, products []int
	kinds := map[string]int64{}
	var guests int64
	if set.Rows.Interactions > 0 {
		h, err := trainingset.ReadHistory(ctx, sets, set.Manifest, "")
		if err != nil {
			return nil, err
		}
		customers, products = make([]int, len(h.Customers)), make([]int, len(h.Products))
		for _, e := range h.Entries {
			kinds[h.Kinds[e.Kind]]++
			products[e.Product]++
			if e.Customer == trainingset.None {
				guests++
			} else {
				customers[e.Customer]++
			}
		}
	} else {
		all, err := trainingset.Read(ctx, sets, set.Manifest, "")
		if err != nil {
			return nil, err
		}
		customers, products = make([]int, len(all.Customers)), make([]int, len(all.Products))
		for _, e := range all.Interactions {
			kinds[fmt.Sprintf("★ %d", e.Stars)]++
			products[e.Product]++
			customers[e.Customer]++
		}
	}
	p := &profile{PerCustomer: doubling(customers), PerProduct: doubling(products), Guests: guests,
		NeverChosen: count(products, 0), Newcomers: count(customers, 0)}
	for _, one := range sorted(kinds) {
		p.Stars = append(p.Stars, share{Name: one.Name, Count: one.Count})
	}
	slices.SortFunc(p.Stars, func(a, b share) int { return strings.Compare(a.Name, b.Name) })
	parts(p.Stars)
	p.TopTenth = topTenth(products)
	return p, nil
}

func count(all []int, n int) (found int) {
	for _, one := range all {
		if one == n {
			found++
		}
	}
	return found
}

// doubling puts counts into columns that double: 0, 1, 2 to 3, 4 to 7, ….
func doubling(all []int) (columns []share) {
	for _, n := range all {
		at := bits.Len(uint(n))
		for len(columns) <= at {
			i := len(columns)
			name := fmt.Sprintf("%s to %s", grouped(float64(int(1)<<max(i-1, 0)), 0), grouped(float64(int(1)<<i-1), 0))
			if i < 2 {
				name = fmt.Sprint(i)
			}
			columns = append(columns, share{Name: name})
		}
		columns[at].Count++
	}
	parts(columns)
	return columns
}

// parts fills in the shares.
func parts(columns []share) {
	total := int64(0)
	for _, c := range columns {
		total += c.Count
	}
	for i := range columns {
		if total > 0 {
			columns[i].Part = float64(columns[i].Count) / float64(total)
		}
	}
}

func topTenth(products []int) float64 {
	ordered := slices.Clone(products)
	slices.Sort(ordered)
	slices.Reverse(ordered)
	top, total := 0, 0
	for i, n := range ordered {
		total += n
		if i < (len(ordered)+9)/10 {
			top += n
		}
	}
	if total == 0 {
		return 0
	}
	return float64(top) / float64(total)
}
