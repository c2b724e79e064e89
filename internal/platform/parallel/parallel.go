// Package parallel runs work for many items on many cores.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// fewest is how many items are worth a goroutine: some tens of microseconds of work each.
const fewest = 16

// Each calls do for 0 ≤ i < n, on all cores, and returns when every call has. A panic in do ends the program.
func Each(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), (n+fewest-1)/fewest)
	var group sync.WaitGroup
	for w := 1; w < workers; w++ {
		group.Go(func() {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				do(i)
			}
		})
	}
	for i := range n / max(workers, 1) {
		do(i)
	}
	group.Wait()
}

// Tasks calls do(worker, i) for 0 ≤ i < n, at most threads at a time, each goroutine taking the
// next i when it is free, and returns when every call has. worker < max(threads, 1) names the
// goroutine, for scratch memory of its own.
func Tasks(threads, n int, do func(worker, i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range max(threads, 1) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(worker, i)
			}
		})
	}
	group.Wait()
}
