// Package latency counts latencies and says which one a share of them does not exceed. It keeps counts only,
// so that its size does not depend on how many there are.
package latency

import "math"

// Histogram counts latencies in buckets 1 % wide, from a microsecond to a year, whatever their number. The
// zero value is empty. It is not safe for concurrent use.
type Histogram struct {
	buckets  [bucketCount]int64
	count    int64
	min, max float64 // milliseconds
}

const (
	leastLatency = 0.001 // milliseconds
	bucketGrowth = 1.01
	bucketCount  = 3200 // 1.01^3200 microseconds are two years
)

// Add counts one latency in milliseconds. What clocks make negative counts as nothing.
func (h *Histogram) Add(ms float64) {
	ms = max(0, ms)
	bucket := 0
	if ms > leastLatency {
		bucket = min(int(math.Log(ms/leastLatency)/math.Log(bucketGrowth)), bucketCount-1)
	}
	h.buckets[bucket]++
	if h.count == 0 || ms < h.min {
		h.min = ms
	}
	h.max = max(h.max, ms)
	h.count++
}

// Quantile is the latency in milliseconds that a share q of all does not exceed, to half a percent;
// 0 when there is none.
func (h *Histogram) Quantile(q float64) float64 {
	rank, seen := int64(math.Ceil(q*float64(h.count))), int64(0)
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen >= rank {
			middle := leastLatency * math.Pow(bucketGrowth, float64(i)+0.5)
			return min(max(middle, h.min), h.max)
		}
	}
	return 0
}

// Count is how many were counted.
func (h *Histogram) Count() int64 { return h.count }

// Max is the longest one in milliseconds.
func (h *Histogram) Max() float64 { return h.max }

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.count == 0 {
		return
	}
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	if h.count == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	h.count += other.count
}
