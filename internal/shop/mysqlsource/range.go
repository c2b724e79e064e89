package mysqlsource

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Range is the customers whose number is at least From and less than To. The zero Range is all of
// them, as is the one from math.MinInt64 to math.MaxInt64. A Range from math.MinInt64 also has the
// ratings without a customer number.
type Range struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

func (r Range) where() string {
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

// Pieces cuts a range so that each piece has about RangeRows ratings: the lock that a query holds
// on the table is then short. customers are the sorted numbers that the cuts are taken from. Where
// the server could not read a piece without reading everything, because no index begins with the
// customer's number, the range stays whole.
func (s *Snapshot) Pieces(ctx context.Context, in Range, customers []int32) ([]Range, error) {
	whole := []Range{in}
	rows, err := s.EstimateIn(ctx, in)
	if err != nil || rows <= s.options.RangeRows {
		return whole, err
	}
	pieces := splitsIn(in, customers, int(rows/s.options.RangeRows)+1)
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

// splitsIn cuts a range into up to n that adjoin, with as many of the customers each.
func splitsIn(in Range, customers []int32, n int) []Range {
	if in == (Range{}) {
		in = Range{From: math.MinInt64, To: math.MaxInt64}
	}
	first, _ := slices.BinarySearchFunc(customers, in.From, compareNumber)
	last, _ := slices.BinarySearchFunc(customers, in.To, compareNumber)
	pieces := splits(customers[first:last], n)
	pieces[0].From, pieces[len(pieces)-1].To = in.From, in.To
	return pieces
}

func compareNumber(number int32, bound int64) int { return cmp.Compare(int64(number), bound) }

// CustomerSplits cuts all integers into n adjoining ranges with as many customers each. Where
// customers are fewer than n, some ranges are empty and left out.
func (s *Snapshot) CustomerSplits(ctx context.Context, n int) ([]Range, error) {
	var numbers []int32
	t := customersTable()
	query := "SELECT customerNumber FROM " + t.from(s.mapping.Customers) + " ORDER BY customerNumber"
	err := s.guard(ctx, "read customer numbers", func() error {
		var result mysql.Result
		return s.unlocked(func() error {
			return s.conn.ExecuteSelectStreaming(query, &result, func(values []mysql.FieldValue) error {
				if number, err := strconv.ParseInt(values[0].String(), 10, 32); err == nil {
					numbers = append(numbers, int32(number)) // Customers counts those that are none
				}
				return nil
			}, nil)
		})
	})
	return splits(numbers, n), err
}

func splits(sorted []int32, n int) []Range {
	all := []Range{{From: math.MinInt64, To: math.MaxInt64}}
	for i := 1; i < n && len(sorted) > 0; i++ {
		cut, last := int64(sorted[i*len(sorted)/n]), &all[len(all)-1]
		if cut == last.From || cut == int64(sorted[0]) {
			continue
		}
		last.To = cut
		all = append(all, Range{From: cut, To: math.MaxInt64})
	}
	return all
}
