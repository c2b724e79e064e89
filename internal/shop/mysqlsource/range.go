package mysqlsource

import (
	"context"
	"fmt"
	"math"
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

// CustomerBounds are the lowest and the highest customer number among the ratings; ok is false when
// there is no rating.
func (s *Snapshot) CustomerBounds(ctx context.Context) (low, high int32, ok bool, err error) {
	err = s.guard(ctx, "ask for the bounds of ratings", func() error {
		result, err := s.conn.Execute("SELECT MIN(customerNumber), MAX(customerNumber) FROM " +
			ratingsTable().from(s.mapping.Ratings))
		if err != nil {
			return err
		}
		defer result.Close()
		if null, err := result.IsNull(0, 0); err != nil || null {
			return err
		}
		first, err := result.GetInt(0, 0)
		if err != nil {
			return err
		}
		last, err := result.GetInt(0, 1)
		low, high, ok = int32(first), int32(last), true
		return err
	})
	return low, high, ok, err
}

// CustomerSplits cuts all integers into n adjoining ranges with as many customers each. Where
// customers are fewer than n, some ranges are empty and left out.
func (s *Snapshot) CustomerSplits(ctx context.Context, n int) ([]Range, error) {
	var numbers []int32
	t := customersTable()
	query := "SELECT customerNumber FROM " + t.from(s.mapping.Customers) + " ORDER BY customerNumber"
	err := s.guard(ctx, "read customer numbers", func() error {
		var result mysql.Result
		return s.conn.ExecuteSelectStreaming(query, &result, func(values []mysql.FieldValue) error {
			number, err := strconv.ParseInt(values[0].String(), 10, 32)
			if err != nil {
				return fmt.Errorf("%w: row %d of %s: customerNumber is no 32-bit integer", ErrData, len(numbers)+1, t.name)
			}
			numbers = append(numbers, int32(number))
			return nil
		}, nil)
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
