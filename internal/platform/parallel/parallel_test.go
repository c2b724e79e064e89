package parallel

import (
	"runtime"
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

func TestTasksCallsEveryItemOnceAndGivesNoTwoGoroutinesOneWorker(t *testing.T) {
	t.Parallel()
	for _, threads := range []int{-1, 0, 1, 2, 7} {
		for _, n := range []int{0, 1, 5, 997} {
			calls, busy := make([]atomic.Int32, n), make([]atomic.Bool, max(threads, 1))
			Tasks(threads, n, func(worker, i int) {
				if busy[worker].Swap(true) {
					t.Errorf("%d threads: worker %d was two goroutines at once", threads, worker)
				}
				calls[i].Add(1)
				runtime.Gosched()
				busy[worker].Store(false)
			})
			for i := range calls {
				if got := calls[i].Load(); got != 1 {
					t.Fatalf("%d threads, %d items: item %d was done %d times", threads, n, i, got)
				}
			}
		}
	}
}
