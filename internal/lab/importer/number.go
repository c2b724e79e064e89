package importer

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"kindred/internal/shop"
)

// whole takes the zeros off that pandas puts after a whole number: "103.0" is 103.
func whole(v string) string {
	if number, zeros, found := strings.Cut(v, "."); found && number != "" && zeros != "" && strings.Trim(zeros, "0") == "" {
		return number
	}
	return v
}

// integer reads a whole number of at most bits bits.
func integer(what, v string, bits int) (int64, error) {
	n, err := strconv.ParseInt(whole(v), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s %q is no whole number that fits", what, v)
	}
	return n, nil
}

// roundedStars reads stars, of which halves are rounded up.
func roundedStars(what, v string) (int8, error) {
	value, err := strconv.ParseFloat(v, 64)
	if err != nil || !(value > 0 && value <= shop.MaxStars) {
		return 0, fmt.Errorf("%s %q is not within 0.5 to %d", what, v, shop.MaxStars)
	}
	return int8(math.Ceil(value)), nil
}

// Numbers above maxSeconds are milliseconds: as seconds they would be in the year 5138 and later.
// Numbers above maxMillis are neither.
const (
	maxSeconds = 100_000_000_000
	maxMillis  = 100_000_000_000_000
)

// unixTime reads seconds or milliseconds since 1970.
func unixTime(what, v string) (*time.Time, error) {
	n, err := strconv.ParseInt(whole(v), 10, 64)
	if err != nil || n < 0 || n > maxMillis {
		return nil, fmt.Errorf("%s %q is no number of seconds or milliseconds since 1970", what, v)
	}
	if n > maxSeconds {
		n /= 1000
	}
	at := time.Unix(n, 0).UTC()
	return &at, nil
}

// timeLayouts are the ways to write ratedAt; without a zone it is UTC.
var timeLayouts = [...]string{"2006-01-02 15:04:05", time.RFC3339, "2006-01-02T15:04:05", time.DateOnly}

// parseTime reads a time to the second.
func parseTime(v string) (*time.Time, error) {
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, v); err == nil {
			at = at.UTC().Truncate(time.Second)
			if at.Year() < 1000 || at.Year() > 9999 { // as MySQL's DATETIME
				break
			}
			return &at, nil
		}
	}
	if _, err := strconv.ParseFloat(v, 64); err == nil {
		return unixTime("ratedAt", v)
	}
	return nil, fmt.Errorf("ratedAt %q is no time like 2025-12-31 23:59:59", v)
}
