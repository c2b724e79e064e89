// Package vectorfile reads the vectors that another system has learned: an id and numbers for each
// product or customer, as CSV, Parquet or NumPy files. It owns these forms and what is wrong with a
// file. It does not know what the vectors mean.
package vectorfile

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kindred/internal/platform/text"
)

// ErrVectors says that a file does not hold vectors that can be used. The error's text says where and
// why, in a sentence. It contains no id: that might be a customer's.
var ErrVectors = errors.New("the vectors cannot be used")

// mostComponents is the largest number of components of a vector: that of pgvector's indexes.
const mostComponents = 2000

// Vectors are those of one file, or of the parts of one folder.
type Vectors struct {
	Dim    int
	IDs    []string // distinct, valid as ids of kindred
	Values []float32
	places []place // of each id
}

// place is where a vector stands.
type place struct {
	file string
	unit string // line or row
	at   int    // from 1
}

func (p place) String() string { return fmt.Sprintf("%s, %s %d", p.file, p.unit, p.at) }

// Vector is the i-th vector. The caller must not change it.
func (v *Vectors) Vector(i int) []float32 { return v.Values[i*v.Dim : (i+1)*v.Dim] }

// Hash is of the ids and their vectors. It depends neither on the form of the file nor on the order
// of its rows.
func (v *Vectors) Hash() string {
	order := make([]int, len(v.IDs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(v.IDs[a], v.IDs[b]) })
	sum := sha256.New()
	var row []byte
	for _, i := range order {
		row = append(binary.AppendUvarint(row[:0], uint64(len(v.IDs[i]))), v.IDs[i]...)
		for _, x := range v.Vector(i) {
			row = binary.LittleEndian.AppendUint32(row, math.Float32bits(x))
		}
		_, _ = sum.Write(row) // to a hash never fails
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// forms are the forms that Read understands, for messages.
const forms = "want .csv, .parquet, .npy or .npz, or a folder of Parquet or CSV parts"

// Read reads a file, or all Parquet or CSV parts of a folder. A NumPy file .npy has no ids: they are
// the lines of the file ids, one for each row. ids is empty for all other forms. Every vector has as
// many components as the first one, all of them finite; no id is there twice. Errors: ErrVectors and
// those of reading files.
func Read(name, ids string) (*Vectors, error) {
	parts, err := partsOf(name)
	if err != nil {
		return nil, err
	}
	return read(name, parts, ids, nil)
}

// read reads the parts of name. copies are local files by the names of parts and ids that are elsewhere.
func read(name string, parts []string, ids string, copies map[string]string) (_ *Vectors, err error) {
	c := &collector{seen: map[string]int{}, copies: copies}
	for _, part := range parts {
		extension := strings.ToLower(filepath.Ext(part))
		if ids != "" && extension != ".npy" {
			return nil, fmt.Errorf("%s has ids of its own, so it takes no file of ids: %w", part, ErrVectors)
		}
		switch extension {
		case ".csv":
			err = c.readCSV(part)
		case ".parquet":
			err = c.readParquet(part)
		case ".npy":
			err = c.readNPY(part, ids)
		case ".npz":
			err = c.readNPZ(part)
		default:
			err = fmt.Errorf("%s is in no form that holds vectors here; %s: %w", part, forms, ErrVectors)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(c.IDs) == 0 {
		return nil, fmt.Errorf("%s holds no vector: %w", name, ErrVectors)
	}
	return &c.Vectors, nil
}

// partsOf lists the files of a folder that hold vectors; a file is its own only part.
func partsOf(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		files = append(files, filepath.Join(name, e.Name()))
	}
	if parts := partsAmong(files); len(parts) > 0 {
		return parts, nil
	}
	return nil, fmt.Errorf("the folder %s has no file that ends in .parquet or .csv: %w", name, ErrVectors)
}

// partsAmong is the Parquet files of a folder or, where there are none, its CSV files, in order.
func partsAmong(files []string) (parts []string) {
	for _, extension := range []string{".parquet", ".csv"} {
		for _, file := range files {
			if strings.HasSuffix(file, extension) {
				parts = append(parts, file)
			}
		}
		if slices.Sort(parts); len(parts) > 0 {
			break
		}
	}
	return parts
}

// collector checks vectors as they come.
type collector struct {
	Vectors
	seen   map[string]int    // row by id
	copies map[string]string // local files by the names of others
}

// local is where a file is read.
func (c *collector) local(name string) string { return cmp.Or(c.copies[name], name) }

// add takes a vector in. at is where it stands.
func (c *collector) add(at place, id string, vector []float32) error {
	if c.Dim == 0 {
		if len(vector) < 2 || len(vector) > mostComponents {
			return fmt.Errorf("%v: the vector has %d components, want 2 to %d: %w", at, len(vector), mostComponents, ErrVectors)
		}
		c.Dim = len(vector)
	}
	if len(vector) != c.Dim {
		return fmt.Errorf("%v: the vector has %d components, and the one before it %d: %w", at, len(vector),
			c.Dim, ErrVectors)
	}
	for i, x := range vector {
		if x-x != 0 { // NaN, or infinite
			return fmt.Errorf("%v: component %d of the vector is %g, which is not finite: %w", at, i+1, x, ErrVectors)
		}
	}
	if err := text.CheckID(id); err != nil {
		return fmt.Errorf("%v: the id %w: %w", at, err, ErrVectors)
	}
	if first, twice := c.seen[id]; twice {
		return fmt.Errorf("%v: the id is there already, in %v: %w", at, c.places[first], ErrVectors)
	}
	c.seen[id] = len(c.IDs)
	c.IDs, c.Values, c.places = append(c.IDs, id), append(c.Values, vector...), append(c.places, at)
	return nil
}

// isVector says whether a column's name is one that other systems give to vectors.
func isVector(column string) bool {
	switch strings.ToLower(strings.TrimSpace(column)) {
	case "embedding", "embeddings", "vector", "vectors", "features", "factors":
		return true
	}
	return false
}

// isID says whether a column's name is one that other systems give to ids.
func isID(column string) bool {
	name := strings.ToLower(strings.TrimSpace(column))
	switch name {
	case "id", "item", "user", "product", "customer", "product_code", "customer_number", "sku", "asin":
		return true
	}
	return strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "id") && len(name) > 2
}
