// Package heap says when Go collects the garbage of a program whose memory should stay small.
package heap

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Floor lets the process grow to floor bytes before garbage is collected. Once more than that is in
// use, it may grow by percent of what is in use. With debug.SetGCPercent alone, a small percentage
// collects a small heap again and again while it grows. A limit that GOMEMLIMIT has set stays; Floor
// then does nothing. It may be called once in a process.
//
// The limit follows each collection, in a goroutine of the runtime. If that comes late, there are more
// collections, and not more memory.
func Floor(floor int64, percent int) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(floor)
	afterCollection(func(live, other int64) {
		debug.SetMemoryLimit(max(floor, live+live/100*int64(percent)+other))
	})
}

// afterCollection calls set after each collection with the bytes of objects in use, and with those of
// the runtime's that are no objects.
func afterCollection(set func(live, other int64)) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}}
	type sentinel struct{ _ *byte } // with a pointer, so that it shares no block with other objects
	var watch func(struct{})
	watch = func(struct{}) {
		metrics.Read(sample)
		bytes := func(i int) int64 { return int64(sample[i].Value.Uint64()) } //nolint:gosec // of memory
		set(bytes(0), bytes(1)-bytes(2)-bytes(3)-bytes(4))
		runtime.AddCleanup(new(sentinel), watch, struct{}{})
	}
	runtime.AddCleanup(new(sentinel), watch, struct{}{})
}
