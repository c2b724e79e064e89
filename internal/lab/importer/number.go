package importer

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"kindred/internal/shop"
)

// whole takes the zeros off that pandas puts after a whole number: "103.0" is 103.
func whole(v string) string {
	if number, zeros, found := strings.Cut(v, "."); found && number != "" && zeros != "" &&
		strings.Trim(zeros, "0") == "" {
		return number
	}
	return v
}

// integer reads a whole number of at most bits bits.
func integer(what, v string, bits int) (int64, error) {
	n, err := strconv.ParseInt(whole(v), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s %q is not a whole number, or is too large", what, v)
	}
	return n, nil
}

// roundedStars reads stars, of which halves are rounded up.
func roundedStars(what, v string) (int8, error) {
	value, err := strconv.ParseFloat(v, 64)
	if err != nil || !(value > 0 && value <= shop.MaxStars) {
		return 0, fmt.Errorf("%s %q is not above 0 and at most %d", what, v, shop.MaxStars)
	}
	return int8(math.Ceil(value)), nil
}
