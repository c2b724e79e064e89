package vectorfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// written are vectors as a test writes them.
type written struct {
	ids []string
	dim int
	x   []float32
}

func (w written) vector(i int) []float32 { return w.x[i*w.dim : (i+1)*w.dim] }

// form writes vectors as some program does, and says which files Read is given.
type form struct {
	name  string
	ints  bool // the ids are integers
	write func(dir string, w written) (name, ids string, err error)
}

func number(x float32, bits int) string { return strconv.FormatFloat(float64(x), 'g', -1, bits) }

// list is a vector as Python prints a list (bits 64), or with as few digits as hold it (bits 32).
func list(v []float32, bits int, between string) string {
	texts := make([]string, len(v))
	for i, x := range v {
		texts[i] = number(x, bits)
	}
	return "[" + strings.Join(texts, between) + "]"
}

func writeCSV(name string, head []string, record func(i int) []string, n int) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := csv.NewWriter(file)
	if head != nil {
		err = out.Write(head)
	}
	for i := range n {
		err = errors.Join(err, out.Write(record(i)))
	}
	out.Flush()
	return errors.Join(err, out.Error())
}

func csvForm(name string, head []string, record func(w written, i int) []string) form {
	return form{name: name, write: func(dir string, w written) (string, string, error) {
		path := filepath.Join(dir, "vectors.csv")
		return path, "", writeCSV(path, head, func(i int) []string { return record(w, i) }, len(w.ids))
	}}
}

func componentRecord(w written, i int) []string {
	record := []string{w.ids[i]}
	for _, x := range w.vector(i) {
		record = append(record, number(x, 32))
	}
	return record
}

// sparkRow is a row of what MLlib's ALSModel.save writes to itemFactors.
type sparkRow struct {
	ID       int32     `parquet:"id"`
	Features []float32 `parquet:"features,list"`
}

// pandasRow is a row of what pandas writes with pyarrow.
type pandasRow struct {
	ID        string    `parquet:"product_code"`
	Embedding []float64 `parquet:"embedding,list"`
	Name      string    `parquet:"name"`
}

func writeParquet[Row any](name string, row func(i int) Row, from, to int) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := parquet.NewGenericWriter[Row](file, parquet.Compression(&parquet.Snappy))
	for i := from; i < to; i++ {
		if _, err := out.Write([]Row{row(i)}); err != nil {
			return err
		}
	}
	return out.Close()
}

// npy is an array in the format of numpy.save.
func npy(descr, shape string, columns bool, data []byte) []byte {
	order := "False"
	if columns {
		order = "True"
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)))
	return append(append(out, header...), data...)
}

// vectorsNPY is the array of the vectors, in one of four ways.
func vectorsNPY(w written, way int) []byte {
	shape := fmt.Sprintf("(%d, %d)", len(w.ids), w.dim)
	var data []byte
	switch way {
	case 0:
		for _, x := range w.x {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		}
		return npy("<f4", shape, false, data)
	case 1:
		for _, x := range w.x {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(x)))
		}
		return npy("<f8", shape, false, data)
	case 2:
		for j := range w.dim {
			for i := range w.ids {
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(w.vector(i)[j]))
			}
		}
		return npy("<f4", shape, true, data)
	}
	for _, x := range w.x {
		data = binary.BigEndian.AppendUint32(data, math.Float32bits(x))
	}
	return npy(">f4", shape, false, data)
}

// idsNPY is an array of text, as numpy.array(list_of_str) is.
func idsNPY(w written) []byte {
	longest := 1
	for _, id := range w.ids {
		longest = max(longest, utf8.RuneCountInString(id))
	}
	var data []byte
	for _, id := range w.ids {
		own := make([]byte, 0, 4*longest)
		for _, r := range id {
			own = binary.LittleEndian.AppendUint32(own, uint32(r))
		}
		data = append(data, own...)
		data = append(data, make([]byte, 4*longest-len(own))...)
	}
	return npy(fmt.Sprintf("<U%d", longest), fmt.Sprintf("(%d,)", len(w.ids)), false, data)
}

func integersNPY(w written) []byte {
	var data []byte
	for _, id := range w.ids {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			panic(err)
		}
		data = binary.LittleEndian.AppendUint64(data, uint64(n))
	}
	return npy("<i8", fmt.Sprintf("(%d,)", len(w.ids)), false, data)
}

func writeNPZ(name string, compress bool, arrays map[string][]byte) error {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, key := range slices.Sorted(func(yield func(string) bool) {
		for key := range arrays {
			if !yield(key) {
				return
			}
		}
	}) {
		method := zip.Store
		if compress {
			method = zip.Deflate
		}
		w, err := archive.CreateHeader(&zip.FileHeader{Name: key + ".npy", Method: method})
		if err == nil {
			_, err = w.Write(arrays[key])
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), os.WriteFile(name, out.Bytes(), 0o600))
}

func npyForm(way int) form {
	return form{name: fmt.Sprintf("npy %d", way), write: func(dir string, w written) (string, string, error) {
		name, ids := filepath.Join(dir, "vectors.npy"), filepath.Join(dir, "ids.txt")
		return name, ids, errors.Join(os.WriteFile(name, vectorsNPY(w, way), 0o600),
			os.WriteFile(ids, []byte(strings.Join(w.ids, "\n")+"\n"), 0o600))
	}}
}

func npzForm(name string, ints, compress bool, ids func(written) []byte) form {
	return form{name: name, ints: ints, write: func(dir string, w written) (string, string, error) {
		path := filepath.Join(dir, "vectors.npz")
		return path, "", writeNPZ(path, compress, map[string][]byte{"ids": ids(w), "vectors": vectorsNPY(w, 0)})
	}}
}

var writers = []form{
	csvForm("csv of the seed", []string{"id", "embedding"},
		func(w written, i int) []string { return []string{w.ids[i], list(w.vector(i), 64, ", ")} }),
	csvForm("csv, no header", nil,
		func(w written, i int) []string { return []string{w.ids[i], list(w.vector(i), 32, ",")} }),
	csvForm("csv, printed by NumPy", []string{"item_id", "features"},
		func(w written, i int) []string { return []string{w.ids[i], list(w.vector(i), 32, "\n ")} }),
	csvForm("csv, other columns", []string{"vector", "name", "product_id"},
		func(w written, i int) []string { return []string{list(w.vector(i), 32, ","), "a name", w.ids[i]} }),
	{name: "csv, a column for each component", write: func(dir string, w written) (string, string, error) {
		name, head := filepath.Join(dir, "vectors.csv"), []string{"id"}
		for j := range w.dim {
			head = append(head, "f"+strconv.Itoa(j))
		}
		return name, "", writeCSV(name, head, func(i int) []string { return componentRecord(w, i) }, len(w.ids))
	}},
	csvForm("csv, a column for each component, no header", nil, componentRecord),
	{name: "parquet of Spark, a folder of parts", ints: true, write: func(dir string, w written) (string, string, error) {
		folder := filepath.Join(dir, "itemFactors [1]")
		row := func(i int) sparkRow {
			id, err := strconv.ParseInt(w.ids[i], 10, 32)
			if err != nil {
				panic(err)
			}
			return sparkRow{int32(id), w.vector(i)}
		}
		half := (len(w.ids) + 1) / 2
		return folder, "", errors.Join(os.MkdirAll(folder, 0o700),
			os.WriteFile(filepath.Join(folder, "_SUCCESS"), nil, 0o600),
			writeParquet(filepath.Join(folder, "part-00000-c000.snappy.parquet"), row, 0, half),
			writeParquet(filepath.Join(folder, "part-00001-c000.snappy.parquet"), row, half, len(w.ids)))
	}},
	{name: "parquet of pandas", write: func(dir string, w written) (string, string, error) {
		name := filepath.Join(dir, "vectors.parquet")
		return name, "", writeParquet(name, func(i int) pandasRow {
			row := pandasRow{ID: w.ids[i], Name: "a name"}
			for _, x := range w.vector(i) {
				row.Embedding = append(row.Embedding, float64(x))
			}
			return row
		}, 0, len(w.ids))
	}},
	npyForm(0), npyForm(1), npyForm(2), npyForm(3),
	npzForm("npz of text", false, false, idsNPY),
	npzForm("npz of integers, compressed", true, true, integersNPY),
}

func mustWrite(t interface{ Fatal(...any) }, f form, dir string, w written) (name, ids string) {
	name, ids, err := f.write(dir, w)
	if err != nil {
		t.Fatal(err)
	}
	return name, ids
}

func mustFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
