// Package preset knows the shop systems that shops really run: it recognises one by its tables and
// columns, and writes the mapping that presents it as kindred's products, customers and
// interactions. Each system has a folder with its SQL, a template that asks what is there, because
// versions, plugins and grants differ. This package reads a shop's catalogue of tables and a few
// settings. It does not read the shop's rows for training; package mysqlsource does.
//
// What all presets have in common:
//
//   - A product's id is what the storefront's pages and events know. Variants count as the product
//     that the storefront shows.
//   - An interaction of kind purchase is one product of one order that counts as sold. Its quantity
//     is what is left after cancellations and refunds. One of kind rating has 1 to 5 stars as value.
//   - A guest has no customer. The session is then the shop's own key of the guest ("guest-12"), else
//     the order ("order-12") or the review ("review-12").
//   - A product that cannot be bought now is listed and not available, so that its sales are not
//     orphans. Stock that the shop does not count is available.
//   - Columns with names, addresses and e-mail of persons are not read, apart from country and city.
package preset

import (
	"cmp"
	"embed"
	"errors"
	"slices"
	"strings"
)

// ErrUnknownShop says that no preset knows the tables of a database.
var ErrUnknownShop = errors.New("no known shop system")

// ErrSeveralShops says that a database holds more than one shop, and one must be named.
var ErrSeveralShops = errors.New("more than one shop in this database")

// ErrVariable says that a variable has no such name or value.
var ErrVariable = errors.New("bad variable of a preset")

//go:embed */*.sql
var files embed.FS

// System is a shop system that has a preset.
type System struct {
	Name  string // as in --preset
	Title string // as its makers write it

	key       string    // the table that follows the prefix and tells it
	fixed     bool      // its tables have no prefix
	needs     []table   // what the preset cannot do without
	either    [][]table // one of these groups besides
	without   []string  // tables that mean another system
	versions  []release // newest first
	variables []variable

	// like names a system with the same SQL, except for the tables that are renamed here and the
	// templates that this system's own preset.sql defines anew.
	like    string
	renamed map[string]string
}

// folder holds the system's SQL.
func (s System) folder() string { return cmp.Or(s.like, s.Name) }

// table is what the system calls a table of its SQL.
func (s System) table(stem string) string { return cmp.Or(s.renamed[stem], stem) }

// release is a range of versions, known by tables and columns that it has and earlier ones have not.
type release struct {
	name string
	has  []table
}

// table names a table without its prefix, and columns of it.
type table struct {
	name    string
	columns []string
}

func (t table) String() string { return t.name + " (" + strings.Join(t.columns, ", ") + ")" }

// tables parses "posts ID post_title".
func tables(all ...string) []table {
	list := make([]table, 0, len(all))
	for _, s := range all {
		words := strings.Fields(s)
		list = append(list, table{name: words[0], columns: words[1:]})
	}
	return list
}

// Names lists the systems that have a preset.
func Names() []string {
	var names []string
	for _, s := range systems() {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// kind is what a variable's value may look like.
type kind string

const (
	number kind = "a whole number"
	word   kind = "a word of letters, digits, '-', '_', '.' and spaces"
	hex    kind = "32 hexadecimal digits"
)

// variable is a choice that a preset leaves to the caller. Where the system keeps such things, its
// variables.sql has a query for the default and one for the choices.
type variable struct {
	name     string
	help     string
	kind     kind
	list     bool   // several values, separated by commas
	all      bool   // "all" is allowed
	fallback string // when the shop has no default
	hidden   bool   // not for the caller
}
