//go:build !(goexperiment.simd && amd64)

package rule

func equalTo(values *[word]uint32, other uint32) uint64 { return goEqualTo(values, other) }

func inside(values *[word]int64, s span) uint64 { return goInside(values, s) }
