package evaluation

import (
	"sync"
	"sync/atomic"
)

// parallel calls work for 0 … n-1, at most threads at once.
func parallel(threads, n int, work func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range max(threads, 1) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	group.Wait()
}
