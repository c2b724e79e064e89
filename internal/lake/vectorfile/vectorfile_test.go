package vectorfile

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/platform/text"
)

// vectors draws some, with ids that the form can hold.
func vectors(ints bool) *rapid.Generator[written] {
	return rapid.Custom(func(t *rapid.T) written {
		id := rapid.Map(rapid.Int32(), func(n int32) string { return strconv.Itoa(int(n)) })
		if !ints {
			id = rapid.StringN(1, 20, text.MaxID).Filter(func(s string) bool {
				// a CSV file and a file of lines cannot hold all texts: no line breaks, no space in front
				return text.CheckID(s) == nil && !strings.ContainsAny(s, "\r\n\v\f\u0085\u2028\u2029") &&
					strings.TrimSpace(s) == s &&
					!strings.HasPrefix(s, byteOrderMark)
			})
		}
		w := written{ids: rapid.SliceOfNDistinct(id, 2, 12, rapid.ID[string]).Draw(t, "ids"), dim: rapid.IntRange(2, 6).
			Draw(t, "dim")}
		for range len(w.ids) * w.dim {
			w.x = append(w.x, rapid.Float32().Draw(t, "component"))
		}
		return w
	})
}

// some is rapid.Check with n cases for each form: files take their time.
func some(t *testing.T, n int, check func(*rapid.T)) {
	t.Helper()
	made, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if made++; made > n && !failed { // a failure is tried again until it is small
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		check(rt)
	})
}

// TestWhatIsWrittenIsRead: all forms give the same vectors back, bit by bit, and one hash.
func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, f := range writers {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			some(t, 20, func(rt *rapid.T) {
				w := vectors(f.ints).Draw(rt, "vectors")
				v, err := Read(mustWrite(rt, f, dir, w))
				if err != nil {
					rt.Fatal(err)
				}
				bits := func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }
				if v.Dim != w.dim || !slices.Equal(v.IDs, w.ids) || !slices.EqualFunc(v.Values, w.x, bits) {
					rt.Fatalf("read %d components, ids %q, %v; want %+v", v.Dim, v.IDs, v.Values, w)
				}
				if !bits(v.Vector(1)[0], w.x[w.dim]) || !strings.HasSuffix(v.places[0].String(), " "+strconv.Itoa(v.places[0].at)) {
					rt.Fatalf("the second vector is %v, the first one is in %s", v.Vector(1), v.places[0].String())
				}
				turned := written{ids: slices.Clone(w.ids), dim: w.dim}
				slices.Reverse(turned.ids)
				for i := range w.ids {
					turned.x = append(turned.x, w.vector(len(w.ids)-1-i)...)
				}
				other, err := Read(mustWrite(rt, writers[0], dir, turned))
				if err != nil || other.Hash() != v.Hash() {
					rt.Fatalf("in another form and order: %v, hash %s, want %s", err, other.Hash(), v.Hash())
				}
				other.Values[0]++
				if x := other.Values[0]; x-1 != x && other.Hash() == v.Hash() {
					rt.Fatal("other vectors have the same hash")
				}
			})
		})
	}
}

// TestDamageIsAnError cuts files off and flips bytes. What can still be read has as many vectors as
// were written, all of them whole: nothing panics, and no list becomes shorter in silence.
func TestDamageIsAnError(t *testing.T) {
	t.Parallel()
	for _, f := range writers {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			dir, refused, read := t.TempDir(), 0, 0
			some(t, 40, func(rt *rapid.T) {
				w := vectors(f.ints).Draw(rt, "vectors")
				name, ids := mustWrite(rt, f, dir, w)
				damaged := name
				if info, err := os.Stat(name); err == nil && info.IsDir() {
					damaged = filepath.Join(name, "part-00000-c000.snappy.parquet")
				}
				data, err := os.ReadFile(damaged)
				if err != nil {
					rt.Fatal(err)
				}
				lines := strings.HasSuffix(damaged, ".csv")
				cut := rapid.Bool().Draw(rt, "cut")
				if at := rapid.IntRange(0, len(data)-1).Draw(rt, "at"); cut {
					// A text file that ends after a whole line, or within its last number, is a text file.
					if lines && (at == 0 || strings.HasSuffix(string(data[:at]), "\n") || !strings.Contains(f.name, "seed")) {
						return
					}
					data = data[:at]
				} else {
					data[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "bits"))
				}
				if err := os.WriteFile(damaged, data, 0o600); err != nil {
					rt.Fatal(err)
				}
				v, err := Read(name, ids)
				if err != nil {
					refused++
					if !errors.Is(err, ErrVectors) || !strings.Contains(err.Error(), filepath.Base(damaged)) &&
						!strings.Contains(err.Error(), filepath.Base(name)) {
						rt.Fatalf("the error is %v", err)
					}
					return
				}
				read++
				if cut && !lines {
					rt.Fatal("a file that was cut off is read")
				}
				// A line break or a quote may have become another character, and the other way round.
				if !lines && (len(v.IDs) != len(w.ids) || v.Dim != w.dim) || len(v.Values) != len(v.IDs)*v.Dim {
					rt.Fatalf("read %d vectors of %d components, want %d of %d", len(v.IDs), v.Dim, len(w.ids), w.dim)
				}
			})
			t.Logf("%d refused, %d read", refused, read)
		})
	}
}

// TestFaultsAreNamed: every fault is refused, with the place.
func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", text.MaxID+1)
	for name, test := range map[string]struct {
		file, content string
		want          []string
	}{
		"empty":               {"a.csv", "", []string{"a.csv holds no vector"}},
		"a header alone":      {"a.csv", "id,embedding\n", []string{"a.csv holds no vector"}},
		"one column":          {"a.csv", "id\n1\n", []string{"line 1", "one column"}},
		"no vector in header": {"a.csv", "id,name\n1,x\n", []string{"line 1", "id and embedding"}},
		"NaN": {"a.csv", "id,embedding\n1,\"[1, 2]\"\n2,\"[1, NaN]\"\n",
			[]string{"line 3", "component 2", "finite"}},
		"infinite":            {"a.csv", "1,\"[1, 2]\"\n2,\"[-inf, 0]\"\n", []string{"line 2", "component 1", "finite"}},
		"too large":           {"a.csv", "1,\"[1e39, 2]\"\n", []string{"line 1", "component 1", "not a number"}},
		"no number":           {"a.csv", "1,\"[1, x]\"\n", []string{"line 1", "component 2", "not a number"}},
		"an empty component":  {"a.csv", "1,\"[1,,2]\"\n", []string{"line 1", "component 2", "not a number"}},
		"a missing component": {"a.csv", "id,a,b\n1,1,2\n2,1\n", []string{"line 3", "2 columns, want 3"}},
		"an empty cell":       {"a.csv", "id,a,b\n1,1,2\n2,1,\n", []string{"line 3", "component 2"}},
		"other dimensions":    {"a.csv", "1,\"[1, 2]\"\n2,\"[1, 2, 3]\"\n", []string{"line 2", "3 components", "2"}},
		"one component":       {"a.csv", "1,[1]\n", []string{"line 1", "1 components"}},
		"no component":        {"a.csv", "1,[]\n", []string{"line 1", "0 components"}},
		"printed shortened":   {"a.csv", "1,\"[1 2 ... 3]\"\n", []string{"line 1", "..."}},
		"no brackets":         {"a.csv", "id,embedding\n1,1 2 3\n", []string{"line 2", "brackets"}},
		"cut off":             {"a.csv", "1,\"[1, 2]\"\n2,\"[1, ", []string{"line 2", "CSV"}},
		"twice": {"a.csv", "7,\"[1, 2]\"\n8,\"[1, 2]\"\n7,\"[3, 4]\"\n",
			[]string{"line 3", "already", "line 1"}},
		"an empty id":           {"a.csv", "1,\"[1, 2]\"\n,\"[1, 2]\"\n", []string{"line 2", "the id is empty"}},
		"an id that is long":    {"a.csv", long + ",\"[1, 2]\"\n", []string{"line 1", "the id"}},
		"an id with NUL":        {"a.csv", "a\x00b,\"[1, 2]\"\n", []string{"line 1", "the id"}},
		"an id that is no text": {"a.csv", "a\xffb,\"[1, 2]\"\n", []string{"line 1", "the id"}},
		"a JSON file":           {"a.json", "{}", []string{"a.json", ".parquet"}},
		"no Parquet":            {"a.parquet", "id,embedding", []string{"a.parquet", "no Parquet"}},
		"no archive":            {"a.npz", "PK", []string{"a.npz", ".npz"}},
		"no ids": {"a.npy", string(vectorsNPY(written{ids: []string{"1", "2"}, dim: 2, x: make([]float32, 4)},
			0)), []string{"no ids", ".npz"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(mustFile(t, test.file, []byte(test.content)), "")
			if !errors.Is(err, ErrVectors) {
				t.Fatalf("got %v", err)
			}
			for _, word := range test.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v does not say %q", err, word)
				}
			}
			if strings.Contains(err.Error(), long) {
				t.Error("it repeats the id")
			}
		})
	}
}

// TestEachFormRefusesBadVectors: the rules are the same in all forms.
func TestEachFormRefusesBadVectors(t *testing.T) {
	t.Parallel()
	for _, f := range writers {
		for name, change := range map[string]func(w *written){
			"NaN":      func(w *written) { w.x[3] = float32(math.NaN()) },
			"infinite": func(w *written) { w.x[5] = float32(math.Inf(-1)) },
			"twice":    func(w *written) { w.ids[1] = w.ids[0] },
			"one dim":  func(w *written) { w.dim, w.x = 1, w.x[:3] },
			"nothing":  func(w *written) { w.ids, w.x = nil, nil },
		} {
			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := written{ids: []string{"11", "12", "13"}, dim: 2, x: []float32{1, 2, 3, 4, 5, 6}}
				change(&w)
				v, err := Read(mustWrite(t, f, t.TempDir(), w))
				if !errors.Is(err, ErrVectors) {
					t.Errorf("read %v, %v", v, err)
				}
			})
		}
	}
}

func TestNumPyFaults(t *testing.T) {
	t.Parallel()
	w := written{ids: []string{"1", "2"}, dim: 2, x: []float32{1, 2, 3, 4}}
	good := vectorsNPY(w, 0)
	ids := func(lines string) string { return mustFile(t, "ids.txt", []byte(lines)) }
	archive := func(arrays map[string][]byte) string {
		name := filepath.Join(t.TempDir(), "a.npz")
		if err := writeNPZ(name, false, arrays); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for name, test := range map[string]struct {
		file, ids string
		want      string
	}{
		"fewer ids":    {mustFile(t, "a.npy", good), ids("1\n"), "2 rows"},
		"more ids":     {mustFile(t, "a.npy", good), ids("1\n2\n3"), "3 lines"},
		"ids of a CSV": {mustFile(t, "a.csv", []byte("1,\"[1, 2]\"\n")), ids("1\n"), "ids of its own"},
		"integers":     {mustFile(t, "a.npy", integersNPY(w)), ids("1\n2\n"), "want floats"},
		"pickled ids": {archive(map[string][]byte{"v": good, "ids": npy("|O", "(2,)", false, []byte("x"))}), "",
			"astype(str)"},
		"no ids":       {archive(map[string][]byte{"v": good}), "", "0 of ids"},
		"two matrices": {archive(map[string][]byte{"v": good, "u": good, "ids": idsNPY(w)}), "", "2 arrays of vectors"},
		"a bias": {archive(map[string][]byte{"v": good, "ids": idsNPY(w), "bias": npy("<f4", "(2,)", false,
			make([]byte, 8))}), "", "bias"},
		"a cut array":    {mustFile(t, "a.npy", good[:len(good)-1]), ids("1\n2\n"), "needs 16 bytes"},
		"a longer array": {mustFile(t, "a.npy", append(slices.Clone(good), 0)), ids("1\n2\n"), "needs 16 bytes"},
		"a broken letter": {archive(map[string][]byte{"v": good, "ids": npy("<U1", "(2,)", false, []byte{0, 0xd8, 0, 0, 1, 0,
			0, 0})}), "", "row 1"},
	} {
		_, err := Read(test.file, test.ids)
		if !errors.Is(err, ErrVectors) || !strings.Contains(fmt.Sprint(err), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v, err := Read(mustFile(t, "a.npy", npy("<f2", "(2, 2)", false, []byte{0, 0x3c, 0, 0xc0, 1, 0, 0xff, 0x7b})),
		ids("1\r\n2\r\n"))
	if want := []float32{1, -2, 5.9604645e-8, 65504}; err != nil || !slices.Equal(v.Values, want) {
		t.Errorf("half precision: %v, %v, want %v", v, err, want)
	}
}

func TestParquetFaults(t *testing.T) {
	t.Parallel()
	type twoLists struct {
		ID       int64     `parquet:"id"`
		Features []float32 `parquet:"features,list"`
		Vector   []float32 `parquet:"vector,list"`
	}
	type missing struct {
		ID       uint64     `parquet:"id"`
		Features []*float32 `parquet:"features,list"`
	}
	one := float32(1)
	dir := t.TempDir()
	name := func(n string) string { return filepath.Join(dir, n+".parquet") }
	err := errors.Join(
		writeParquet(name("two"), func(int) twoLists { return twoLists{1, []float32{1, 2}, []float32{1, 2}} }, 0, 1),
		writeParquet(name("missing"), func(i int) missing {
			return missing{1, [][]*float32{{&one, nil}, {nil, &one}}[i]}
		}, 0, 1),
		writeParquet(name("first"), func(int) missing { return missing{1, []*float32{nil, &one, &one}} }, 0, 1),
		writeParquet(name("empty"), func(int) missing { return missing{1, nil} }, 0, 1),
		writeParquet(name("large"), func(int) missing { return missing{math.MaxUint64, []*float32{&one, &one}} }, 0, 1),
		writeParquet(name("names"), func(int) pandasRow { return pandasRow{ID: "a", Embedding: []float64{1e300, 1}} }, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"two": "2 that may be the vector", "missing": "row 1: a component",
		"first": "row 1: a component", "empty": "row 1: the vector has 0", "names": "row 1: component 1"} {
		if _, err := Read(name(file), ""); !errors.Is(err, ErrVectors) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if v, err := Read(name("large"), ""); err != nil || v.IDs[0] != "18446744073709551615" {
		t.Errorf("an id without sign: %v, %v", v, err)
	}
	if _, err := Read(t.TempDir(), ""); !errors.Is(err, ErrVectors) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := Read(filepath.Join(dir, "none.csv"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
