package trainingset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// Read loads the training set of m whole, checking every file against the manifest. It needs
// scratchDir (empty: the system's) for one downloaded file at a time, in a folder of its own.
// commit.ErrCorrupt when a file is damaged, ErrSchema when its columns are not ours. A file that
// another program wrote may hold what is no text: the error names file, row (from 1) and column.
func Read(ctx context.Context, repo *commit.Repository, m commit.Manifest, scratchDir string) (set *Set, err error) {
	keys, err := KeysOf(m.SchemaFingerprint)
	if m.Kind != Kind || err != nil {
		return nil, fmt.Errorf("read run %s of kind %s: %w", m.Run, m.Kind, ErrSchema)
	}
	dir, err := os.MkdirTemp(scratchDir, "kindred-training-set-*")
	if err != nil {
		return nil, fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := reader{ctx: ctx, repo: repo, manifest: m, dir: dir}
	set = &Set{Run: m.Run, ContentHash: m.ContentHash, Keys: keys,
		Customers: make([]shop.Customer, 0, m.Rows(Customers)), Products: make([]shop.Product, 0, m.Rows(Products)),
		Interactions: make([]Interaction, 0, m.Rows(Ratings))}
	if err := set.readDimensions(r); err != nil {
		return nil, err
	}
	slices.SortFunc(set.Customers, func(a, b shop.Customer) int { return text.CompareIDs(a.ID, b.ID) })
	slices.SortFunc(set.Products, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) })
	switch keys.Customer {
	case Int32:
		return set, readBy[int32](set, r)
	case Int64:
		return set, readBy[int64](set, r)
	}
	return set, readBy[string](set, r)
}

// readDimensions reads customers and products.
func (s *Set) readDimensions(r reader) error {
	customer := func(c shop.Customer) error {
		s.Customers = append(s.Customers, c)
		return checkCustomer(&c)
	}
	product := func(p shop.Product) error {
		s.Products = append(s.Products, p)
		return checkProduct(&p)
	}
	var err error
	switch s.Keys.Customer {
	case Int32:
		err = readRows(r, Customers, func(row customerRow[int32]) error { return customer(fromCustomerRow(row)) })
	case Int64:
		err = readRows(r, Customers, func(row customerRow[int64]) error { return customer(fromCustomerRow(row)) })
	case Text:
		err = readRows(r, Customers, func(row textCustomerRow) error { return customer(fromTextCustomerRow(row)) })
	}
	if err != nil {
		return err
	}
	switch s.Keys.Product {
	case Int32:
		err = readRows(r, Products, func(row productRow[int32]) error { return product(fromProductRow(row)) })
	case Int64:
		err = readRows(r, Products, func(row productRow[int64]) error { return product(fromProductRow(row)) })
	case Text:
		err = readRows(r, Products, func(row productRow[string]) error { return product(fromProductRow(row)) })
	}
	return err
}

// readBy reads the ratings, whose customers' key is a C.
func readBy[C key](s *Set, r reader) error {
	switch s.Keys.Product {
	case Int32:
		return readInteractions[C, int32](s, r)
	case Int64:
		return readInteractions[C, int64](s, r)
	}
	return readInteractions[C, string](s, r)
}

func readInteractions[C, P key](s *Set, r reader) error {
	customers := make(map[C]int32, len(s.Customers))
	for i, c := range s.Customers {
		customers[fromID[C](c.ID)] = int32(i)
	}
	products := make(map[P]int32, len(s.Products))
	for i, p := range s.Products {
		products[fromID[P](p.Code)] = int32(i)
	}
	customer := int32(noCustomer) // of the row before: those of one customer come in a row
	var of C
	return readRows(r, Ratings, func(row interactionRow[C, P]) error {
		if customer == noCustomer || of != row.CustomerNumber {
			i, known := customers[row.CustomerNumber]
			if !known {
				return orphanOf(toID(row.CustomerNumber), toID(row.ProductCode))
			}
			customer, of = i, fromID[C](s.Customers[i].ID)
		}
		product, known := products[row.ProductCode]
		if !known {
			return orphanOf(toID(row.CustomerNumber), toID(row.ProductCode))
		}
		i := Interaction{Customer: customer, Product: product, Stars: row.ProductRating}
		if row.RatedAt != nil {
			i.RatedAt = time.UnixMilli(*row.RatedAt).Unix()
		}
		s.Interactions = append(s.Interactions, i)
		return nil
	})
}

const noCustomer = -1

// orphanOf is the error of a rating without its customer or product. Neither has an id that is no
// text.
func orphanOf(customer, product string) error {
	err := checkTexts(column{"customerNumber", &customer}, column{"productCode", &product})
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s, %s", ErrOrphan, shop.CustomerName(customer), shop.ProductName(product))
}

// reader is what reading one run needs.
type reader struct {
	ctx      context.Context
	repo     *commit.Repository
	manifest commit.Manifest
	dir      string // for the file that is being read; nobody else's
}

// readRows calls row for every row of a data set.
func readRows[T any](r reader, dataSet string, row func(T) error) error {
	for _, f := range r.manifest.Files {
		if f.DataSet != dataSet {
			continue
		}
		name := filepath.Join(r.dir, "fetched.parquet")
		if err := r.repo.Fetch(r.ctx, r.manifest, f, name); err != nil {
			return err
		}
		err := readPart(r.ctx, name, f.Rows, row)
		if err = errors.Join(err, os.Remove(name)); err != nil {
			return fmt.Errorf("read %s of run %s: %w", f.Path, r.manifest.Run, err)
		}
	}
	return nil
}

func readPart[T any](ctx context.Context, name string, want int64, row func(T) error) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rows := parquet.NewGenericReader[T](file)
	defer func() { err = errors.Join(err, rows.Close()) }()
	batch, number := make([]T, batchRows), 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := rows.Read(batch)
		for _, r := range batch[:n] {
			number++
			if err := row(r); err != nil {
				return fmt.Errorf("row %d: %w", number, err)
			}
		}
		want -= int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if want != 0 {
		return fmt.Errorf("%w: it has not the rows that the manifest lists", commit.ErrCorrupt)
	}
	return nil
}
