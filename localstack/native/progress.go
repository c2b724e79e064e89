package native

import (
	"fmt"
	"io"
	"sync"
)

// Printer returns a Config.Report that prints one line a step: what begins, and what ended with the seconds it took.
func Printer(w io.Writer) func(Step) {
	var mu sync.Mutex
	return func(s Step) {
		mu.Lock()
		defer mu.Unlock()
		if s.Seconds == 0 {
			fmt.Fprintf(w, "%-10s  %s\n", s.Part, s.Text)
			return
		}
		fmt.Fprintf(w, "%-10s  %s (%.1f s)\n", s.Part, s.Text, s.Seconds)
	}
}
