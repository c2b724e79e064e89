package rowfilter

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

type row struct {
	Number  int32     `parquet:"number"`
	Text    string    `parquet:"text,dict"`
	Session *string   `parquet:"session,optional"`
	Price   int64     `parquet:"price,decimal(2:10)"`
	List    []float32 `parquet:"list,list"`
	At      *int64    `parquet:"at,optional,timestamp(millisecond:local)"`
}

func write(t *rapid.T, rows []row, group int64) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, &parquet.WriterConfig{Compression: &parquet.Snappy, DataPageVersion: 1,
		MaxRowsPerRowGroup: group, PageBufferSize: 64, Schema: parquet.NewSchema("rows", parquet.SchemaOf(row{}))})
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *rapid.T, data []byte) []row {
	rows, err := parquet.Read[row](bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// What Find finds is what a loop over the rows finds, and Copy leaves exactly that out: every other row is equal and
// in its place, and the schema is the same.
func TestCopyLeavesOutWhatFindFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.SampledFrom([]string{"a", "b", "7", "é"})
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
			r := row{Number: rapid.Int32Range(-2, 2).Draw(t, "number"), Text: few.Draw(t, "text"), Price: 199,
				List: rapid.SliceOfN(rapid.Float32Range(0, 1), 1, 3).Draw(t, "list")}
			if rapid.Bool().Draw(t, "has a session") {
				r.Session = new(few.Draw(t, "session"))
			}
			if rapid.Bool().Draw(t, "has a time") {
				r.At = new(int64(7))
			}
			return r
		}), 1, 60).Draw(t, "rows")
		data := write(t, all, rapid.Int64Range(1, 70).Draw(t, "rows of a group"))
		customer, session := few.Draw(t, "customer"), few.Draw(t, "other session")
		match := func(c, s string) bool { return c == customer || c != "" && s == session }
		found, rows, err := Find(bytes.NewReader(data), int64(len(data)), Columns{"text", "session"}, match)
		if err != nil || rows != int64(len(all)) {
			t.Fatalf("%d rows, %v", rows, err)
		}
		var want []int64
		kept := []row{}
		for i, r := range all {
			s := ""
			if r.Session != nil {
				s = *r.Session
			}
			if match(r.Text, s) {
				want = append(want, int64(i))
			} else {
				kept = append(kept, r)
			}
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Fatal(diff)
		}
		var out bytes.Buffer
		n, err := Copy(bytes.NewReader(data), int64(len(data)), &out, found)
		if err != nil || n != int64(len(kept)) {
			t.Fatalf("%d rows are copied, %v", n, err)
		}
		if diff := cmp.Diff(kept, read(t, out.Bytes())); diff != "" {
			t.Fatal(diff)
		}
		before, _ := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		after, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil || before.Schema().String() != after.Schema().String() {
			t.Fatalf("the schema is %v, %v", after.Schema(), err)
		}
		numbers, _, err := Find(bytes.NewReader(data), int64(len(data)), Columns{Customer: "number"},
			func(c, _ string) bool { return c == "-1" })
		for _, i := range numbers {
			if all[i].Number != -1 {
				t.Fatalf("row %d has %d", i, all[i].Number)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		shown := 0
		err = Show(bytes.NewReader(data), int64(len(data)), found, func(m map[string]any) {
			r, list := all[found[shown]], m["list"].([]any) //nolint:forcetypeassert // a test
			if m["text"] != r.Text || len(list) != len(r.List) {
				t.Fatalf("%v is shown of %+v", m, r)
			}
			shown++
		})
		if err != nil || shown != len(found) {
			t.Fatalf("%d rows are shown, %v", shown, err)
		}
	})
}

func TestAColumnThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := write(t, []row{{Text: "a"}}, 1)
		for _, name := range []string{"other", "list"} {
			if _, _, err := Find(bytes.NewReader(data), int64(len(data)), Columns{Customer: name}, nil); !errors.Is(err,
				ErrColumn) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}
