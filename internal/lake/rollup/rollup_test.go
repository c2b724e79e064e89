package rollup

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/golden"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestEveryIDIsFound adds random entries in several runs, of very different sizes: each id has its places, those of
// no other, and no run has more segments than sizes that double allow.
func TestEveryIDIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		repo := Repository(objectstore.NewFolder(tempDir(t)))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		want := map[string][]Place{}
		var last Rollup
		for run := range rapid.IntRange(1, 6).Draw(t, "runs") {
			draft := Draft{Rollup: last}
			draft.AsOf = noon.Add(time.Duration(run) * time.Hour)
			at := uint32(0)
			for object := range rapid.IntRange(1, 3).Draw(t, "objects") {
				key := fmt.Sprintf("recommendations/%d/%d", run, object)
				for line := range rapid.IntRange(0, 6000).Draw(t, "lines") {
					id := fmt.Sprint(random.IntN(4000))
					draft.Entries = append(draft.Entries, Entry{Hash(id), at, uint32(line)})
					want[id] = append(want[id], Place{key, int64(line)})
				}
				draft.Names = append(draft.Names, key)
				at += uint32(len(key) + 1)
			}
			draft.Recent = []string{fmt.Sprint("run ", run)} // so that no two have the same content
			r, err := Commit(t.Context(), repo, draft, last.Run, tempDir(t))
			if err != nil {
				t.Fatal(err)
			}
			last = *r
		}
		m, d, err := Current(t.Context(), repo)
		if err != nil || m.Run != last.Run || len(d.Segments) > 6 {
			t.Fatalf("run %s is current with %d segments, %v; want %s", m.Run, len(d.Segments), err, last.Run)
		}
		for i := 1; i < len(d.Segments); i++ {
			if d.Segments[i-1].Entries <= takeIn*d.Segments[i].Entries {
				t.Fatalf("the segments are %+v: each should have more than twice the entries of the next", d.Segments)
			}
		}
		for range 50 {
			id := fmt.Sprint(random.IntN(4100)) // some are nowhere
			got, err := Find(t.Context(), repo, d, id)
			slices.SortFunc(got, orderPlaces)
			slices.SortFunc(want[id], orderPlaces)
			if err != nil || !slices.Equal(got, want[id]) {
				t.Fatalf("%s is at %v, %v; want %v", id, got, err, want[id])
			}
		}
	})
}

func orderPlaces(a, b Place) int {
	return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.Offset, b.Offset))
}

// tempDir is a folder for one case.
func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "kindred-rollup-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestHashesNeedNotBeEven looks for hashes that are close together, as no ids have them: few reads find each.
func TestHashesNeedNotBeEven(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var hashes []uint64
		for _, n := range []uint64{10, 1000, 1 << 40, math.MaxUint64} { // how far they are spread
			for range rapid.IntRange(0, 20_000).Draw(t, "hashes") {
				hashes = append(hashes, random.Uint64N(n)*(math.MaxUint64/n/2))
			}
		}
		slices.Sort(hashes)
		var raw []byte
		for i, h := range hashes {
			raw = Entry{h, uint32(i), 0}.append(raw)
		}
		reads := 0
		read := func(from, n int64) ([]byte, error) {
			reads++
			return raw[from*entryBytes : (from+n)*entryBytes], nil
		}
		for i := range 30 {
			hash := random.Uint64()
			if i%2 == 0 && len(hashes) > 0 {
				hash = hashes[random.IntN(len(hashes))]
			}
			first, _ := slices.BinarySearch(hashes, hash)
			want := 0
			for want < len(hashes)-first && hashes[first+want] == hash {
				want++
			}
			reads = 0
			found, err := find(hash, int64(len(hashes)), read)
			if err != nil || len(found) != want || want > 0 && found[0].Object != uint32(first) {
				t.Fatalf("%d is at %v, %v; want %d from %d on", hash, found, err, want, first)
			}
			if reads > guesses+8+want/lookEntries {
				t.Fatalf("%d reads for one of %d hashes", reads, len(hashes))
			}
		}
	})
}

func TestWhatIsDamagedOrOfAnotherLayoutIsRefused(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := Repository(store)
	if _, _, err := Current(t.Context(), repo); !errors.Is(err, commit.ErrNoCurrent) {
		t.Errorf("an empty lake: %v, want ErrNoCurrent", err)
	}
	if _, _, err := repo.Commit(t.Context(), commit.Draft{Kind: Kind, SchemaFingerprint: "rollup-2", Dir: t.TempDir(),
		Run: "later"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Current(t.Context(), repo); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "rollup-2") {
		t.Errorf("another layout: %v, want ErrSchema that names it", err)
	}
	r := mustCommit(t, repo, "later")
	key := "rollup/run=" + r.Run + "/" + indexFile
	if _, err := store.Put(t.Context(), key, strings.NewReader("short"), 5, objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), repo, r.Details, "evt-1"); !errors.Is(err, commit.ErrCorrupt) {
		t.Errorf("an index that is too short: %v, want ErrCorrupt", err)
	}
	if err := store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), repo, r.Details, "evt-1"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("an index that is gone: %v, want ErrNotFound", err)
	}
}

// mustCommit commits the roll-up of the documents.
func mustCommit(t *testing.T, repo *commit.Repository, base string) *Rollup {
	t.Helper()
	key := "recommendations/2026/03/01/12/kindred-1"
	draft := Draft{
		Rollup: Rollup{
			Details:   Details{AsOf: noon.Add(time.Hour), Objects: 1, Records: 2, Letters: map[string]int64{"schema": 1}},
			Hours:     []Hour{{At: noon, Version: "m100000000000001", Source: "session", Records: 2, Unknown: 1}},
			Latencies: []Latency{{At: noon, MS: 101.5, Records: 2}},
		},
		Letters: []Letter{{Key: "quarantine/clicks/shardId-000000000000/1.json", Reason: "schema", At: noon}},
		Recent:  []string{key},
		Entries: []Entry{{Hash("evt-1"), 0, 0}, {Hash("rec-1"), 0, 0}, {Hash("evt-2"), 0, 812}, {Hash("rec-2"), 0, 812}},
		Names:   []string{key},
	}
	r, err := Commit(t.Context(), repo, draft, base, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGolden holds the columns and the details.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Equal(t, "schema.golden", []byte(parquet.NewSchema("hours", parquet.SchemaOf(Hour{})).String()+"\n"+
		parquet.NewSchema("latencies", parquet.SchemaOf(Latency{})).String()+"\n"+
		parquet.NewSchema("letters", parquet.SchemaOf(Letter{})).String()+"\n"))
	repo := Repository(objectstore.NewFolder(t.TempDir()))
	mustCommit(t, repo, "")
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "details.json", golden.Indent(t, m.Details))
	var files []string
	for _, f := range m.Files {
		files = append(files, f.Path)
	}
	want := []string{hoursFile, indexFile, latenciesFile, lettersFile, objectsFile, recentFile}
	if !slices.Equal(files, want) {
		t.Errorf("the files are %v, want %v", files, want)
	}
	data, err := readFile(t.Context(), repo, m, indexFile)
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "index.hex", []byte(fmt.Sprintf("%x\n%x\n%x\n%x\n", data[:16], data[16:32], data[32:48], data[48:])))
}
