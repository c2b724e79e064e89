package rule

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// number is the number of a literal, exactly: mantissa / 10^places. It has no more places than it needs.
type number struct {
	mantissa int64
	places   int
}

// maxDigits is how many digits a number has, and how many of them are behind the point: its mantissa is an
// int64.
const maxDigits = 18

// parseNumber reads a number as CEL writes it, without a sign: digits, a point, an exponent. ok is false if
// it has too many digits.
func parseNumber(s string) (n number, ok bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	whole, part, _ := strings.Cut(mantissa, ".")
	e := 0
	if exponent != "" {
		var err error
		if e, err = strconv.Atoi(exponent); err != nil {
			return n, false
		}
	}
	digits := strings.TrimLeft(whole+part, "0")
	if digits == "" {
		return n, true
	}
	places := len(part) - e
	short := strings.TrimRight(digits, "0")
	places -= len(digits) - len(short)
	if places < 0 && len(short)-places <= maxDigits {
		short, places = short+strings.Repeat("0", -places), 0
	}
	if places < 0 || places > maxDigits || len(short) > maxDigits {
		return n, false
	}
	m, err := strconv.ParseInt(short, 10, 64)
	return number{m, places}, err == nil
}

// wholeNumber is a number without a point. ok is false if it has too many digits.
func wholeNumber(i int64) (n number, ok bool) {
	const limit = 1e18 // 10^maxDigits
	return number{mantissa: i}, -limit < i && i < limit
}

// String writes the number as CEL, JSON and PostgreSQL read it.
func (n number) String() string {
	digits := strconv.FormatUint(magnitude(n.mantissa), 10)
	if n.places > 0 {
		digits = strings.Repeat("0", max(0, n.places+1-len(digits))) + digits
		digits = strings.TrimRight(digits[:len(digits)-n.places]+"."+digits[len(digits)-n.places:], "0")
		digits = strings.TrimSuffix(digits, ".")
	}
	if n.mantissa < 0 {
		return "-" + digits
	}
	return digits
}

func magnitude(i int64) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

// float is the double next to the number.
func (n number) float() float64 {
	f, _ := strconv.ParseFloat(n.String(), 64) // it is a number, and none too large
	return f
}

// Columns of whole numbers lie between these. What is not known is unknown.
const (
	least   = -1 << 62
	most    = 1 << 62
	unknown = math.MinInt64
)

// in is the number in units of 10^-places: the next whole number of units below and above it, or itself.
func (n number) in(places int) (floor, ceil int64) {
	floor = n.mantissa
	for ; places > n.places; places-- {
		if magnitude(floor) > most/10 {
			return bounded(n.mantissa), bounded(n.mantissa)
		}
		floor *= 10
	}
	exact := true
	for ; places < n.places; places++ {
		rest := floor % 10
		if floor /= 10; rest < 0 {
			floor--
		}
		exact = exact && rest == 0
	}
	if exact {
		return floor, floor
	}
	return floor, floor + 1
}

// bounded is what stands for a number that is beyond all values of a column.
func bounded(sign int64) int64 {
	if sign < 0 {
		return least
	}
	return most
}

// span is the whole numbers from least to most, both of them included.
type span struct{ least, most int64 }

// spans are the values of a column, in units of 10^-places, that a comparison with numbers holds for: in
// ascending order, apart from each other.
func spans(by op, numbers []number, places int) []span {
	var all []span
	add := func(from, to int64) {
		switch {
		case from > to:
		case len(all) > 0 && all[len(all)-1].most >= from-1:
			all[len(all)-1].most = max(to, all[len(all)-1].most)
		default:
			all = append(all, span{from, to})
		}
	}
	for _, n := range numbers {
		floor, ceil := n.in(places)
		switch by {
		case less:
			add(least, ceil-1)
		case lessEqual:
			add(least, floor)
		case greater:
			add(floor+1, most)
		case greaterEqual:
			add(ceil, most)
		case notEqual:
			add(least, ceil-1)
			add(floor+1, most)
		default: // equal, among
			add(ceil, floor) // none, if it lies between two units
		}
	}
	return all
}

// holds says whether a value lies in one of the spans.
func holds(all []span, value int64) bool {
	for len(all) > 4 {
		half := len(all) / 2
		if all[half].least <= value {
			all = all[half:]
		} else {
			all = all[:half]
		}
	}
	for _, s := range all {
		if s.least <= value && value <= s.most {
			return true
		}
	}
	return false
}

// compare orders numbers by their values.
func (n number) compare(other number) int {
	places := max(n.places, other.places)
	a, _ := n.in(places)
	b, _ := other.in(places)
	return cmp.Compare(a, b)
}
