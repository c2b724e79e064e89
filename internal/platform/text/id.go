package text

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
)

// MaxID is the longest id of a customer or a product, in bytes.
const MaxID = 128

// MaxInteger is the largest whole number that every reader of JSON holds exactly: 2^53-1. An id that
// is larger, or smaller than its negative, is written as a string.
const MaxInteger = 1<<53 - 1

// ErrEmpty means that an id has no character.
var ErrEmpty = errors.New("is empty")

// CheckID returns nil if id may name a customer or a product: text of 1 to MaxID bytes. Ids are
// compared byte by byte, so "007", "7" and "7 " are three.
func CheckID(id string) error {
	if id == "" {
		return ErrEmpty
	}
	return Check(id, MaxID)
}

// CheckIDBytes is CheckID for bytes.
func CheckIDBytes(id []byte) error {
	if len(id) == 0 {
		return ErrEmpty
	}
	return CheckBytes(id, MaxID)
}

// Integer returns the whole number whose decimal form id is: digits without a leading zero, after a
// minus sign or nothing. So an id that was an integer in its source gives that integer back.
func Integer(id string) (int64, bool) {
	const longest = len("-9223372036854775808")
	if id == "" || len(id) > longest {
		return 0, false
	}
	digits := strings.TrimPrefix(id, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' || digits[0] == '0' && id != "0" {
		return 0, false
	}
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil
}

// CompareIDs is an order of ids: first the integers by their value, then all others byte by byte.
func CompareIDs(a, b string) int {
	x, whole := Integer(a)
	y, wholeToo := Integer(b)
	switch {
	case whole && wholeToo:
		return cmp.Compare(x, y)
	case whole:
		return -1
	case wholeToo:
		return 1
	}
	return strings.Compare(a, b)
}
