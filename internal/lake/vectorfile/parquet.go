package vectorfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// readParquet reads a column id (integers or text) and a column of lists of numbers, as Spark's
// MLlib and pandas write them. The library panics on some damaged files.
func (c *collector) readParquet(name string) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%s is damaged: it cannot be decoded: %w", name, ErrVectors)
		}
	}()
	file, err := os.Open(c.local(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	whole, err := parquet.OpenFile(file, info.Size())
	if err != nil {
		return fmt.Errorf("%s is no Parquet file: %w: %w", name, err, ErrVectors)
	}
	found, err := findLeaves(name, whole.Schema())
	if err != nil {
		return err
	}
	row := 0
	for _, group := range whole.RowGroups() {
		if err := c.readGroup(name, group, found, &row); err != nil {
			return err
		}
	}
	if want := whole.NumRows(); int64(row) != want {
		return fmt.Errorf("%s is damaged: it says that it has %d rows, and it has %d: %w", name, want, row, ErrVectors)
	}
	return nil
}

// leaves are the leaf columns of the id and of the vector's components.
type leaves struct {
	id, vector int
	unsigned   bool // the id
}

// findLeaves goes by the columns' names, or takes the only column of its kind.
func findLeaves(name string, schema *parquet.Schema) (found leaves, err error) {
	var ids, vectors, namedIDs, namedVectors []int
	unsigned := map[int]bool{}
	for i, path := range schema.Columns() {
		leaf, ok := schema.Lookup(path...)
		if !ok {
			continue
		}
		kind := leaf.Node.Type().Kind()
		switch id, sign := isIDType(leaf.Node.Type()); {
		case len(path) == 1 && leaf.MaxRepetitionLevel == 0 && id:
			ids, unsigned[i] = append(ids, i), sign
			if isID(path[0]) {
				namedIDs = append(namedIDs, i)
			}
		case leaf.MaxRepetitionLevel == 1 && (kind == parquet.Float || kind == parquet.Double):
			vectors = append(vectors, i)
			if isVector(path[0]) {
				namedVectors = append(namedVectors, i)
			}
		}
	}
	if len(namedIDs) == 0 {
		namedIDs = ids
	}
	if len(namedVectors) == 0 {
		namedVectors = vectors
	}
	if len(namedIDs) != 1 || len(namedVectors) != 1 {
		return found, fmt.Errorf("%s has %d columns that may be the id (integers or text) and %d that may be the vector (a "+
			"list of floats), want one each; name them id and embedding: %w", name, len(namedIDs), len(namedVectors), ErrVectors)
	}
	return leaves{namedIDs[0], namedVectors[0], unsigned[namedIDs[0]]}, nil
}

// isIDType says whether a column holds integers or text, and whether integers have no sign.
func isIDType(t parquet.Type) (id, unsigned bool) {
	logical := t.LogicalType()
	switch t.Kind() {
	case parquet.Int32, parquet.Int64:
		if logical == nil || logical.Value == nil {
			return true, false
		}
		integer, ok := logical.Value.(*format.IntType)
		return ok, ok && !integer.IsSigned
	case parquet.ByteArray:
		if logical == nil || logical.Value == nil {
			return true, false
		}
		_, ok := logical.Value.(*format.StringType)
		return ok, false
	}
	return false, false
}

// batchRows is how many rows are read at once.
const batchRows = 256

func (c *collector) readGroup(name string, group parquet.RowGroup, found leaves, row *int) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	batch := make([]parquet.Row, batchRows)
	var vector []float32
	for {
		n, err := rows.ReadRows(batch)
		for _, values := range batch[:n] {
			*row++
			at := place{name, "row", *row}
			id, missing := "", false
			vector = vector[:0]
			for _, v := range values {
				switch {
				case v.Column() == found.id && !v.IsNull():
					id = found.text(v)
				case v.Column() == found.vector && !v.IsNull():
					vector = append(vector, numberOf(v))
				case v.Column() == found.vector:
					missing = true
				}
			}
			if missing && len(vector) > 0 {
				return fmt.Errorf("%v: a component of the vector is missing: %w", at, ErrVectors)
			}
			if err := c.add(at, id, vector); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, row %d: it cannot be read: %w: %w", name, *row+1, err, ErrVectors)
		}
	}
}

// text is an id as text.
func (l leaves) text(v parquet.Value) string {
	switch v.Kind() {
	case parquet.Int32:
		if l.unsigned {
			return strconv.FormatUint(uint64(v.Uint32()), 10)
		}
		return strconv.Itoa(int(v.Int32()))
	case parquet.Int64:
		if l.unsigned {
			return strconv.FormatUint(v.Uint64(), 10)
		}
		return strconv.FormatInt(v.Int64(), 10)
	}
	return string(v.ByteArray())
}

func numberOf(v parquet.Value) float32 {
	if v.Kind() == parquet.Double {
		return float32(v.Double())
	}
	return v.Float()
}
