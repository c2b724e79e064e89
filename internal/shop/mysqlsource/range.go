package mysqlsource

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	textrule "kindred/internal/platform/text"
	"kindred/internal/shop"
)

// Range is the customers whose number is at least From and less than To; where ids are no integers,
// those between IDs. The zero Range is all of them, as is the one from math.MinInt64 to
// math.MaxInt64. A Range without a beginning also has the ratings without a customer.
type Range struct {
	From int64   `json:"from"`
	To   int64   `json:"to"`
	IDs  *Bounds `json:"ids,omitempty"` // From and To are 0 then
}

// Bounds are ids in the order of the database's collation: at least From and less than To. An empty
// one is no bound.
type Bounds struct {
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Binary bool   `json:"binary,omitempty"` // the column is BINARY(16), of which ids are the hex form
}

func (r Range) where() string {
	if r.IDs != nil {
		return r.IDs.where()
	}
	open := r.To == math.MaxInt64
	switch first := r.From == math.MinInt64; {
	case r == (Range{}), first && open:
		return ""
	case first:
		return fmt.Sprintf(" WHERE (customerNumber < %d OR customerNumber IS NULL)", r.To)
	case open:
		return fmt.Sprintf(" WHERE customerNumber >= %d", r.From)
	}
	return fmt.Sprintf(" WHERE customerNumber >= %d AND customerNumber < %d", r.From, r.To)
}

func (b Bounds) where() string {
	switch {
	case b.From == "" && b.To == "":
		return ""
	case b.From == "":
		return " WHERE (customerNumber < " + b.literal(b.To) + " OR customerNumber IS NULL)"
	case b.To == "":
		return " WHERE customerNumber >= " + b.literal(b.From)
	}
	return " WHERE customerNumber >= " + b.literal(b.From) + " AND customerNumber < " + b.literal(b.To)
}

// literal writes an id as SQL in hex, which no setting of the server reads otherwise. The column's
// collation decides the comparison, because a literal's yields.
func (b Bounds) literal(id string) string {
	if b.Binary {
		return "X'" + id + "'"
	}
	return "_utf8mb4 X'" + strings.ToUpper(hex.EncodeToString([]byte(id))) + "'"
}

// Pieces cuts a range so that each piece has about RangeRows ratings: the lock that a query holds
// on the table is then short. Where the server could not read a piece without reading everything,
// because no index begins with the customer's key, the range stays whole.
func (s *Snapshot) Pieces(ctx context.Context, in Range) ([]Range, error) {
	whole := []Range{in}
	rows, err := s.EstimateIn(ctx, in)
	if err != nil || rows <= s.options.RangeRows {
		return whole, err
	}
	ids, forms, err := s.customerIDs(ctx)
	if err != nil || forms.customers != forms.ratingsCustomer {
		return whole, err
	}
	pieces := splitsIn(in, ids, forms.customers, int(rows/s.options.RangeRows)+1)
	if len(pieces) < 2 {
		return whole, nil
	}
	const fair = 2 // a piece that costs half of the whole or more is no piece
	piece, err := s.EstimateIn(ctx, pieces[len(pieces)/2])
	if err != nil || piece > rows/fair {
		return whole, err
	}
	return pieces, nil
}

// CustomerSplits cuts all customers into n adjoining ranges with as many of them each. Where
// customers are fewer than n, some ranges are empty and left out. Where ratings hold the customer in
// another form than customers do, there is one range.
func (s *Snapshot) CustomerSplits(ctx context.Context, n int) ([]Range, error) {
	ids, forms, err := s.customerIDs(ctx)
	if err != nil || forms.customers != forms.ratingsCustomer {
		return splits(nil, formInteger, n), err
	}
	return splits(ids, forms.customers, n), nil
}

// customerIDs are the ids that cuts are taken from, in the order of the database: those that
// Customers has read, or else asked for.
func (s *Snapshot) customerIDs(ctx context.Context) ([]string, keyForms, error) {
	forms, err := s.forms(ctx)
	if err != nil || len(s.sampled.ids) > 0 {
		return s.sampled.ids, forms, err
	}
	t := customersTable()
	t.columns = t.columns[:1]
	r := row{table: t, faults: &shop.Faults{}} // Customers counts those that are none
	err = s.streamRows(ctx, t, s.mapping.Customers, &r, func() {
		if id, ok := r.key(shop.CustomerKey, "customer"); ok {
			s.sampled.add(id)
		}
	})
	return s.sampled.ids, forms, err
}

// splitsIn cuts a range into up to n that adjoin, with as many of the ids each.
func splitsIn(in Range, ids []string, form keyForm, n int) []Range {
	whole := []Range{in}
	if form != formInteger {
		if in.IDs == nil {
			return splits(ids, form, n)
		}
		first, last := 0, len(ids)
		if in.IDs.From != "" {
			first = slices.Index(ids, in.IDs.From)
		}
		if in.IDs.To != "" {
			last = slices.Index(ids, in.IDs.To)
		}
		if first < 0 || last < first { // the customers have changed since the range was made
			return whole
		}
		pieces := splits(ids[first:last], form, n)
		pieces[0].IDs.From, pieces[len(pieces)-1].IDs.To = in.IDs.From, in.IDs.To
		return pieces
	}
	if in == (Range{}) {
		in = Range{From: math.MinInt64, To: math.MaxInt64}
	}
	first, _ := slices.BinarySearchFunc(ids, in.From, compareNumber)
	last, _ := slices.BinarySearchFunc(ids, in.To, compareNumber)
	pieces := splits(ids[first:last], form, n)
	pieces[0].From, pieces[len(pieces)-1].To = in.From, in.To
	return pieces
}

func compareNumber(id string, bound int64) int {
	n, _ := textrule.Integer(id)
	return cmp.Compare(n, bound)
}

// splits cuts everything at some of the ids, which are in the order of the database.
func splits(ids []string, form keyForm, n int) []Range {
	if form != formInteger {
		return textSplits(ids, form == formBinary, n)
	}
	all := []Range{{From: math.MinInt64, To: math.MaxInt64}}
	for i := 1; i < n && len(ids) > 0; i++ {
		cut, _ := textrule.Integer(ids[i*len(ids)/n])
		last := &all[len(all)-1]
		if cut == last.From || ids[i*len(ids)/n] == ids[0] {
			continue
		}
		last.To = cut
		all = append(all, Range{From: cut, To: math.MaxInt64})
	}
	return all
}

func textSplits(ids []string, binary bool, n int) []Range {
	all := []Range{{IDs: &Bounds{Binary: binary}}}
	for i := 1; i < n && len(ids) > 0; i++ {
		cut, last := ids[i*len(ids)/n], all[len(all)-1].IDs
		if cut == last.From || cut == ids[0] {
			continue
		}
		last.To = cut
		all = append(all, Range{IDs: &Bounds{From: cut, Binary: binary}})
	}
	return all
}
