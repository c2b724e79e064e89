package stack

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Step is one line of progress.
type Step struct {
	Part    string
	Text    string
	Seconds float64 // how long it took; 0 when it only begins
}

// step reports what begins and, by the function it returns, how long it took.
func (s *Stack) step(part, text string) (done func(string)) {
	s.config.Report(Step{Part: part, Text: text})
	began := time.Now()
	return func(result string) {
		s.config.Report(Step{Part: part, Text: result, Seconds: max(time.Since(began).Seconds(), 0.001)})
	}
}

// Printer returns a Config.Report that prints one line a step: what begins, and what ended with the
// seconds it took.
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
