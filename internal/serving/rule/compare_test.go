package rule

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestComparisonsOfWords: what compares several values at once says what a comparison of each says.
func TestComparisonsOfWords(t *testing.T) {
	t.Parallel()
	edges := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.SampledFrom(edges), rapid.Int64Range(-9, 9))
		texts := rapid.OneOf(rapid.SampledFrom([]uint32{0, 1, math.MaxUint32}), rapid.Uint32Range(0, 9))
		s := span{number.Draw(t, "least"), number.Draw(t, "most")}
		if s.least > s.most {
			s.least, s.most = s.most, s.least
		}
		other := texts.Draw(t, "other")
		var numbers [word]int64
		var codes [word]uint32
		var in, equals uint64
		for i := range word {
			numbers[i], codes[i] = number.Draw(t, "number"), texts.Draw(t, "text")
			if s.least <= numbers[i] && numbers[i] <= s.most {
				in |= 1 << i
			}
			if codes[i] == other {
				equals |= 1 << i
			}
		}
		if got, plain := inside(&numbers, s), goInside(&numbers, s); got != in || plain != in {
			t.Fatalf("inside %v: %b and %b, want %b", s, got, plain, in)
		}
		if got, plain := equalTo(&codes, other), goEqualTo(&codes, other); got != equals || plain != equals {
			t.Fatalf("equal to %d: %b and %b, want %b", other, got, plain, equals)
		}
	})
}
