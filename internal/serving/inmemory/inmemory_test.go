package inmemory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
)

// fakeDatabase answers from versions in memory, and counts how often it searches.
type fakeDatabase struct {
	*memory.Store

	products int
	numbered bool
	err      error                   // of State
	since    error                   // of TrafficSince
	away     error                   // of both that read the traffic
	once     error                   // of the next TrafficSince alone
	shown    func() map[string]*bool // of State; nil: none
	pruned   string                  // a version whose tables are gone
	hangs    bool                    // TrafficSince waits for the end of its time
	mu       sync.Mutex
	searches int
}

func (d *fakeDatabase) Traffic(ctx context.Context) (recommend.Traffic, error) {
	if d.away != nil {
		return recommend.Traffic{}, d.away
	}
	return d.Store.Traffic(ctx)
}

func (d *fakeDatabase) TrafficSince(ctx context.Context, _ vectorstore.Since, versions []string) (recommend.Traffic,
	vectorstore.Changes, error) {
	if d.pruned != "" && slices.Contains(versions, d.pruned) {
		return recommend.Traffic{}, vectorstore.Changes{}, errors.New("no such table")
	}
	if err := d.once; err != nil {
		d.once = nil
		return recommend.Traffic{}, vectorstore.Changes{}, err
	}
	if d.hangs {
		<-ctx.Done()
		return recommend.Traffic{}, vectorstore.Changes{}, ctx.Err()
	}
	traffic, err := d.Traffic(ctx)
	return traffic, vectorstore.Changes{}, cmp.Or(err, d.since)
}

func (d *fakeDatabase) State(context.Context, vectorstore.Since, []string) (vectorstore.Changes, error) {
	c := vectorstore.Changes{Whole: true}
	if d.shown != nil {
		c.Shown = d.shown()
	}
	return c, d.err
}

func (d *fakeDatabase) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	d.mu.Lock()
	d.searches++
	d.mu.Unlock()
	return d.Store.Retrieve(ctx, m, searches, neighbours)
}

func (d *fakeDatabase) Rated(context.Context, *recommend.Model, []string) (map[string][]vectorstore.Rated, error) {
	return nil, nil
}

func (d *fakeDatabase) Stated(context.Context, string, string, int) ([]vectorstore.Stated, error) {
	return nil, nil
}

func (d *fakeDatabase) Numbered(context.Context, string) (int, bool, error) {
	return d.products, d.numbered, nil
}

// fakeFiles are in a folder, and fail on demand.
type fakeFiles struct {
	folder
	fail   func(key string) error
	damage string // a file whose bytes are wrong
}

func (f *fakeFiles) ReadRange(ctx context.Context, key string, from, n int64) ([]byte, error) {
	if f.fail != nil {
		if err := f.fail(key); err != nil {
			return nil, err
		}
	}
	data, err := f.folder.ReadRange(ctx, key, from, n)
	if f.damage != "" && strings.HasSuffix(key, f.damage) {
		data[len(data)/2] ^= 1
	}
	return data, err
}

type bundle struct {
	*Store
	db    *fakeDatabase
	files *fakeFiles
	log   *bytes.Buffer
	now   time.Time
}

const first, second = "m000000000000001", "m000000000000002"

// setup has a version live, and the files of two.
func setup(t *testing.T, budget int64) *bundle {
	t.Helper()
	b := &bundle{db: &fakeDatabase{products: 80, numbered: true}, files: &fakeFiles{folder: folder(t.TempDir())},
		log: &bytes.Buffer{}}
	repo := commit.NewRepository(objectstore.NewFolder(string(b.files.folder)), envconfig.ModelPrefix)
	for _, id := range []string{second, first} {
		if _, err := modelfile.Write(t.Context(), repo, version(id), t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	b.db.Store = memory.NewStore(memory.New(version(first)))
	b.Store = newStore(b.db, b.files, budget, slog.New(slog.NewTextHandler(b.log, nil)), func() time.Time { return b.now })
	return b
}

func version(id string) *modelversion.Version {
	v := recommendtest.Version(id)
	recommendtest.AddNeighbours(v, 1, 9)
	return v
}

// ask answers a session, and says whether the memory did.
func (b *bundle) ask(t *testing.T) (byMemory bool) {
	t.Helper()
	traffic, err := b.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := b.db.searches
	search := recommend.Search{Vector: version(first).Items[5].Vector, Limit: 5}
	found, _, err := b.Retrieve(t.Context(), traffic.Live, []recommend.Search{search}, nil)
	if err != nil || len(found[0]) != 5 || found[0][0].Code != "L0_05" && found[0][0].Score <= 0 {
		t.Fatalf("found %v, %v", found, err)
	}
	return b.db.searches == before
}

func (b *bundle) steps(t *testing.T) (n int) {
	t.Helper()
	for b.Step(t.Context()) {
		if n++; n > 100 {
			t.Fatal("it never ends")
		}
	}
	return n
}

// TestTheDatabaseAnswersUntilAllIsThere goes step by step; afterwards the memory answers, and follows
// the pointer.
func TestTheDatabaseAnswersUntilAllIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t, math.MaxInt64)
	if b.Step(t.Context()) {
		t.Error("it loads before the first answer")
	}
	n := 0
	for !b.ask(t) {
		if n++; n > 20 {
			t.Fatalf("the memory does not answer: %s", b.log)
		}
		b.Step(t.Context())
	}
	if n < 5 {
		t.Errorf("it took %d steps", n)
	}
	b.db.Promote(memory.New(version(second)))
	b.ask(t)
	if held := b.Held(); len(held) > 0 {
		t.Errorf("after the pointer moved it still holds %v", held)
	}
	b.steps(t)
	if !b.ask(t) || !slices.Equal(b.Held(), []string{second}) {
		t.Errorf("it holds %v: %s", b.Held(), b.log)
	}
	b.db.SetCanary(memory.New(version(first)), 0.5)
	b.ask(t)
	b.steps(t)
	if !slices.Equal(b.Held(), []string{first, second}) {
		t.Errorf("beside a canary it holds %v", b.Held())
	}
	b.db.SetCanary(nil, 0)
	if b.ask(t); !slices.Equal(b.Held(), []string{second}) {
		t.Errorf("after the canary it holds %v", b.Held())
	}
}

// TestFailuresAreOvercome lets each part of loading fail. The database answers, one line is logged, the
// next try comes after a pause, and in the end the memory answers.
func TestFailuresAreOvercome(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, fault := range map[string]func(b *bundle, on bool){
		"the state": func(b *bundle, on bool) {
			if b.db.err = nil; on {
				b.db.err = broken
			}
		},
		"the number of products": func(b *bundle, on bool) {
			if b.db.products = 80; on {
				b.db.products = 81
			}
		},
		"the manifest":            failing("manifest.json"),
		"the products":            failing("items.parquet"),
		"the neighbours":          failing("near-items.parquet"),
		"the manifest's content":  damaged("manifest.json"),
		"the products' content":   damaged("items.parquet"),
		"the neighbours' content": damaged("near-items.parquet"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, math.MaxInt64)
			b.ask(t)
			fault(b, true)
			for range 4 {
				b.steps(t)
				if b.ask(t) {
					t.Fatal("the memory answers")
				}
				b.now = b.now.Add(time.Hour)
			}
			if n := strings.Count(b.log.String(), "not loaded into memory"); n != 1 {
				t.Errorf("%d lines: %s", n, b.log)
			}
			fault(b, false)
			b.steps(t)
			if !b.ask(t) {
				t.Errorf("the memory does not answer: %s", b.log)
			}
			fault(b, true)
			b.db.Promote(memory.New(version(second)))
			b.ask(t)
			b.steps(t)
			if b.steps(t) > 0 {
				t.Error("it tries again without a pause")
			}
		})
	}
}

// TestTheDatabaseAnswersWhenTheStateCannotBeRead: what is in memory is let go, with one line, and comes
// back after a pause.
func TestTheDatabaseAnswersWhenTheStateCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(db *fakeDatabase, on bool){
		"it fails": func(db *fakeDatabase, on bool) {
			if db.since, db.err = nil, nil; on {
				db.since, db.err = errors.New("no rows"), errors.New("no rows")
			}
		},
		"it takes too long": func(db *fakeDatabase, on bool) {
			if db.hangs, db.err = on, nil; on {
				db.err = context.DeadlineExceeded
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, math.MaxInt64)
			b.ask(t)
			b.steps(t)
			b.log.Reset()
			fault(b.db, true)
			for n := range 4 {
				if b.ask(t) || len(b.Held()) > 0 {
					t.Fatal("the memory answers")
				}
				if n == 0 && b.Step(t.Context()) {
					t.Error("it loads again without a pause")
				}
				b.now = b.now.Add(time.Hour)
				b.steps(t)
			}
			if n := strings.Count(b.log.String(), "\n"); n != 1 {
				t.Errorf("%d lines: %s", n, b.log)
			}
			fault(b.db, false)
			b.now = b.now.Add(time.Hour)
			b.steps(t)
			if !b.ask(t) {
				t.Errorf("the memory does not answer: %s", b.log)
			}
		})
	}
}

// TestAPrunedVersionDoesNotTakeOthersWithIt: if the version that answered before is gone when the next question
// comes, the one that answers now stays in memory.
func TestAPrunedVersionDoesNotTakeOthersWithIt(t *testing.T) {
	t.Parallel()
	b := setup(t, math.MaxInt64)
	b.db.SetCanary(memory.New(version(second)), 0.5)
	b.ask(t)
	b.steps(t)
	b.db.Promote(memory.New(version(second)))
	b.db.SetCanary(nil, 0)
	b.db.pruned = first
	if !b.ask(t) || !slices.Equal(b.Held(), []string{second}) {
		t.Errorf("it holds %v: %s", b.Held(), b.log)
	}
	b.db.Promote(memory.New(version(first)))
	b.db.pruned = second
	if b.ask(t) || len(b.Held()) > 0 || strings.Contains(b.log.String(), "let go") {
		t.Errorf("it holds %v: %s", b.Held(), b.log)
	}
}

// TestNothingIsLetGoWhileTheDatabaseIsAway: what is in memory is no worse for it.
func TestNothingIsLetGoWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t, math.MaxInt64)
	b.ask(t)
	b.steps(t)
	b.db.away = errors.New("no connection")
	if _, err := b.Traffic(t.Context()); !errors.Is(err, b.db.away) {
		t.Errorf("got %v", err)
	}
	b.db.away = nil
	if !b.ask(t) {
		t.Error("the memory does not answer")
	}
}

// TestNothingIsLetGoWhenAnOutageEnds between two questions of one reading.
func TestNothingIsLetGoWhenAnOutageEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, math.MaxInt64)
	b.ask(t)
	b.steps(t)
	b.db.once = context.DeadlineExceeded
	if !b.ask(t) {
		t.Errorf("the memory does not answer: %s", b.log)
	}
}

// TestAFailureDoesNotDelayAnotherVersion: neither its pause nor its silence is for the next one.
func TestAFailureDoesNotDelayAnotherVersion(t *testing.T) {
	t.Parallel()
	b := setup(t, math.MaxInt64)
	missing := first
	b.files.fail = func(key string) error {
		if strings.Contains(key, missing) {
			return errors.New("no such file")
		}
		return nil
	}
	for range 5 {
		b.ask(t)
		b.steps(t)
		b.now = b.now.Add(time.Hour)
	}
	b.now = b.now.Add(-time.Hour) // within the pause
	missing = "none"
	b.db.Promote(memory.New(version(second)))
	b.ask(t)
	b.steps(t)
	if !b.ask(t) {
		t.Fatalf("the next version is not in memory: %s", b.log)
	}
	missing = first
	b.db.Promote(memory.New(version(first)))
	b.ask(t)
	b.steps(t)
	missing = second
	b.db.Promote(memory.New(version(second)))
	b.ask(t)
	b.steps(t)
	if n := strings.Count(b.log.String(), "not loaded into memory"); n != 3 {
		t.Errorf("%d lines for three failures: %s", n, b.log)
	}
}

func failing(file string) func(b *bundle, on bool) {
	return func(b *bundle, on bool) {
		b.files.fail = func(key string) error {
			if on && strings.HasSuffix(key, "/"+file) {
				return fmt.Errorf("read %s: no answer", file)
			}
			return nil
		}
	}
}

func damaged(file string) func(b *bundle, on bool) {
	return func(b *bundle, on bool) {
		if b.files.damage = ""; on {
			b.files.damage = "/" + file
		}
	}
}

// TestWhatDoesNotFit stays in the database, until another version is there.
func TestWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func() *bundle{
		"too large": func() *bundle { return setup(t, 1000) },
		"too slow": func() *bundle {
			b := setup(t, math.MaxInt64)
			b.db.products, b.loader.slow = 1e6, true
			return b
		},
		"without numbers": func() *bundle {
			b := setup(t, math.MaxInt64)
			b.db.numbered = false
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := make()
			for range 3 {
				b.ask(t)
				b.steps(t)
			}
			if b.ask(t) || strings.Count(b.log.String(), "\n") != 1 {
				t.Errorf("it holds %v: %s", b.Held(), b.log)
			}
			b.loader.budget, b.loader.slow, b.db.products, b.db.numbered = math.MaxInt64, false, 80, true
			b.db.Promote(memory.New(version(second)))
			b.ask(t)
			b.steps(t)
			if !b.ask(t) {
				t.Errorf("another version is not in memory: %s", b.log)
			}
		})
	}
}

// TestStateOfUnknownProductsIsNotKept: a shop may have many more products than the versions in memory.
func TestStateOfUnknownProductsIsNotKept(t *testing.T) { //nolint:paralleltest // it measures the heap
	b := setup(t, math.MaxInt64)
	no := false
	b.db.shown = func() map[string]*bool {
		shown := map[string]*bool{"L0_05": &no}
		for i := range 500_000 {
			shown[fmt.Sprintf("unknown %d", i)] = &no
		}
		return shown
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	b.ask(t)
	before := heap()
	b.steps(t)
	if after := heap(); after > before+8<<20 {
		t.Errorf("it keeps %d MB", (after-before)>>20)
	}
	traffic, err := b.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := b.Retrieve(t.Context(), traffic.Live, []recommend.Search{{Limit: 100}}, nil)
	if err != nil || slices.ContainsFunc(found[0], func(c recommend.Candidate) bool { return c.Code == "L0_05" }) {
		t.Errorf("found %v, %v", found, err)
	}
	runtime.KeepAlive(b)
}

// TestRun loads in the background, and ends.
func TestRun(t *testing.T) {
	t.Parallel()
	b := setup(t, math.MaxInt64)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.Run(ctx)
	}()
	for deadline := time.Now().Add(time.Minute); len(b.Held()) == 0; b.ask(t) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was loaded")
		}
	}
	cancel()
	<-ended
}

// TestOpen takes what can be a store of versions, and needs none.
func TestOpen(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	for _, test := range []struct {
		artifacts string
		share     float64
		store, ok bool
	}{
		{"", 0.5, false, true}, {"b", 0, false, true}, {"b", 0.5, false, true}, {"file:///f", 0.5, true, true},
		{"b", -0.1, false, false}, {"b", 0.7, false, false}, {"b", 1, false, false}, {"b", math.NaN(), false, false},
	} {
		store, err := Open(nil, envconfig.Memory{Artifacts: test.artifacts, Share: test.share}, slog.New(slog.DiscardHandler))
		if (store != nil) != test.store || (err == nil) != test.ok {
			t.Errorf("%+v: %v, %v", test, store, err)
		}
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a")
	for artifacts, ok := range map[string]bool{"s3://b/p": true, "s3://": false} {
		store, err := Open(nil, envconfig.Memory{Artifacts: artifacts, Share: 0.5}, slog.New(slog.DiscardHandler))
		if (store != nil) != ok || (err == nil) != ok {
			t.Errorf("%s: %v, %v", artifacts, store, err)
		}
	}
}

// TestAvailable is what a process is told of its memory.
func TestAvailable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "memory.max")
	for _, test := range []struct {
		lambda string
		limit  int64
		cgroup string
		want   int64
	}{
		{"512", 7, "9", 512 << 20}, {"", 7, "9", 7}, {"", math.MaxInt64, "9\n", 9}, {"", math.MaxInt64, "max\n", assumed},
		{"x", math.MaxInt64, "", assumed},
	} {
		if err := os.WriteFile(file, []byte(test.cgroup), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := available(func(string) string { return test.lambda }, test.limit, file); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}
