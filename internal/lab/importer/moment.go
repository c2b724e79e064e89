package importer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dates is how a file writes them.
type dates struct {
	dayFirst bool // 1/12/2010 is in December
}

// Beyond these, a number of seconds since 1970 is one of milliseconds, microseconds, nanoseconds.
const (
	afterSeconds = 1e11
	afterMillis  = 1e14
	afterMicros  = 1e17
)

var errMoment = errors.New("is neither a time like 2025-12-31 23:59:59 nor a number of seconds since 1970")

// longDates are other ways to write a time.
var longDates = [...]string{"2-Jan-2006 15:04:05", "2-Jan-2006", "2 Jan 2006 15:04:05", "2 Jan 2006",
	"January 2, 2006 15:04:05", "January 2, 2006", "Jan 2, 2006 15:04:05", "Jan 2, 2006", "01 2, 2006", time.RFC1123,
	time.RFC1123Z, time.UnixDate, time.ANSIC}

// parse reads a time, in milliseconds since 1970 UTC. Without a zone it is UTC.
func (d dates) parse(v string) (int64, error) {
	if number, err := strconv.ParseFloat(v, 64); err == nil {
		return fromNumber(v, number)
	}
	day, rest := v, ""
	if cut := strings.IndexAny(v, " T"); cut > 0 {
		day, rest = v[:cut], strings.TrimSpace(v[cut+1:])
	}
	year, month, date, ok := d.date(day)
	if !ok {
		for _, layout := range longDates {
			if at, err := time.Parse(layout, v); err == nil {
				return inRange(at)
			}
		}
		return 0, errMoment
	}
	clock, zone, err := clockTime(rest)
	at := time.Date(year, time.Month(month), date, 0, 0, 0, 0, time.UTC)
	if err != nil || at.Day() != date || int(at.Month()) != month {
		return 0, errMoment
	}
	return inRange(at.Add(clock - zone))
}

// ratedAt reads a time to the second, as the shop's column ratedAt has it.
func ratedAt(what, v string) (*time.Time, error) {
	ms, err := dates{}.parse(v)
	if err != nil {
		return nil, fmt.Errorf("%s %q %w", what, v, err)
	}
	at := time.UnixMilli(ms).UTC().Truncate(time.Second)
	return &at, nil
}

// inRange refuses years that MySQL's DATETIME cannot hold.
func inRange(at time.Time) (int64, error) {
	if at.UTC().Year() < 1000 || at.UTC().Year() > 9999 {
		return 0, errMoment
	}
	return at.UnixMilli(), nil
}

// fromNumber reads 20101231, or a number of seconds, milliseconds and so on since 1970.
func fromNumber(v string, n float64) (int64, error) {
	if len(v) == len("20060102") {
		if at, err := time.Parse("20060102", v); err == nil && at.Year() >= 1900 && at.Year() < 2100 {
			return at.UnixMilli(), nil
		}
	}
	switch {
	case !(n >= 0 && n < 1e20):
		return 0, errMoment
	case n < afterSeconds:
		n *= 1000
	case n >= afterMicros:
		n /= 1e6
	case n >= afterMillis:
		n /= 1000
	}
	return inRange(time.UnixMilli(int64(n)))
}

// threeNumbers cuts a date at its signs, which are the same.
func threeNumbers(day string) (parts [3]string, sign byte, ok bool) {
	cut := strings.IndexAny(day, "-/.")
	if cut < 0 {
		return parts, 0, false
	}
	sign = day[cut]
	all := strings.Split(strings.TrimSuffix(day, ","), string(sign))
	if len(all) != len(parts) {
		return parts, 0, false
	}
	copy(parts[:], all)
	return parts, sign, true
}

func (d dates) date(day string) (year, month, date int, ok bool) {
	parts, sign, ok := threeNumbers(day)
	if !ok {
		return 0, 0, 0, false
	}
	var n [3]int
	for i, part := range parts {
		var err error
		if n[i], err = strconv.Atoi(part); err != nil || n[i] < 0 || len(part) > 4 {
			return 0, 0, 0, false
		}
	}
	switch {
	case len(parts[0]) == 4:
		year, month, date = n[0], n[1], n[2]
	case sign == '.' || d.dayFirst:
		date, month, year = n[0], n[1], n[2]
	default:
		month, date, year = n[0], n[1], n[2]
	}
	if len(parts[2]) == 2 && len(parts[0]) != 4 { // 69 is 1969, as in POSIX
		if year += 1900; year < 1969 {
			year += 100
		}
	}
	return year, month, date, month >= 1 && month <= 12 && date >= 1 && date <= 31
}

// clockTime reads "8:26", "20:26:31.5", "8:26 PM", with a zone or without, as what it adds to the day.
func clockTime(text string) (clock, zone time.Duration, err error) {
	if text == "" {
		return 0, 0, nil
	}
	end := strings.IndexFunc(text, func(c rune) bool { return !strings.ContainsRune("0123456789:.", c) })
	if end < 0 {
		end = len(text)
	}
	rest := strings.ToUpper(strings.TrimSpace(text[end:]))
	parts := strings.Split(text[:end], ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, 0, errMoment
	}
	hour, err1 := strconv.Atoi(parts[0])
	minute, err2 := strconv.Atoi(parts[1])
	second := 0.0
	var err3 error
	if len(parts) == 3 {
		second, err3 = strconv.ParseFloat(parts[2], 64)
	}
	if errors.Join(err1, err2, err3) != nil || hour > 23 || minute > 59 || !(second >= 0 && second < 61) {
		return 0, 0, errMoment
	}
	for _, half := range []string{"AM", "PM"} {
		after, found := strings.CutPrefix(rest, half)
		if !found {
			continue
		}
		if hour < 1 || hour > 12 {
			return 0, 0, errMoment
		}
		rest, hour = strings.TrimSpace(after), hour%12
		if half == "PM" {
			hour += 12
		}
	}
	zone, err = zoneOf(rest)
	millis := time.Duration(second*1000+0.5) * time.Millisecond
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + millis, zone, err
}

// zoneOf reads "", "Z", "UTC", "+02:00", "-0430".
func zoneOf(text string) (time.Duration, error) {
	switch text {
	case "", "Z", "UTC", "GMT":
		return 0, nil
	}
	digits := strings.Replace(text[1:], ":", "", 1)
	if len(digits) == 2 {
		digits += "00"
	}
	n, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 4 || n < 0 || !strings.ContainsRune("+-", rune(text[0])) {
		return 0, errMoment
	}
	offset := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	if text[0] == '-' {
		return -offset, nil
	}
	return offset, nil
}

// order finds out whether a file writes the day or the month first: the first date that can be read
// in one way only says so. why tells a person; it is empty where nothing had to be found out.
func (s *sheet) order(column int, western bool) (d dates, why string, err error) {
	unclear := ""
	_, err = s.each(western, func(r *row) error {
		v := r.at(column)
		day, _, _ := strings.Cut(v, " ")
		parts, sign, ok := threeNumbers(day)
		if v == "" {
			return nil
		}
		if !ok || sign == '.' || len(parts[0]) == 4 {
			if unclear == "" { // the whole file is like its first date
				return errStopped
			}
			return nil
		}
		first, err1 := strconv.Atoi(parts[0])
		second, err2 := strconv.Atoi(parts[1])
		switch unclear = v; {
		case errors.Join(err1, err2) != nil:
			return nil //nolint:nilerr // the reading says what is wrong
		case first > 12:
			d.dayFirst = true
			why = fmt.Sprintf("Dates have the day first, as %q on %s.", day, s.place(r.line))
		case second > 12:
			why = fmt.Sprintf("Dates have the month first, as %q on %s.", day, s.place(r.line))
		default:
			return nil
		}
		return errStopped
	})
	if err != nil && !errors.Is(err, errStopped) {
		return d, "", err
	}
	if unclear != "" && why == "" {
		why = fmt.Sprintf("Dates such as %q could have the day or the month first; they are read with the month first "+
			"(--day-first reads them the other way).", unclear)
	}
	return d, why, nil
}
