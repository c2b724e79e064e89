package parquetfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/parquetfile"
)

// row has every kind of column that the package writes.
type row struct {
	Number int32   `parquet:"number"`
	City   *string `parquet:"city,optional"`
	Limit  *int64  `parquet:"limit,optional,decimal(2:10)"`
	Code   string  `parquet:"code"`
	Stock  int16   `parquet:"stock"`
	At     *int64  `parquet:"at,optional,timestamp(millisecond:local)"`
}

// table is rows in the form that the package takes them.
type table struct {
	numbers []int32 // by run
	cities  []string
	city    []uint32 // by run
	limits  []int64
	limit   []uint32 // by run
	runs    []parquetfile.Run
	codes   []string
	stocks  []int32
	stock   []uint32 // by code
	rows    []uint32
	at      []int64
}

// random is n rows in runs of 1 to longest, with about one NULL in five.
func random(seed uint64, n, codes, longest int) table {
	r := rand.New(rand.NewPCG(seed, 1))
	t := table{cities: []string{"Łódź", "", "Nantes"}, limits: []int64{0, 99_999_999_99, -1},
		stocks: []int32{-32768, 32767, 7}}
	for i := range codes {
		t.codes = append(t.codes, fmt.Sprint("S", i))
		t.stock = append(t.stock, uint32(i%3))
	}
	optional := func() uint32 {
		if r.IntN(5) == 0 {
			return parquetfile.None
		}
		return uint32(r.IntN(3))
	}
	for len(t.rows) < n {
		length := min(1+r.IntN(longest), n-len(t.rows))
		t.runs = append(t.runs, parquetfile.Run{Entity: uint32(len(t.numbers)), Length: uint32(length)})
		t.numbers = append(t.numbers, int32(r.Uint32()))
		t.city, t.limit = append(t.city, optional()), append(t.limit, optional())
		for range length {
			t.rows = append(t.rows, uint32(r.IntN(codes)))
			at := int64(r.Uint64())
			if r.IntN(5) == 0 {
				at = parquetfile.Null
			}
			t.at = append(t.at, at)
		}
	}
	return t
}

// identity is the table of a column whose values are the entities.
func identity(n int) []uint32 {
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(i)
	}
	return all
}

func (t table) write(w *parquetfile.Writer) error {
	return errors.Join(
		w.Runs(new(parquetfile.Dictionary).Int32s(t.numbers), t.runs, identity(len(t.numbers))),
		w.Runs(new(parquetfile.Dictionary).Texts(t.cities), t.runs, t.city),
		w.Runs(new(parquetfile.Dictionary).Int64s(t.limits), t.runs, t.limit),
		w.Packed(new(parquetfile.Dictionary).Texts(t.codes), t.rows, nil),
		w.Packed(new(parquetfile.Dictionary).Int32s(t.stocks), t.rows, t.stock),
		w.Integers(t.at),
		w.EndGroup())
}

// want is the rows as a reader shall find them.
func (t table) want() []row {
	var all []row
	for _, run := range t.runs {
		for range run.Length {
			i := len(all)
			r := row{Number: t.numbers[run.Entity], Code: t.codes[t.rows[i]], Stock: int16(t.stocks[t.stock[t.rows[i]]])}
			if c := t.city[run.Entity]; c != parquetfile.None {
				r.City = &t.cities[c]
			}
			if c := t.limit[run.Entity]; c != parquetfile.None {
				r.Limit = &t.limits[c]
			}
			if t.at[i] != parquetfile.Null {
				r.At = &t.at[i]
			}
			all = append(all, r)
		}
	}
	return all
}

func mustWrite(t *testing.T, groups ...table) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := parquetfile.New(&out, parquet.SchemaOf(row{}), "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		if err := group.write(w); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || w.Size() != int64(out.Len()) {
		t.Fatalf("size %d of %d, error %v", w.Size(), out.Len(), err)
	}
	return out.Bytes()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	tests := map[string][]table{
		"no row group":       nil,
		"empty row group":    {random(1, 0, 1, 1)},
		"one row":            {random(1, 1, 1, 1)},
		"one code":           {random(2, 1000, 1, 10)},
		"runs of one":        {random(3, 1001, 7, 1)},
		"a page to the row":  {random(4, 64*1024, 300, 50)},
		"pages and groups":   {random(5, 150_001, 70_000, 200), random(6, 9, 2, 3), random(7, 70_000, 3, 100_000)},
		"run over all pages": {random(8, 200_000, 2, 1_000_000)},
	}
	for name, groups := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := mustWrite(t, groups...)
			var want []row
			for _, g := range groups {
				want = append(want, g.want()...)
			}
			file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			reader := parquet.NewGenericReader[row](file)
			defer reader.Close()
			got := make([]row, len(want)+1)
			n, err := reader.Read(got)
			if n != len(want) || err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("%d rows, want %d, error %v", n, len(want), err)
			}
			for i := range want {
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Fatalf("row %d: %s", i, cmp.Diff(want[i], got[i]))
				}
			}
			if again := mustWrite(t, groups...); !bytes.Equal(again, data) {
				t.Error("the same rows are other bytes")
			}
		})
	}
}

func TestStatisticsAreOfTheChunk(t *testing.T) {
	t.Parallel()
	group := random(9, 3000, 20, 10)
	data := mustWrite(t, group)
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	nulls, low, high := 0, int64(math.MaxInt64), int64(math.MinInt64)
	for _, at := range group.at {
		if at == parquetfile.Null {
			nulls++
			continue
		}
		low, high = min(low, at), max(high, at)
	}
	chunk := file.RowGroups()[0].ColumnChunks()[5].(*parquet.FileColumnChunk)
	first, last, ok := chunk.Bounds()
	if !ok || first.Int64() != low || last.Int64() != high || chunk.NullCount() != int64(nulls) {
		t.Errorf("at: bounds %v to %v, %d NULLs; want %d to %d, %d", first, last, chunk.NullCount(), low, high, nulls)
	}
	code := file.RowGroups()[0].ColumnChunks()[3].(*parquet.FileColumnChunk)
	if first, last, ok := code.Bounds(); !ok || first.String() != "S0" || last.String() != "S9" {
		t.Errorf("code: bounds %v to %v", first, last)
	}
}

func TestColumnsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	one := random(1, 10, 2, 3)
	tests := map[string]func(w *parquetfile.Writer) error{
		"other type": func(w *parquetfile.Writer) error {
			return w.Packed(new(parquetfile.Dictionary).Texts(nil), nil, nil)
		},
		"missing columns": func(w *parquetfile.Writer) error { return w.EndGroup() },
		"open group": func(w *parquetfile.Writer) error {
			d := new(parquetfile.Dictionary).Int32s(one.numbers)
			return errors.Join(w.Runs(d, one.runs, identity(len(one.numbers))), w.Close())
		},
		"NULL where none may be": func(w *parquetfile.Writer) error {
			return w.Runs(new(parquetfile.Dictionary).Int32s(nil), []parquetfile.Run{{Length: 1}}, []uint32{parquetfile.None})
		},
		"other rows": func(w *parquetfile.Writer) error {
			other := one
			other.at = other.at[1:]
			return other.write(w)
		},
		"too many columns": func(w *parquetfile.Writer) error {
			if err := one.write(w); err != nil {
				return fmt.Errorf("good group: %w", io.ErrUnexpectedEOF)
			}
			other := one
			return errors.Join(other.write(w), w.Integers(nil), w.Integers(nil))
		},
	}
	for name, spoil := range tests {
		w, err := parquetfile.New(io.Discard, parquet.SchemaOf(row{}), "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := spoil(w); !errors.Is(err, parquetfile.ErrColumn) {
			t.Errorf("%s: error %v, want ErrColumn", name, err)
		}
	}
	if _, err := parquetfile.New(io.Discard, parquet.SchemaOf(struct{ All []int32 }{}), "test"); !errors.Is(err,
		parquetfile.ErrColumn) {
		t.Errorf("list: error %v, want ErrColumn", err)
	}
}
