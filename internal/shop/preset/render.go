package preset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"kindred/internal/shop/mapping"
)

// Everything is the value of a store that stands for all stores.
const Everything = "all"

// Value is what a variable has, and where it comes from.
type Value struct {
	Name    string   `json:"name"`
	Help    string   `json:"help"`
	Value   string   `json:"value"`
	From    string   `json:"from"`              // "given", "found in the shop" or "default"
	Choices []Option `json:"choices,omitempty"` // what the shop has; none: anything

	standard string // the default, where the value is Everything
}

// Option is a value to choose, with its name in the shop.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label,omitempty"`
}

// Mapping is the SQL of a preset for one shop, ready to be read or edited.
type Mapping struct {
	Found  Found   `json:"found"`
	Values []Value `json:"values"`
	// SQL is a mapping file: a comment, then queries, each under its heading. The queries hold no
	// variables any more.
	SQL string `json:"sql"`
	// Queries is the same by data set: products, customers, interactions.
	Queries map[string]string `json:"-"`

	leftOut string // a query of what the mapping does not read, and how much it is; "": not known
}

// Map writes the mapping of a shop. given are variables by name, such as store; those without a value
// are looked up in the shop. ErrVariable when a given one does not exist there.
func Map(ctx context.Context, db *sql.DB, found Found, given map[string]string) (Mapping, error) {
	p := &page{ctx: ctx, db: db, found: found, values: map[string]Value{}}
	var known []string
	for _, v := range found.system.variables {
		if !v.hidden {
			known = append(known, v.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			return Mapping{}, fmt.Errorf("%w: %s has no variable %q, want %s", ErrVariable, found.Title, name,
				strings.Join(known, ", "))
		}
	}
	queries, err := variableQueries(found.system.folder())
	if err != nil {
		return Mapping{}, err
	}
	m := Mapping{Found: found}
	for _, v := range found.system.variables {
		value, err := p.resolve(v, queries, given[v.name])
		if err != nil {
			return Mapping{}, err
		}
		p.values[v.name] = value
		if !v.hidden {
			m.Values = append(m.Values, value)
		}
	}
	var texts []string
	for _, folder := range slices.Compact([]string{found.system.folder(), found.System}) {
		text, err := files.ReadFile(folder + "/preset.sql")
		if err != nil {
			return Mapping{}, fmt.Errorf("read preset %s: %w", found.System, err)
		}
		texts = append(texts, string(text))
	}
	body, err := p.render(found.System, texts...)
	if err != nil {
		return Mapping{}, err
	}
	m.SQL = m.heading() + body + "\n"
	if query := queries["left out"]; query != "" {
		if m.leftOut, err = p.render("left out", append(texts, query)...); err != nil { // it uses the preset's parts
			return Mapping{}, err
		}
	}
	parsed, err := mapping.Parse(m.SQL)
	if err != nil {
		return Mapping{}, fmt.Errorf("read the mapping of preset %s: %w", found.System, err)
	}
	m.Queries = map[string]string{mapping.Products: parsed.Products, mapping.Interactions: parsed.Interactions}
	if parsed.Customers != "" {
		m.Queries[mapping.Customers] = parsed.Customers
	}
	return m, nil
}

// heading says what the mapping was made for.
func (m Mapping) heading() string {
	var b strings.Builder
	fmt.Fprintf(&b, "-- %v, by kindred's preset %s.\n", m.Found, m.Found.System)
	for _, v := range m.Values {
		fmt.Fprintf(&b, "-- %s = %s (%s): %s.\n", v.Name, v.Value, v.From, v.Help)
	}
	return b.String()
}

// variableQueries gives the templates that find a variable's default and choices, such as
// "default store", and the one of what is left out. A system may have none.
func variableQueries(folder string) (map[string]string, error) {
	text, err := files.ReadFile(folder + "/variables.sql")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read variables of preset %s: %w", folder, err)
	}
	queries := map[string]string{}
	_, sections := mapping.Sections(string(text), "-- look up:")
	for _, s := range sections {
		queries[s.Name] = strings.TrimSuffix(strings.TrimSpace(s.Text), ";")
	}
	return queries, nil
}

// resolve finds the value of a variable: given, else found in the shop, else the fallback.
func (p *page) resolve(v variable, queries map[string]string, given string) (Value, error) {
	value := Value{Name: v.name, Help: v.help, Value: v.fallback, From: "default"}
	fail := func(format string, args ...any) (Value, error) {
		return Value{}, fmt.Errorf("%w: %s %q %s", ErrVariable, v.name, given, fmt.Sprintf(format, args...))
	}
	rows, err := p.ask(v.name, queries["default "+v.name])
	if err != nil {
		return Value{}, err
	}
	if len(rows) > 0 && rows[0].Value != "" {
		value.Value, value.From = rows[0].Value, "found in the shop"
	}
	if value.Choices, err = p.ask(v.name, queries["choices "+v.name]); err != nil {
		return Value{}, err
	}
	value.standard = value.Value
	if given != "" {
		value.Value, value.From = v.chosen(given, value.Choices), "given"
	}
	if value.Value == "" || v.all && value.Value == Everything {
		return value, nil
	}
	for _, one := range v.split(value.Value) {
		if !v.kind.fits(one) {
			return fail("is not %s", v.kind)
		}
		if given == "" || queries["choices "+v.name] == "" {
			continue
		}
		if !slices.ContainsFunc(value.Choices, func(o Option) bool { return o.Value == one }) {
			return fail("is not in the shop, which has %s", choices(value.Choices))
		}
	}
	return value, nil
}

// chosen takes a choice by its name in the shop too, and an id in any of its spellings.
func (v variable) chosen(given string, all []Option) string {
	for _, o := range all {
		if o.Label != "" && strings.EqualFold(o.Label, given) {
			return o.Value
		}
	}
	if v.kind == hex {
		return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(given, "-", ""), "0x"))
	}
	return given
}

// split gives the values of a list.
func (v variable) split(text string) []string {
	if !v.list {
		return []string{text}
	}
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}

func choices(all []Option) string {
	if len(all) == 0 {
		return "none to choose"
	}
	var names []string
	for _, o := range all {
		if o.Label == "" || o.Label == o.Value {
			names = append(names, o.Value)
		} else {
			names = append(names, fmt.Sprintf("%s (%s)", o.Value, o.Label))
		}
	}
	return strings.Join(names, ", ")
}

var shapes = map[kind]*regexp.Regexp{
	number: regexp.MustCompile(`^[0-9]{1,18}$`),
	word:   regexp.MustCompile(`^[\p{L}\p{N}_. -]{1,64}$`),
	hex:    regexp.MustCompile(`^[0-9a-f]{32}$`),
}

func (k kind) fits(value string) bool { return shapes[k].MatchString(value) }

// literal is a value as SQL.
func (k kind) literal(value string) string {
	switch {
	case value == "":
		return "NULL"
	case k == number:
		return value
	case k == hex:
		return "0x" + value
	}
	return "'" + value + "'" // the shape has no quote
}

// page renders the templates of one shop.
type page struct {
	ctx    context.Context
	db     *sql.DB
	found  Found
	values map[string]Value
}

// ask runs a query that finds a default or lists choices. A template may render to nothing.
func (p *page) ask(name, text string) ([]Option, error) {
	query, err := p.render(name, text)
	if err != nil || query == "" {
		return nil, err
	}
	rows, err := p.db.QueryContext(p.ctx, query)
	if err != nil {
		return nil, fmt.Errorf("look up %s of %s: %w", name, p.found.Title, err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("look up %s of %s: %w", name, p.found.Title, err)
	}
	var all []Option
	for rows.Next() {
		var value, label sql.NullString
		into := []any{&value, &label}[:min(2, len(names))]
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("look up %s of %s: %w", name, p.found.Title, err)
		}
		if value.Valid {
			all = append(all, Option{Value: value.String, Label: label.String})
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look up %s of %s: %w", name, p.found.Title, err)
	}
	return all, nil
}

// render writes a template. Further texts define parts of it anew.
func (p *page) render(name string, texts ...string) (string, error) {
	t := template.New(name).Funcs(p.functions())
	for _, text := range texts {
		if _, err := t.Parse(text); err != nil {
			return "", fmt.Errorf("parse the template of %s: %w", name, err)
		}
	}
	var b strings.Builder
	if err := t.Execute(&b, nil); err != nil {
		return "", fmt.Errorf("write the query of %s: %w", name, errors.Unwrap(err))
	}
	return strings.TrimSpace(b.String()), nil
}

func (p *page) has(stem string, columns ...string) bool {
	return p.found.schema.has(p.found.Prefix, table{p.found.system.table(stem), columns})
}

// value gives a variable that the system has.
func (p *page) value(name string) (variable, Value, error) {
	i := slices.IndexFunc(p.found.system.variables, func(v variable) bool { return v.name == name })
	value, ok := p.values[name]
	if i < 0 || !ok {
		return variable{}, Value{}, fmt.Errorf("%w: %q is not known here", ErrVariable, name)
	}
	return p.found.system.variables[i], value, nil
}

// htmlEntities are what PHP's htmlspecialchars makes, with the SQL literal that each stands for.
var htmlEntities = [][2]string{{"&quot;", `"`}, {"&#039;", "''"}, {"&#39;", "''"}, {"&lt;", "<"}, {"&gt;", ">"},
	{"&amp;", "&"}}

// functions is what a preset's SQL may ask.
func (p *page) functions() template.FuncMap {
	return template.FuncMap{
		// a table's quoted name
		"t": func(stem string) (string, error) {
			stem = p.found.system.table(stem)
			name, ok := p.found.schema.name(p.found.Prefix, stem)
			if !ok {
				return "", fmt.Errorf("%w: table %s%s is not there", ErrUnknownShop, p.found.Prefix, stem)
			}
			return quote(name), nil
		},
		// whether a table has these columns and the user may read them
		"has": p.has,
		// whether it has a row besides
		"filled": func(stem string, columns ...string) (bool, error) {
			if !p.has(stem, columns...) {
				return false, nil
			}
			name, _ := p.found.schema.name(p.found.Prefix, p.found.system.table(stem))
			column := "1"
			if len(columns) > 0 {
				column = quote(columns[0]) // a user with column grants may not count rows
			}
			rows, err := p.ask(stem, "SELECT COUNT(*) FROM (SELECT "+column+" FROM "+quote(name)+" LIMIT 1) one")
			return len(rows) == 1 && rows[0].Value == "1", err
		},
		// a variable as SQL
		"v": func(name string) (string, error) {
			v, value, err := p.value(name)
			return v.kind.literal(value.Value), err
		},
		// likewise, the default where the value is Everything, 0 where that is so too
		"view": func(name string) (string, error) {
			v, value, err := p.value(name)
			if value.Value == Everything {
				value.Value = value.standard
			}
			if value.Value == Everything {
				value.Value = "0"
			}
			return v.kind.literal(value.Value), err
		},
		// a variable as it is
		"get": func(name string) (string, error) {
			_, value, err := p.value(name)
			return value.Value, err
		},
		// the members of a list as SQL
		"in": func(name string) (string, error) {
			v, value, err := p.value(name)
			var all []string
			for _, one := range v.split(value.Value) {
				all = append(all, v.kind.literal(one))
			}
			if len(all) == 0 {
				all = []string{"NULL"}
			}
			return strings.Join(all, ", "), err
		},
		// a text that the system stores as HTML
		"plain": func(expr string) string {
			for _, entity := range htmlEntities {
				expr = "REPLACE(" + expr + ", '" + entity[0] + "', '" + entity[1] + "')"
			}
			return expr
		},
		// text can be compared with a column of any other collation: a shop's tables may have several
		"text":     func(expr string) string { return "CONVERT(" + expr + " USING utf8mb4) COLLATE utf8mb4_unicode_ci" },
		"jsonone":  func(expr string) string { return "CAST(JSON_ARRAY(" + expr + ") AS CHAR)" },
		"jsonlist": p.found.schema.jsonList,
		"pair":     func(a, b string) []string { return []string{a, b} },
		// Magento's numbers of the entity types, where the table of them is not readable
		"entities": func() map[string]int {
			return map[string]int{"customer": 1, "customer_address": 2, "catalog_category": 3, "catalog_product": 4}
		},
	}
}

// jsonList aggregates texts to a JSON array: as far as the server can, sorted. MySQL cuts GROUP_CONCAT
// at 1,024 bytes, MariaDB has no JSON_ARRAYAGG before 10.5.
func (s schema) jsonList(expr string) string {
	if s.mysql && !s.older(5, 7, 22) {
		return "CAST(JSON_ARRAYAGG(" + expr + ") AS CHAR)"
	}
	return fmt.Sprintf("CONCAT('[', GROUP_CONCAT(JSON_QUOTE(CONVERT(%[1]s USING utf8mb4)) ORDER BY %[1]s SEPARATOR ','), "+
		"']')", expr)
}
