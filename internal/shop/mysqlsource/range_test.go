package mysqlsource

import (
	"fmt"
	"math"
	"testing"
)

func TestSplitsAdjoinAndCoverEverything(t *testing.T) {
	t.Parallel()
	tests := []struct {
		customers []string
		n         int
		want      string // the cuts
	}{
		{nil, 4, "[]"},
		{[]string{"7"}, 4, "[]"},
		{[]string{"1", "2", "3", "4"}, 1, "[]"},
		{[]string{"1", "2", "3", "4"}, 2, "[3]"},
		{[]string{"-9", "-3", "0", "4", "5", "2147483647"}, 3, "[0 5]"},
		{[]string{"1", "2"}, 5, "[2]"},
	}
	for _, test := range tests {
		got, cuts := splits(test.customers, formInteger, test.n), []int64{}
		for i, r := range got[1:] {
			if got[i].To != r.From {
				t.Errorf("%d of %v: ranges %v do not adjoin", test.n, test.customers, got)
			}
			cuts = append(cuts, r.From)
		}
		if fmt.Sprint(cuts) != test.want || got[0].From != math.MinInt64 || got[len(got)-1].To != math.MaxInt64 {
			t.Errorf("%d of %v: %v, want the cuts %s", test.n, test.customers, got, test.want)
		}
	}
}

func TestPiecesOfARangeStayInIt(t *testing.T) {
	t.Parallel()
	numbers := []string{"-5", "1", "2", "3", "4", "5", "6", "9"}
	for _, test := range []struct {
		in   Range
		want string
	}{
		{Range{}, "[{-9223372036854775808 4 <nil>} {4 9223372036854775807 <nil>}]"},
		{Range{From: 2, To: 6}, "[{2 4 <nil>} {4 6 <nil>}]"},
		{Range{From: 7, To: 9}, "[{7 9 <nil>}]"},
		{Range{From: 5, To: math.MaxInt64}, "[{5 6 <nil>} {6 9223372036854775807 <nil>}]"},
	} {
		if got := fmt.Sprint(splitsIn(test.in, numbers, formInteger, 2)); got != test.want {
			t.Errorf("pieces of %v: %s, want %s", test.in, got, test.want)
		}
	}
}
