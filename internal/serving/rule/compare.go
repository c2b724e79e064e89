package rule

import "math/bits"

// goEqualTo has a bit for each value that equals another one. It does not branch.
func goEqualTo(values *[word]uint32, other uint32) (equals uint64) {
	for i := 0; i < word; i += 4 {
		a := (uint64(values[i]^other) - 1) >> 63
		b := (uint64(values[i+1]^other) - 1) >> 63
		c := (uint64(values[i+2]^other) - 1) >> 63
		d := (uint64(values[i+3]^other) - 1) >> 63
		equals |= (a | b<<1 | c<<2 | d<<3) << i
	}
	return equals
}

// goInside has a bit for each value in the span. It does not branch.
func goInside(values *[word]int64, s span) uint64 {
	from, width := uint64(s.least), uint64(s.most)-uint64(s.least)
	var out uint64
	for i := 0; i < word; i += 4 {
		_, a := bits.Sub64(width, uint64(values[i])-from, 0)
		_, b := bits.Sub64(width, uint64(values[i+1])-from, 0)
		_, c := bits.Sub64(width, uint64(values[i+2])-from, 0)
		_, d := bits.Sub64(width, uint64(values[i+3])-from, 0)
		out |= (a | b<<1 | c<<2 | d<<3) << i
	}
	return ^out
}
