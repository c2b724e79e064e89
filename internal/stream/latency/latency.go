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
func (h *Histogram) Add(ms float64) { h.AddMany(ms, 1) }

// AddMany counts n latencies of the same length in milliseconds; n is at least 1.
func (h *Histogram) AddMany(ms float64, n int64) {
	ms = max(0, ms)
	h.buckets[bucketOf(ms)] += n
	if h.count == 0 || ms < h.min {
		h.min = ms
	}
	h.max = max(h.max, ms)
	h.count += n
}

// Quantile is the latency in milliseconds that a share q of all does not exceed, to half a percent;
// 0 when there is none.
func (h *Histogram) Quantile(q float64) float64 {
	rank, seen := int64(math.Ceil(q*float64(h.count))), int64(0)
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen >= rank {
			return min(max(middle(i), h.min), h.max)
		}
	}
	return 0
}

// Middle is the middle in milliseconds of the bucket in which a latency counts: those of one bucket count the same.
func Middle(ms float64) float64 { return middle(bucketOf(ms)) }

func bucketOf(ms float64) int {
	if ms <= leastLatency {
		return 0
	}
	return min(int(math.Log(ms/leastLatency)/math.Log(bucketGrowth)), bucketCount-1)
}

func middle(bucket int) float64 { return leastLatency * math.Pow(bucketGrowth, float64(bucket)+0.5) }

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
