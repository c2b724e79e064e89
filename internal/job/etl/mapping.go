package etl

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"kindred/internal/shop/mysqlsource"
)

// heading begins a query of a mapping file: "-- kindred: ratings".
const heading = "-- kindred:"

// readMapping reads a mapping file: plain SQL, three queries, each under its heading. A data set
// without a query is the table of its name.
func readMapping(name string) (mysqlsource.Mapping, error) {
	if name == "" {
		return mysqlsource.Mapping{}, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return mysqlsource.Mapping{}, fmt.Errorf("read mapping: %w", err)
	}
	m, err := parseMapping(string(data))
	if err != nil {
		return mysqlsource.Mapping{}, fmt.Errorf("read mapping %s: %w", name, oneLine(err))
	}
	return m, nil
}

// parseMapping reports every problem at once, each by its line.
func parseMapping(text string) (m mysqlsource.Mapping, err error) {
	queries := map[string]*string{"customers": &m.Customers, "products": &m.Products, "ratings": &m.Ratings}
	seen := map[string]int{}
	var problems []error
	fail := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	var current *string
	for i, line := range strings.Split(text, "\n") {
		rest, isHeading := strings.CutPrefix(strings.TrimSpace(line), heading)
		if !isHeading {
			if current != nil {
				*current += line + "\n"
			} else if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(t, "--") {
				fail(i+1, "a query has no heading, want %q before it", heading+" ratings")
				current = new("")
			}
			continue
		}
		name := strings.TrimSpace(rest)
		query, known := queries[name]
		if !known {
			fail(i+1, "there is no data set %q, want customers, products or ratings", name)
			query = new("")
		} else if before, twice := seen[name]; twice {
			fail(i+1, "%s has a query already, on line %d", name, before)
			query = new("")
		} else {
			seen[name] = i + 1
		}
		current = query
	}
	if len(seen) == 0 && len(problems) == 0 {
		fail(1, "there is no heading, want %q, %q and %q, each before its query", heading+" customers", heading+" products",
			heading+" ratings")
	}
	for _, name := range []string{"customers", "products", "ratings"} {
		if line, there := seen[name]; there {
			query, problem := oneQuery(*queries[name])
			if *queries[name] = query; problem != "" {
				fail(line, "the query of %s %s", name, problem)
			}
		}
	}
	return m, errors.Join(problems...)
}

// oneQuery cuts the semicolon at the end and says what keeps the rest from being one query.
func oneQuery(sql string) (query, problem string) {
	plain := blank(sql)
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

// blank replaces what is quoted or a comment by spaces, so that only SQL's own signs are left, at
// their places.
func blank(sql string) string {
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
			for j := i; j < min(end+1, len(out)); j++ {
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
