package console

import (
	"fmt"
	"hash/fnv"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// number is a figure on a page. Of says where the same figure is in what a program prints with --json,
// as "program command:path", so that a test compares them all; empty: no program prints it.
type number struct {
	Value  float64
	Places int // decimal places that are shown
	Of     string
}

func whole[N int | int64](n N, of string) number { return number{Value: float64(n), Of: of} }

// HTML is the number with thousands set apart, and as a program reads it.
func (n number) HTML() template.HTML {
	exact := strconv.FormatFloat(n.Value, 'f', -1, 64)
	of := ""
	if n.Of != "" {
		of = ` data-of="` + template.HTMLEscapeString(n.Of) + `"`
	}
	//nolint:gosec // a number, and an attribute that is escaped
	return template.HTML(`<data value="` + exact + `"` + of + `>` + grouped(n.Value, n.Places) + `</data>`)
}

// grouped writes thousands apart: 1,234,567.8.
func grouped(v float64, places int) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', places, 64)
	digits, rest, _ := strings.Cut(text, ".")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if rest != "" {
		digits += "." + rest
	}
	if v < 0 {
		digits = "−" + digits
	}
	return digits
}

// functions are what the templates may call.
func functions(now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"count":    func(n any) template.HTML { return countOf(n).HTML() },
		"decimal":  func(v float64, places int, of string) template.HTML { return number{v, places, of}.HTML() },
		"figure":   func(n any, of string) template.HTML { f := countOf(n); f.Of = of; return f.HTML() },
		"percent":  func(v float64) string { return fmt.Sprintf("%.3g %%", 100*v) },
		"when":     when,
		"ago":      func(t time.Time) string { return ago(now().Sub(t)) },
		"tone":     tone,
		"initials": initials,
		"add":      func(a, b int) int { return a + b },
		"other":    func(side int) int { return 1 - side },
	}
}

func countOf(n any) number {
	switch v := n.(type) {
	case int:
		return whole(v, "")
	case int64:
		return whole(v, "")
	case number:
		return v
	case float64:
		return number{Value: v}
	}
	panic(fmt.Sprintf("%T is no number", n)) // a template is wrong: a test renders all of them
}

func megabytes(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

// when is a moment as people and programs read it, in UTC as the programs print it.
func when(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	t = t.UTC()
	//nolint:gosec // two formats of a time
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format("2 Jan 2006, 15:04:05") +
		` UTC</time>`)
}

// ago says how long ago something was, in its largest unit.
func ago(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int(d / unit.of); n >= 1 {
			if n == 1 {
				return "1 " + unit.name + " ago"
			}
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		}
	}
	return "just now"
}

// tones is how many colours the style sheet has for products without a picture.
const tones = 8

// tone is a product's colour: always the same one.
func tone(id string) int {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id)) // a hash takes everything
	return int(hash.Sum32() % tones)
}

// initials are the first letters of a name's first two words, or of the id.
func initials(name, id string) string {
	if name == "" {
		name = id
	}
	letters := ""
	for _, word := range strings.Fields(name) {
		first, _ := utf8.DecodeRuneInString(word)
		if unicode.IsDigit(first) && len(name) > len(word) {
			continue // a year says little
		}
		if letters += string(unicode.ToUpper(first)); utf8.RuneCountInString(letters) == 2 {
			break
		}
	}
	return letters
}
