package envconfig

import (
	"math"
	"runtime/debug"
	"testing"
)

// TestTheShareLeavesRoom: versions, and the file that is being read, stay below the limit of the runtime.
func TestTheShareLeavesRoom(t *testing.T) {
	t.Parallel()
	for share, ok := range map[float64]bool{0: true, 0.5: true, 0.6: true, 0.61: false, goShare: false, 0.9: false,
		1: false, -0.1: false, math.NaN(): false, math.Inf(1): false} {
		if err := (Memory{Share: share}).Check(); (err == nil) != ok {
			t.Errorf("%g: %v", share, err)
		}
	}
}

// TestLimitMemory sets the limit in a function only, and leaves the one that somebody else has set.
func TestLimitMemory(t *testing.T) { //nolint:paralleltest // the limit is the process's
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, test := range []struct {
		size        string
		limit, want int64
	}{
		{"512", math.MaxInt64, 384 << 20}, {"512", 1 << 40, 1 << 40}, {"", math.MaxInt64, math.MaxInt64},
		{"0", math.MaxInt64, math.MaxInt64}, {"x", math.MaxInt64, math.MaxInt64},
	} {
		debug.SetMemoryLimit(test.limit)
		LimitMemory(func(string) string { return test.size })
		if got := debug.SetMemoryLimit(-1); got != test.want {
			t.Errorf("%+v: the limit is %d", test, got)
		}
	}
}
