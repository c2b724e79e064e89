package verify

import "math"

// histogram counts latencies in buckets 1 % wide, from a microsecond to a year, whatever their number.
type histogram struct {
	buckets  [bucketCount]int64
	count    int64
	min, max float64 // milliseconds
}

const (
	leastLatency = 0.001 // milliseconds
	bucketGrowth = 1.01
	bucketCount  = 3200 // 1.01^3200 microseconds are two years
)

// add counts one latency in milliseconds. What clocks make negative counts as nothing.
func (h *histogram) add(ms float64) {
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

// quantile is the latency in milliseconds that a share q of all does not exceed, to half a percent;
// 0 when there is none.
func (h *histogram) quantile(q float64) float64 {
	rank, seen := int64(math.Ceil(q*float64(h.count))), int64(0)
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen >= rank {
			middle := leastLatency * math.Pow(bucketGrowth, float64(i)+0.5)
			return min(max(middle, h.min), h.max)
		}
	}
	return 0
}
