// Package parallel runs short work for many items on all cores.
package parallel

import (
	"runtime"
	"sync"
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
