package text_test

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/platform/text"
)

func TestCheckID(t *testing.T) {
	t.Parallel()
	for id, fault := range map[string]error{
		"7": nil, " ": nil, "a@b.example": nil, "%2F/": nil, "🛒": nil, strings.Repeat("é", 64): nil,
		"": text.ErrEmpty, strings.Repeat("é", 64) + "a": text.ErrTooLong, "a\x00": text.ErrNUL,
		"\xff": text.ErrInvalidUTF8,
	} {
		for _, err := range []error{text.CheckID(id), text.CheckIDBytes([]byte(id))} {
			if !errors.Is(err, fault) || fault == nil && err != nil {
				t.Errorf("%q: %v, want %v", id, err, fault)
			}
		}
	}
}

func TestIntegerIsTheDecimalFormOnly(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 7, -7, math.MaxInt64, math.MinInt64, math.MaxInt32} {
		if got, whole := text.Integer(strconv.FormatInt(n, 10)); !whole || got != n {
			t.Errorf("%d: %d, %v", n, got, whole)
		}
	}
	for _, id := range []string{"", "-", "-0", "007", "+7", " 7", "7 ", "7.0", "1e3", "1_000", "--7", "٣",
		"9223372036854775808", "-9223372036854775809", strings.Repeat("9", 60)} {
		if n, whole := text.Integer(id); whole {
			t.Errorf("%q is %d", id, n)
		}
	}
}

func TestCompareIDsIsAnOrder(t *testing.T) {
	t.Parallel()
	sorted := []string{"-10", "-9", "0", "9", "10", "007", "1 ", "A", "a", "é"}
	shuffled := []string{"a", "10", "1 ", "é", "-9", "9", "A", "007", "0", "-10"}
	if slices.SortFunc(shuffled, text.CompareIDs); !slices.Equal(shuffled, sorted) {
		t.Errorf("%q", shuffled)
	}
	id := rapid.OneOf(rapid.StringMatching(`-?[0-9]{0,3}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := id.Draw(t, "a"), id.Draw(t, "b"), id.Draw(t, "c")
		if ab := text.CompareIDs(a, b); ab != -text.CompareIDs(b, a) || (ab == 0) != (a == b) {
			t.Errorf("%q and %q: %d", a, b, ab)
		}
		if text.CompareIDs(a, b) < 0 && text.CompareIDs(b, c) < 0 && text.CompareIDs(a, c) >= 0 {
			t.Errorf("%q < %q < %q", a, b, c)
		}
	})
}
