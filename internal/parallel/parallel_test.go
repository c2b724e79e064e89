package parallel

import (
	"sync/atomic"
	"testing"
)

func TestEachCallsEveryItemOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, fewest, fewest + 1, 2*fewest - 1, 997} {
		calls := make([]atomic.Int32, n)
		Each(n, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if got := calls[i].Load(); got != 1 {
				t.Fatalf("%d items: item %d was done %d times", n, i, got)
			}
		}
	}
}
