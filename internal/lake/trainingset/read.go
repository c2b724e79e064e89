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
	"kindred/internal/shop"
)

// Read loads the training set of m whole, checking every file against the manifest. It needs
// scratchDir (empty: the system's) for one downloaded file at a time, in a folder of its own.
// commit.ErrCorrupt when a file is damaged, ErrSchema when its columns are not ours. A file that
// another program wrote may hold what is no text: the error names file, row (from 1) and column.
func Read(ctx context.Context, repo *commit.Repository, m commit.Manifest, scratchDir string) (set *Set, err error) {
	if m.Kind != Kind || m.SchemaFingerprint != Fingerprint() {
		return nil, fmt.Errorf("read run %s of kind %s: %w", m.Run, m.Kind, ErrSchema)
	}
	dir, err := os.MkdirTemp(scratchDir, "kindred-training-set-*")
	if err != nil {
		return nil, fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := reader{ctx: ctx, repo: repo, manifest: m, dir: dir}
	set = &Set{Run: m.Run, ContentHash: m.ContentHash,
		Customers: make([]shop.Customer, 0, m.Rows(Customers)), Products: make([]shop.Product, 0, m.Rows(Products)),
		Interactions: make([]Interaction, 0, m.Rows(Ratings))}
	err = readRows(r, Customers, func(row customerRow) error {
		c := fromCustomerRow(row)
		set.Customers = append(set.Customers, c)
		return checkCustomer(c)
	})
	if err != nil {
		return nil, err
	}
	err = readRows(r, Products, func(row productRow) error {
		p := fromProductRow(row)
		set.Products = append(set.Products, p)
		return checkProduct(p)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(set.Customers, func(a, b shop.Customer) int { return int(int64(a.Number) - int64(b.Number)) })
	slices.SortFunc(set.Products, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) })
	return set, set.readInteractions(r)
}

func (s *Set) readInteractions(r reader) error {
	customers := make(map[int32]int32, len(s.Customers))
	for i, c := range s.Customers {
		customers[c.Number] = int32(i)
	}
	products := make(map[string]int32, len(s.Products))
	for i, p := range s.Products {
		products[p.Code] = int32(i)
	}
	return readRows(r, Ratings, func(row interactionRow) error {
		customer, known := customers[row.CustomerNumber]
		product, knownToo := products[row.ProductCode]
		if !known || !knownToo { // no product has a code that is no text
			if err := checkTexts(column{"productCode", &row.ProductCode}); err != nil {
				return err
			}
			return fmt.Errorf("%w: customer %d, product %s", ErrOrphan, row.CustomerNumber, row.ProductCode)
		}
		i := Interaction{Customer: customer, Product: product, Stars: row.ProductRating}
		if row.RatedAt != nil {
			i.RatedAt = time.UnixMilli(*row.RatedAt).Unix()
		}
		s.Interactions = append(s.Interactions, i)
		return nil
	})
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
