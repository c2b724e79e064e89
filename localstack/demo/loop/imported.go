package loop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// plural are the kinds of interactions that have a word of their own.
var plural = map[string]string{"purchase": "purchases", "cart": "carts", "view": "views", "rating": "ratings"}

// sentence says what the shop holds.
func (s SeedResult) sentence() string {
	parts := []string{count(s.Customers) + " customers"}
	if s.Guests > 0 {
		parts = append(parts, count(s.Guests)+" guests")
	}
	parts = append(parts, count(s.Products)+" products")
	if s.Kinds == nil {
		return strings.Join(append(parts, count(s.Ratings)+" ratings"), ", ")
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Kinds)) {
		word := plural[kind]
		if word == "" {
			word = "of kind " + kind
		}
		parts = append(parts, count(s.Kinds[kind])+" "+word)
	}
	return strings.Join(parts, ", ")
}

// account says, a line each, what the files were and what became of their lines.
func (s SeedResult) account() (lines []string) {
	if s.Format != "" {
		lines = append(lines, "read as "+s.Format)
	}
	if s.Files == nil {
		return lines
	}
	for _, why := range slices.Sorted(maps.Keys(s.Files.LeftOut)) {
		lines = append(lines, fmt.Sprintf("left out: %s of %s lines, %s", count(s.Files.LeftOut[why]),
			count(s.Files.Lines), why))
	}
	lines = append(lines, s.Files.Notes...)
	if len(s.Files.Unused) > 0 {
		lines = append(lines, "not used: "+strings.Join(s.Files.Unused, ", "))
	}
	return lines
}

// what the model learns from.
func (r *Report) what() string {
	if r.ETL.Rows.Interactions > 0 {
		return "interactions"
	}
	return "ratings"
}
