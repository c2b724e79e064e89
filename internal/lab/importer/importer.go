// Package importer reads published data, and files of orders and events, into the shop's rows. It
// owns the file formats and how their columns map to ours; it does not store anything. MovieLens and
// CSV files with the columns of kindred's ratings become a shop of contract 1 (Read), all else one of
// contract 2 (History).
//
// What MovieLens files lack stays plainly empty: no prices (0.00), no countries and cities, one
// piece in stock so that every film can be recommended. A film's line is its first genre, its scale
// the decade it came out, its vendor "MovieLens". Half stars are rounded up: 0.5 and 1 give 1, 4.5
// and 5 give 5.
package importer

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// Kinds of data.
const (
	KindMovieLens = "movielens"
	KindCSV       = "csv"
)

// Shop is what was imported. Customers are sorted by id, products by code, ratings by both.
type Shop struct {
	Kind       string
	Format     string // which set of files it was, for people
	Customers  []shop.Customer
	Products   []shop.Product
	Ratings    []shop.Rating
	Duplicates int // ratings dropped because a later one of the same customer and product replaced them
	Orphans    int // ratings dropped because their customer or product is not in the files
}

// format is a set of files that is recognised by their names.
type format struct {
	name  string
	files []string // all of them must be there
	read  func(folder string, into *Shop) error
}

// formats in the order in which they are looked for.
func formats() []format {
	return []format{
		{"MovieLens 100K", []string{"u.data", "u.item"}, read100K},
		{"MovieLens (ml-latest, ml-20m, …)", []string{"ratings.csv", "movies.csv"}, readLatest},
		{"MovieLens 1M or 10M", []string{"ratings.dat", "movies.dat"}, readColons},
		{"CSV", []string{"customers.csv", "products.csv", "ratings.csv"}, readCSV},
	}
}

// Read imports the folder, whichever of the known sets of files it holds. ErrUnknownFolder lists
// what was looked for.
func Read(folder string) (*Shop, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return nil, fmt.Errorf("%w: %s cannot be read", ErrUnknownFolder, folder)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: %s is a file, want the folder that holds the unpacked files", ErrUnknownFolder, folder)
	}
	var wanted []string
	for _, f := range formats() {
		if !holds(folder, f.files) {
			wanted = append(wanted, strings.Join(f.files, " + ")+" ("+f.name+")")
			continue
		}
		s := &Shop{Format: f.name}
		if err := f.read(folder, s); err != nil {
			return nil, fmt.Errorf("import %s: %w", folder, err)
		}
		if err := s.finish(); err != nil {
			return nil, fmt.Errorf("import %s: %w", folder, err)
		}
		return s, nil
	}
	return nil, fmt.Errorf("%w in %s: looked for %s", ErrUnknownFolder, folder, strings.Join(wanted, "; or "))
}

func holds(folder string, files []string) bool {
	return !slices.ContainsFunc(files, func(name string) bool {
		for _, name := range []string{name, name + packed} {
			if info, err := os.Stat(filepath.Join(folder, name)); err == nil && !info.IsDir() {
				return false
			}
		}
		return true
	})
}

// finish sorts, drops orphans and duplicates, and refuses a shop without ratings.
func (s *Shop) finish() error {
	slices.SortFunc(s.Customers, func(a, b shop.Customer) int { return text.CompareIDs(a.ID, b.ID) })
	slices.SortFunc(s.Products, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) })
	customers := map[string]bool{}
	for _, c := range s.Customers {
		customers[c.ID] = true
	}
	products := map[string]bool{}
	for _, p := range s.Products {
		products[p.Code] = true
	}
	read := len(s.Ratings)
	s.Ratings = slices.DeleteFunc(s.Ratings,
		func(r shop.Rating) bool { return !customers[r.CustomerID] || !products[r.ProductCode] })
	s.Orphans = read - len(s.Ratings)
	if len(s.Ratings) == 0 {
		return fmt.Errorf("%w: of %d customers, %d products and %d ratings not one rating has its customer and product",
			ErrNothing, len(s.Customers), len(s.Products), read)
	}
	s.dropDuplicates()
	return nil
}

// dropDuplicates keeps the latest rating of each pair; of equal or missing times the one that came
// last in the file.
func (s *Shop) dropDuplicates() {
	slices.SortStableFunc(s.Ratings, func(a, b shop.Rating) int {
		return cmp.Or(text.CompareIDs(a.CustomerID, b.CustomerID), strings.Compare(a.ProductCode, b.ProductCode),
			compareTimes(a, b))
	})
	kept := s.Ratings[:0]
	for i, r := range s.Ratings {
		if i+1 < len(s.Ratings) && s.Ratings[i+1].CustomerID == r.CustomerID &&
			s.Ratings[i+1].ProductCode == r.ProductCode {
			continue
		}
		kept = append(kept, r)
	}
	s.Duplicates = len(s.Ratings) - len(kept)
	s.Ratings = kept
}

// compareTimes orders a missing time before all others.
func compareTimes(a, b shop.Rating) int {
	switch {
	case a.RatedAt == nil && b.RatedAt == nil:
		return 0
	case a.RatedAt == nil:
		return -1
	case b.RatedAt == nil:
		return 1
	}
	return a.RatedAt.Compare(*b.RatedAt)
}

// codes shares one string per product, or per customer, among all its ratings.
type codes map[string]string

func (s *Shop) codes() codes {
	c := codes{}
	for _, p := range s.Products {
		c[p.Code] = p.Code
	}
	return c
}

// share keeps the first string of each id.
func (c codes) share(id string) string {
	if _, ok := c[id]; !ok {
		c[strings.Clone(id)] = strings.Clone(id)
	}
	return c[id]
}

// of returns the product's own string, or a copy of a code that no product has: the reader's memory
// is used again.
func (c codes) of(code string) string {
	if own, ok := c[code]; ok {
		return own
	}
	return strings.Clone(code)
}

// truncate shortens to n characters, not bytes.
func truncate(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n])
	}
	return s
}
