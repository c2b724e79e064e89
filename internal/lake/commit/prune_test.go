package commit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
)

// week is the age that the tests prune by; old is older.
const (
	week = 7 * 24 * time.Hour
	old  = -8 * 24 * time.Hour
)

// age makes every object below dir's run folders old.
func age(t *testing.T, dir string) {
	t.Helper()
	runs, err := filepath.Glob(filepath.Join(dir, prefix, "run=*"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(old)
	for _, run := range runs {
		err := filepath.WalkDir(run, func(name string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(name, at, at)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// leave lets a writer of d die after puts writes.
func leave(t *testing.T, store objectstore.Store, d commit.Draft, puts int) {
	t.Helper()
	if _, _, err := commit.NewRepository(&stopping{Store: store, puts: puts}, prefix).Commit(t.Context(),
		d); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
}

func TestPruneCollectsOldOrphansAndNeverACompleteOrYoungRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := objectstore.NewFolder(dir)
	repo := commit.NewRepository(store, prefix)
	first := mustCommit(t, repo, draft(t, "one"))
	second := mustCommit(t, repo, draft(t, "two"))
	leave(t, store, draft(t, "left behind"), 1)
	age(t, dir)
	leave(t, store, draft(t, "on its way"), 2)

	pruned, err := repo.Prune(t.Context(), week)
	if err != nil || len(pruned.Runs) != 1 || pruned.Objects != 1 || pruned.Bytes == 0 {
		t.Fatalf("pruned %+v, error %v, want one run of one object", pruned, err)
	}
	for _, m := range []commit.Manifest{first, second} {
		if err := repo.Verify(t.Context(), m); err != nil {
			t.Errorf("a complete run was touched: %v", err)
		}
	}
	young := 0
	for info, err := range store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if time.Since(info.Modified) < time.Hour && filepath.Ext(info.Key) == ".parquet" {
			young++
		}
	}
	if young != 2 {
		t.Errorf("%d files of the young run are there, want 2", young)
	}
	if again, err := repo.Prune(t.Context(), week); err != nil || again.Objects != 0 {
		t.Errorf("second prune: %+v, %v", again, err)
	}
	age(t, dir) // the tombstone too
	if _, err := repo.Prune(t.Context(), week); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, prefix, "run="+pruned.Runs[0], "*.json")); len(left) != 0 {
		t.Errorf("an old tombstone is still there: %q", left)
	}
	wantCurrent(t, repo, "two")
	if _, err := repo.Prune(t.Context(), time.Minute); err == nil {
		t.Error("an age of a minute was accepted")
	}
}

// TestExpireDeletesWhatKeepWroteByItsAge: complete or not, and nothing younger. A killed Expire leaves no run
// that looks complete, and the same content can be kept again.
func TestExpireDeletesWhatKeepWroteByItsAge(t *testing.T) {
	t.Parallel()
	named := func(run string) commit.Draft {
		d := draft(t, run)
		d.Run = run
		return d
	}
	for deletes := range 5 { // a manifest, and two files and one file
		dir := t.TempDir()
		store := objectstore.NewFolder(dir)
		repo := commit.NewRepository(store, prefix)
		keep := func(run string) {
			t.Helper()
			if _, err := repo.Keep(t.Context(), named(run)); err != nil {
				t.Fatal(err)
			}
		}
		keep("old")
		broken := commit.NewRepository(&stopping{Store: store, puts: 1}, prefix)
		if _, err := broken.Keep(t.Context(), named("left-behind")); !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		age(t, dir)
		if err := repo.PutRecord(t.Context(), "old", "record", []byte("which makes it no younger")); err != nil {
			t.Fatal(err)
		}
		keep("young")
		_, err := commit.NewRepository(&deleting{store, deletes}, prefix).Expire(t.Context(), week)
		if !errors.Is(err, errStopped) {
			t.Fatalf("after %d deletes: %v", deletes, err)
		}
		m, err := repo.Manifest(t.Context(), "old")
		if err == nil {
			err = repo.Verify(t.Context(), m)
		}
		if whole := err == nil; !whole && !errors.Is(err, objectstore.ErrNotFound) || whole && deletes > 1 {
			t.Errorf("after %d deletes the old run: %v", deletes, err)
		}
		if _, err := repo.Expire(t.Context(), week); err != nil {
			t.Fatal(err)
		}
		if m, err = repo.Manifest(t.Context(), "young"); err == nil {
			err = repo.Verify(t.Context(), m)
		}
		if err != nil {
			t.Errorf("the young run: %v", err)
		}
		for _, run := range []string{"old", "left-behind"} {
			left, _ := filepath.Glob(filepath.Join(dir, prefix, "run="+run, "manifest.json"))
			if len(left) > 0 {
				t.Errorf("there is %q", left)
			}
			keep(run)
		}
	}
	if _, err := commit.NewRepository(objectstore.NewFolder(t.TempDir()), prefix).Expire(t.Context(),
		time.Minute); err == nil {
		t.Error("an age of a minute was accepted")
	}
}

// deleting is a store that only deletes n times.
type deleting struct {
	objectstore.Store
	n int
}

func (d *deleting) Delete(ctx context.Context, key string) error {
	if d.n--; d.n < 0 {
		return errStopped
	}
	return d.Store.Delete(ctx, key)
}

// stepping calls step before its n-th operation.
type stepping struct {
	objectstore.Store
	n    int
	step func()
}

func (s *stepping) count() {
	if s.n--; s.n == 0 {
		s.step()
	}
}

func (s *stepping) Get(ctx context.Context, key string) (io.ReadCloser, objectstore.Info, error) {
	s.count()
	return s.Store.Get(ctx, key)
}

func (s *stepping) Put(ctx context.Context, key string, body io.ReadSeeker, size int64,
	cond objectstore.Condition) (objectstore.Info, error) {
	s.count()
	return s.Store.Put(ctx, key, body, size, cond)
}

func (s *stepping) List(ctx context.Context, prefix string) iter.Seq2[objectstore.Info, error] {
	s.count()
	return s.Store.List(ctx, prefix)
}

func (s *stepping) Delete(ctx context.Context, key string) error {
	s.count()
	return s.Store.Delete(ctx, key)
}

// A writer of the same content uses the folder that is being collected: wherever the one meets the
// other, what is current is whole.
func TestCommitIsWholeWhereverPruneMeetsItsFolder(t *testing.T) {
	t.Parallel()
	for _, left := range []int{1, 2} { // files that a dead writer left
		for n := 1; n <= 12; n++ {
			t.Run(fmt.Sprintf("prune before operation %d of the commit, %d files left", n, left), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				store := objectstore.NewFolder(dir)
				next := draft(t, "new")
				leave(t, store, next, left)
				age(t, dir)
				met := &stepping{Store: store, n: n, step: func() {
					if _, err := commit.NewRepository(store, prefix).Prune(t.Context(), week); err != nil {
						t.Error(err)
					}
				}}
				repo := commit.NewRepository(store, prefix)
				m, changed, err := commit.NewRepository(met, prefix).Commit(t.Context(), next)
				if err != nil || !changed {
					t.Fatalf("changed %v, error %v", changed, err)
				}
				if err := repo.Verify(t.Context(), m); err != nil {
					t.Error(err)
				}
				wantCurrent(t, repo, "new")
			})
			t.Run(fmt.Sprintf("commit before operation %d of the prune, %d files left", n, left), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				store := objectstore.NewFolder(dir)
				next := draft(t, "new")
				leave(t, store, next, left)
				age(t, dir)
				repo := commit.NewRepository(store, prefix)
				met := &stepping{Store: store, n: n, step: func() { mustCommit(t, repo, next) }}
				if _, err := commit.NewRepository(met, prefix).Prune(t.Context(), week); err != nil {
					t.Fatal(err)
				}
				if met.n > 0 { // the prune was over before
					mustCommit(t, repo, next)
				}
				wantCurrent(t, repo, "new")
			})
		}
	}
}

// A tombstone that is old goes, with what a late writer put beside it: no writer may have taken
// that for its own.
func TestCommitIsWholeWhereverPruneTakesAnOldTombstoneAway(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 12; n++ {
		t.Run(fmt.Sprintf("prune before operation %d of the commit", n), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := objectstore.NewFolder(dir)
			repo := commit.NewRepository(store, prefix)
			next := draft(t, "new")
			leave(t, store, next, 2)
			age(t, dir)
			pruned, err := repo.Prune(t.Context(), week)
			if err != nil || len(pruned.Runs) != 1 {
				t.Fatalf("%+v, error %v", pruned, err)
			}
			for _, f := range next.Files { // of a writer that was slower than all are allowed to be
				content := "new of " + f.Path
				key := prefix + "/run=" + pruned.Runs[0] + "/" + f.Path
				if _, err := store.Put(t.Context(), key, strings.NewReader(content), int64(len(content)),
					objectstore.Condition{}); err != nil {
					t.Fatal(err)
				}
			}
			age(t, dir)
			met := &stepping{Store: store, n: n, step: func() {
				if _, err := repo.Prune(t.Context(), week); err != nil {
					t.Error(err)
				}
			}}
			m, changed, err := commit.NewRepository(met, prefix).Commit(t.Context(), next)
			if err != nil || !changed {
				t.Fatalf("changed %v, error %v", changed, err)
			}
			if err := repo.Verify(t.Context(), m); err != nil {
				t.Error(err)
			}
			wantCurrent(t, repo, "new")
		})
	}
}

func TestStagedFilesAreCommittedOnceOrDiscarded(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := commit.NewRepository(store, prefix)
	stage := func(content, run string) commit.Draft {
		d := draft(t, content)
		files, err := repo.Stage(t.Context(), run, d.Dir, d.Files)
		if err != nil {
			t.Fatal(err)
		}
		d.Run, d.Dir, d.Files = run, "", files
		return d
	}
	one := stage("one", "j1")
	if err := repo.PutRecord(t.Context(), "j1", "parts/00000.json", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := repo.PutRecord(t.Context(), "j1", "parts/00000.json", []byte("second")); !errors.Is(err,
		commit.ErrRunTaken) {
		t.Errorf("second record: error %v, want ErrRunTaken", err)
	}
	if data, err := repo.Record(t.Context(), "j1", "parts/00000.json"); err != nil || string(data) != "first" {
		t.Errorf("record %q, error %v", data, err)
	}
	if _, err := repo.Current(t.Context()); !errors.Is(err, commit.ErrNoCurrent) {
		t.Errorf("staging committed something: %v", err)
	}
	for _, want := range []bool{true, false} {
		if m, changed, err := repo.CommitStaged(t.Context(), one, true); err != nil || changed != want || m.Run != "j1" {
			t.Errorf("run %s, changed %v, error %v; want changed %v", m.Run, changed, err, want)
		}
	}
	wantCurrent(t, repo, "one")

	two := stage("two", "j2")
	damage(t, store, prefix+"/run=j2/"+two.Files[0].Path, "two, damaged of any length")
	for _, hashes := range []bool{true, false} {
		if _, _, err := repo.CommitStaged(t.Context(), two, hashes); !errors.Is(err, commit.ErrCorrupt) {
			t.Errorf("damaged file, hashes %v: error %v, want ErrCorrupt", hashes, err)
		}
	}
	wantCurrent(t, repo, "one")
	pruned, err := repo.Discard(t.Context(), "j2")
	if err != nil || !slices.Equal(pruned.Runs, []string{"j2"}) || pruned.Objects != 2 {
		t.Errorf("discarded %+v, error %v", pruned, err)
	}
	if _, _, err := repo.CommitStaged(t.Context(), two, false); !errors.Is(err, commit.ErrCorrupt) {
		t.Errorf("a discarded run: error %v", err)
	}
	if again, err := repo.Discard(t.Context(), "j1"); err != nil || again.Objects != 0 {
		t.Errorf("a complete run was discarded: %+v, %v", again, err)
	}
	wantCurrent(t, repo, "one")
}

func TestVerifyNamesEveryDamagedFile(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := commit.NewRepository(store, prefix)
	m := mustCommit(t, repo, draft(t, "one"))
	if err := repo.Verify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		damage(t, store, prefix+"/run="+m.Run+"/"+f.Path, "onE of "+f.Path)
	}
	err := repo.Verify(t.Context(), m)
	if !errors.Is(err, commit.ErrCorrupt) {
		t.Fatalf("error %v, want ErrCorrupt", err)
	}
	for _, f := range m.Files {
		if !errorNames(err, f.Path) {
			t.Errorf("%q does not name %s", err, f.Path)
		}
	}
}

func errorNames(err error, what string) bool {
	return err != nil && strings.Contains(err.Error(), what)
}
