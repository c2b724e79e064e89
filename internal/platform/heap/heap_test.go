package heap_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"kindred/internal/platform/heap"
)

const (
	floor, percent = 64 << 20, 20
	child          = "KINDRED_HEAP_TEST"
)

func TestMain(m *testing.M) {
	if os.Getenv(child) == "" {
		os.Exit(m.Run())
	}
	heap.Floor(floor, percent)
	fmt.Print(collections(floor/2), collections(floor*7/2))
}

var kept [][]byte

// collections fills the heap in small steps, as a program does that reads a table.
func collections(bytes int) uint32 {
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	for range bytes >> 10 {
		kept = append(kept, make([]byte, 1<<10))
	}
	runtime.ReadMemStats(&end)
	return end.NumGC - start.NumGC
}

func TestFloor(t *testing.T) {
	for limit, want := range map[string]bool{"off": true, "8GiB": false} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), child+"=1", "GOMEMLIMIT="+limit, "GOGC=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var below, above int
		if _, err := fmt.Sscan(string(out), &below, &above); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		// From 64 to 256 MB it is 8 times a fifth more. A busy machine collects late and so less often.
		if below > 0 || above >= 2 != want {
			t.Errorf("GOMEMLIMIT=%s: %d collections below the floor, %d above", limit, below, above)
		}
	}
}
