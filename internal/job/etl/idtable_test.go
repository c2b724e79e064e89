package etl

import (
	"fmt"
	"strings"
	"testing"
)

func TestIDTableFindsEachIDAndNoOther(t *testing.T) {
	t.Parallel()
	var ids []string
	for size := range 126 { // of all lengths, alike but for one byte, with zeros
		ids = append(ids, strings.Repeat("\x00", size+1), strings.Repeat("a", size)+"b", "b"+strings.Repeat("a", size)+"é")
	}
	for i := range 20_000 {
		ids = append(ids, fmt.Sprintf("S%d_%05d", i%690, i), fmt.Sprintf("018f3c1e-%05d-7c3a-9c52-2f6b8a1d0e44", i))
	}
	table := newIDTable(ids)
	for i, id := range ids {
		if got, known := table.find(id); !known || got != int32(i) {
			t.Fatalf("code %q: %d, %v, want %d", id, got, known, i)
		}
		if _, known := table.find(id + "?"); known {
			t.Fatalf("code %q? is known", id)
		}
	}
	for _, size := range []int{129, 256, 257, 384} { // a length is kept in one byte
		if _, known := table.find(strings.Repeat("\x00", size)); known {
			t.Errorf("an id of %d bytes is known", size)
		}
	}
	empty := newIDTable(nil)
	if _, known := empty.find(""); known {
		t.Error("an empty table knows a code")
	}
}
