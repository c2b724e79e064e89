package feed

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"kindred/internal/stream/latency"
)

// Counts is a copy of what was counted so far.
func (f *Feed) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counts
	c.Sources, c.Versions = maps.Clone(c.Sources), maps.Clone(c.Versions)
	c.Letters = maps.Clone(f.counts.Letters)
	for _, name := range slices.Sorted(maps.Keys(f.shard)) {
		c.Shards = append(c.Shards, *f.shard[name])
	}
	for _, m := range f.minute {
		c.Minutes = append(c.Minutes, *m)
	}
	slices.SortFunc(c.Minutes, func(a, b Minute) int { return a.At.Compare(b.At) })
	var all latency.Histogram
	for _, at := range slices.SortedFunc(maps.Keys(f.spans), cmp.Compare) {
		h := f.spans[at]
		all.Merge(h)
		c.Latencies = append(c.Latencies, Latency{At: time.Unix(at, 0).UTC(), P50: h.Quantile(0.5), P99: h.Quantile(0.99)})
	}
	c.LatencyMS = Percentiles{P50: all.Quantile(0.5), P99: all.Quantile(0.99), Max: all.Max()}
	return c
}

// Dead is how many dead letters there are.
func (c Counts) Dead() (n int64) {
	for _, of := range c.Letters {
		n += of
	}
	return n
}
