package importer

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Options say how files are read that do not say it themselves.
type Options struct {
	// Columns name columns by role: product, customer, session and so on (Roles). With one of them, or
	// with Kind, the files are read as orders or events whatever else they look like.
	Columns map[string]string
	// Kind is what every line is, such as view, where no column says so.
	Kind string
	// DayFirst reads 1/12/2010 as in December.
	DayFirst bool
}

func (o Options) given() bool { return len(o.Columns) > 0 || o.Kind != "" }

// Data is what was found: a shop of ratings (contract 1), or orders and events (contract 2).
type Data struct {
	Shop    *Shop
	History *History
}

// role is a file that a set of files has.
type role struct {
	name string
	// columns it must have; "a|b" is one of both
	columns  []string
	optional bool
	many     bool // several files may have this role
}

// layout is a set of files that is recognised by the columns of their headers.
type layout struct {
	kind  string
	name  string // for people
	roles []role
	pick  func(*sheet) string // gives a file its role; nil: by the roles' columns
	read  func(*gathering, map[string][]*sheet) error
}

// layouts in the order in which they are looked for.
func layouts() []layout {
	return []layout{retail(), retailRocket(), instacart(), olist(), amazon(), shopify()}
}

// Open finds out what a file or a folder holds. ErrUnknownFolder lists what was looked for and what
// was there.
func Open(path string, o Options) (Data, error) {
	for name := range o.Columns {
		if !slices.Contains(Roles(), name) {
			return Data{}, fmt.Errorf("%w: --column %s=…: there is no such role, want one of %s", ErrUnknownFolder, name,
				strings.Join(Roles(), ", "))
		}
	}
	paths, err := files(path)
	if err != nil {
		return Data{}, err
	}
	if !o.given() && isShop(path) {
		shop, err := Read(path)
		return Data{Shop: shop}, err
	}
	sheets, others := probeAll(paths)
	if err := o.checkColumns(sheets); err != nil {
		return Data{}, fmt.Errorf("%w in %s", err, path)
	}
	all := layouts()
	if o.given() {
		all = nil
	}
	for _, l := range append(all, anyFile(o)) {
		taken, unused, ok := l.match(sheets)
		if !ok {
			continue
		}
		h := &History{Kind: l.kind, Format: l.name, Unused: append(unused, slices.Sorted(maps.Keys(others))...),
			gather: newGathering(o)}
		var used []*sheet
		for _, s := range sheets {
			if !slices.Contains(unused, s.name) {
				used = append(used, s)
			}
		}
		if h.ContentHash, err = contentHash(l.kind, o, used); err != nil {
			return Data{}, fmt.Errorf("import %s: %w", path, err)
		}
		h.read = func(g *gathering) error {
			if err := l.read(g, taken); err != nil && !errors.Is(err, errStopped) {
				return fmt.Errorf("import %s: %w", path, err)
			} else if err != nil {
				return err
			}
			return nil
		}
		return Data{History: h}, nil
	}
	return Data{}, unknown(path, sheets, others, o)
}

// probeAll looks at files. others are those that are not read, with the reason.
func probeAll(paths []string) (sheets []*sheet, others map[string]string) {
	others = map[string]string{}
	for _, path := range paths {
		s, why := probe(path)
		if s == nil {
			others[filepath.Base(path)] = why
			continue
		}
		sheets = append(sheets, s)
	}
	return sheets, others
}

// match gives each role its files. Files without a role are unused.
func (l layout) match(sheets []*sheet) (taken map[string][]*sheet, unused []string, ok bool) {
	taken = map[string][]*sheet{}
	for _, s := range sheets {
		name := l.roleOf(s, taken)
		if name == "" {
			unused = append(unused, s.name)
			continue
		}
		taken[name] = append(taken[name], s)
	}
	return taken, unused, !slices.ContainsFunc(l.roles, func(r role) bool {
		return !r.optional && len(taken[r.name]) == 0
	})
}

// roleOf is the first role that a file can have; "" for none.
func (l layout) roleOf(s *sheet, taken map[string][]*sheet) string {
	if l.pick != nil {
		return l.pick(s)
	}
	for _, r := range l.roles {
		if r.fits(s) && (r.many || len(taken[r.name]) == 0) {
			return r.name
		}
	}
	return ""
}

func (r role) fits(s *sheet) bool {
	return !slices.ContainsFunc(r.columns, func(names string) bool { return s.find(names) < 0 })
}

// String lists the role's columns.
func (r role) String() string { return "(" + strings.Join(r.columns, ", ") + ")" }

// listedColumns bounds how many columns of a file an error names.
const listedColumns = 20

// unknown says what was there and what was looked for.
func unknown(path string, sheets []*sheet, others map[string]string, o Options) error {
	var there []string
	for _, s := range sheets {
		names := s.columns
		more := ""
		if len(names) > listedColumns {
			names, more = names[:listedColumns], ", …"
		}
		there = append(there, fmt.Sprintf("%s has the columns %s%s", s.name, strings.Join(names, ", "), more))
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		there = append(there, name+" "+others[name])
	}
	if len(there) == 0 {
		there = []string{"there is no file"}
	}
	var wanted []string
	for _, f := range formats() {
		wanted = append(wanted, strings.Join(f.files, " + ")+" ("+f.name+")")
	}
	for _, l := range layouts() {
		for _, r := range l.roles {
			if !r.optional {
				wanted = append(wanted, fmt.Sprintf("%s: %s %v", l.name, r.name, r))
			}
		}
	}
	if o.given() {
		wanted = nil
	}
	wanted = append(wanted, "a file with a product and a customer, session or order: name its columns, such as "+
		"--column product=sku --column customer=client")
	return fmt.Errorf("%w in %s: %s; looked for %s", ErrUnknownFolder, path, strings.Join(there, "; "),
		strings.Join(wanted, "; "))
}

// isShop reports whether a folder holds a set of files that is known by its names.
func isShop(path string) bool {
	return slices.ContainsFunc(formats(), func(f format) bool { return holds(path, f.files) })
}

// western notes files of which lines were read as Windows-1252.
func (g *gathering) western(s *sheet, converted int) {
	if converted > 0 {
		g.note("%s is not in UTF-8 everywhere. Lines that were read as Windows-1252: %d.", s.name, converted)
	}
}

// datesOf finds out how a file writes dates in a column.
func (g *gathering) datesOf(s *sheet, column int, western bool) (dates, error) {
	if g.options.DayFirst {
		return dates{dayFirst: true}, nil
	}
	if column < 0 {
		return dates{}, nil
	}
	d, why, err := s.order(column, western)
	if why != "" {
		g.note("%s", why)
	}
	return d, err
}
