// Package mapping reads mapping files: plain SQL, one query for each data set, each under a heading
// such as "-- kindred: interactions". It owns the form of the file and says what a query may not be.
// Which columns a query must have belongs to package mysqlsource, which runs it.
package mapping

import (
	"errors"
	"fmt"
	"strings"
)

// Heading begins a query of a mapping file.
const Heading = "-- kindred:"

// The data sets that a mapping file may have a query for. A file has either Interactions or
// Ratings.
const (
	Customers    = "customers"
	Products     = "products"
	Ratings      = "ratings"
	Interactions = "interactions"
)

var names = []string{Customers, Products, Ratings, Interactions}

// Mapping is the queries that present any shop's tables as kindred's, by data set. An empty one is
// not there.
type Mapping struct {
	Customers    string `json:"customers,omitempty"`
	Products     string `json:"products,omitempty"`
	Ratings      string `json:"ratings,omitempty"`
	Interactions string `json:"interactions,omitempty"`
}

// HasInteractions reports whether the mapping has interactions.
func (m Mapping) HasInteractions() bool { return m.Interactions != "" }

func (m *Mapping) of(dataSet string) *string {
	switch dataSet {
	case Customers:
		return &m.Customers
	case Products:
		return &m.Products
	case Ratings:
		return &m.Ratings
	case Interactions:
		return &m.Interactions
	}
	return new("")
}

// Section is a heading with the text up to the next one.
type Section struct {
	Name string
	Line int // of the heading, from 1
	Text string
}

// Sections cuts a text at its headings. before is what stands above the first one.
func Sections(text, heading string) (before string, sections []Section) {
	current := &before
	for i, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), heading); ok {
			sections = append(sections, Section{Name: strings.TrimSpace(rest), Line: i + 1})
			current = &sections[len(sections)-1].Text
			continue
		}
		*current += line + "\n"
	}
	return before, sections
}

// Parse reads a mapping file. It reports every problem at once, each by its line.
func Parse(text string) (m Mapping, err error) {
	var problems []error
	fail := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	before, sections := Sections(text, Heading)
	for i, line := range strings.Split(before, "\n") {
		if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(t, "--") {
			fail(i+1, "a query has no heading, want %q or %q before it", Heading+" "+Interactions, Heading+" "+Ratings)
			break
		}
	}
	seen := map[string]int{}
	for _, s := range sections {
		if query := m.of(s.Name); !known(s.Name) {
			fail(s.Line, "there is no data set %q, want products, customers and interactions, or ratings", s.Name)
		} else if line, twice := seen[s.Name]; twice {
			fail(s.Line, "%s has a query already, on line %d", s.Name, line)
		} else {
			var problem string
			if *query, problem = oneQuery(s.Text); problem != "" {
				fail(s.Line, "the query of %s %s", s.Name, problem)
			}
			seen[s.Name] = s.Line
		}
	}
	switch ratings, interactions := seen[Ratings], seen[Interactions]; {
	case ratings > 0 && interactions > 0:
		fail(max(ratings, interactions), "a mapping has ratings (line %d) or interactions (line %d), not both: a rating is "+
			"an interaction of kind 'rating' with its stars as value", ratings, interactions)
	case interactions > 0 && seen[Products] == 0:
		fail(interactions, "interactions need products: write a query under %q", Heading+" "+Products)
	case len(seen) == 0 && len(problems) == 0:
		fail(1, "there is no heading, want %q, %q and %q, each before its query", Heading+" "+Products,
			Heading+" "+Customers, Heading+" "+Interactions)
	}
	return m, errors.Join(problems...)
}

func known(dataSet string) bool {
	for _, name := range names {
		if name == dataSet {
			return true
		}
	}
	return false
}

// oneQuery cuts the semicolon at the end and says what keeps the rest from being one query.
func oneQuery(sql string) (query, problem string) {
	plain := blank(sql, false)
	if end := strings.TrimRight(plain, " \t\r\n"); strings.HasSuffix(end, ";") {
		sql, plain = sql[:len(end)-1]+sql[len(end):], plain[:len(end)-1]+plain[len(end):]
	}
	sql = strings.TrimSpace(sql)
	first, _, _ := strings.Cut(strings.TrimLeft(strings.TrimSpace(plain), "( \t\r\n"), " ")
	first, _, _ = strings.Cut(first, "\n")
	switch {
	case strings.TrimSpace(plain) == "":
		return sql, "is empty"
	case strings.Contains(plain, ";"):
		return sql, "is more than one statement"
	case !strings.EqualFold(strings.TrimSpace(first), "select") && !strings.EqualFold(strings.TrimSpace(first), "with"):
		return sql, "does not begin with SELECT or WITH"
	}
	return sql, ""
}

// Names reports whether a query names a column, quoted or not, outside comments and values.
func Names(query, column string) bool {
	plain, want := strings.ToLower(blank(query, true)), strings.ToLower(column)
	for from := 0; ; {
		i := strings.Index(plain[from:], want)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(want)
		if (start == 0 || !inName(plain[start-1])) && (end == len(plain) || !inName(plain[end])) {
			return true
		}
		from = start + 1
	}
}

func inName(b byte) bool {
	return b == '_' || b == '$' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 0x80
}

// blank replaces what is quoted or a comment, so that only SQL's own signs are left, at their
// places: a comment by spaces, a value or a quoted name by letters. names leaves quoted names.
func blank(sql string, names bool) string {
	out := []byte(sql)
	for i := 0; i < len(out); {
		end := i + 1
		switch rest := sql[i:]; {
		case strings.HasPrefix(rest, "--") || rest[0] == '#':
			if end = i + strings.IndexByte(rest, '\n'); end < i {
				end = len(out)
			}
		case strings.HasPrefix(rest, "/*"):
			if n := strings.Index(rest, "*/"); n >= 0 {
				end = i + n + 2
			} else {
				end = len(out)
			}
		case rest[0] == '\'' || rest[0] == '"' || rest[0] == '`':
			for end < len(out) && sql[end] != rest[0] {
				if sql[end] == '\\' && rest[0] != '`' {
					end++
				}
				end++
			}
			for j := i; j < min(end+1, len(out)) && (!names || rest[0] != '`'); j++ {
				out[j] = 'q' // a name or a value, not nothing
			}
			i = end + 1
			continue
		default:
			i = end
			continue
		}
		for j := i; j < end; j++ {
			if out[j] != '\n' {
				out[j] = ' '
			}
		}
		i = end
	}
	return string(out)
}
