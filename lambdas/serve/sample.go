package main

import (
	"sync"
	"time"
)

// samplePeriod is how often a line of one kind is logged at most.
const samplePeriod = time.Second

// sample lets one line of a kind through in each period, so that a database that is down, or an
// overload, does not write a line for each request. It is safe for concurrent use.
type sample struct {
	mu    sync.Mutex
	kinds map[string]*sampled
}

type sampled struct {
	last       time.Time
	suppressed int
}

// take says whether a line of the kind may be written now, and how many were not since the last one.
func (s *sample) take(kind string, now time.Time) (ok bool, suppressed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[kind]
	if k == nil {
		k = &sampled{}
		s.kinds[kind] = k
	} else if now.Sub(k.last) < samplePeriod {
		k.suppressed++
		return false, 0
	}
	suppressed = k.suppressed
	*k = sampled{last: now}
	return true, suppressed
}
