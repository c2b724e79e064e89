package commit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
)

const prefix = "training-set"

// draft writes two files with the given content and returns them as a draft.
func draft(t *testing.T, content string) commit.Draft {
	t.Helper()
	dir := t.TempDir()
	files := []commit.File{
		{Path: "ratings/part-00001.parquet", DataSet: "ratings", Rows: 2},
		{Path: "ratings/part-00000.parquet", DataSet: "ratings", Rows: 3},
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content+" of "+f.Path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return commit.Draft{Kind: "test", SchemaFingerprint: "schema", Source: map[string]string{"from": "test"}, Dir: dir,
		Files: files}
}

func mustCommit(t *testing.T, repo *commit.Repository, d commit.Draft) commit.Manifest {
	t.Helper()
	m, _, err := repo.Commit(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantCurrent fetches every file of the current run and compares its content.
func wantCurrent(t *testing.T, repo *commit.Repository, content ...string) {
	t.Helper()
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var got []string
	for _, f := range m.Files {
		name := filepath.Join(dir, f.Path)
		if err := repo.Fetch(t.Context(), m, f, name); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found, path, _ := strings.Cut(string(data), " of ")
		if path != f.Path {
			t.Errorf("%s holds %q", f.Path, data)
		}
		got = append(got, found)
	}
	for _, want := range content {
		if len(got) == 2 && got[0] == want && got[1] == want {
			return
		}
	}
	t.Errorf("the current run holds %q, want twice the same of %q", got, content)
}

// keys lists the whole store.
func keys(t *testing.T, store objectstore.Store) []string {
	t.Helper()
	var all []string
	for info, err := range store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Key+" "+info.Modified.String())
	}
	return all
}

func TestCommitThenRead(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := commit.NewRepository(store, prefix)
	if _, err := repo.Current(t.Context()); !errors.Is(err, commit.ErrNoCurrent) {
		t.Errorf("Current of an empty store: error %v, want ErrNoCurrent", err)
	}
	first, changed, err := repo.Commit(t.Context(), draft(t, "one"))
	if err != nil || !changed {
		t.Fatalf("first commit: changed %v, error %v", changed, err)
	}
	if len(first.Run) != 16 || !strings.HasPrefix(first.ContentHash, first.Run) || first.Rows("ratings") != 5 ||
		first.Parent != "" {
		t.Errorf("first manifest: %+v", first)
	}
	second := mustCommit(t, repo, draft(t, "two"))
	if second.Parent != first.Run {
		t.Errorf("parent %q, want %q", second.Parent, first.Run)
	}
	wantCurrent(t, repo, "two")
	got, err := repo.Manifest(t.Context(), first.Run)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Errorf("the first run's manifest changed (-want +got):\n%s", diff)
	}
}

func TestCommitOfTheSameContentWritesNothing(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := commit.NewRepository(store, prefix)
	first := mustCommit(t, repo, draft(t, "one"))
	before := keys(t, store)
	again, changed, err := repo.Commit(t.Context(), draft(t, "one"))
	if err != nil || changed {
		t.Fatalf("second commit: changed %v, error %v", changed, err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("manifest differs (-first +again):\n%s", diff)
	}
	if diff := cmp.Diff(before, keys(t, store)); diff != "" {
		t.Errorf("objects differ (-before +after):\n%s", diff)
	}
}

func TestCommitBackToOldContentReusesItsRun(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), prefix)
	first := mustCommit(t, repo, draft(t, "one"))
	mustCommit(t, repo, draft(t, "two"))
	back, changed, err := repo.Commit(t.Context(), draft(t, "one"))
	if err != nil || !changed || back.Run != first.Run {
		t.Fatalf("run %q, changed %v, error %v; want run %q", back.Run, changed, err, first.Run)
	}
	wantCurrent(t, repo, "one")
}

func TestRestoreMakesAnEarlierRunCurrentWithoutItsFiles(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := commit.NewRepository(store, prefix)
	if _, _, err := repo.Restore(t.Context(), "nothing"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("a run that never was: error %v, want ErrNotFound", err)
	}
	first := mustCommit(t, repo, draft(t, "one"))
	second := mustCommit(t, repo, draft(t, "two"))
	for _, want := range []bool{true, false} {
		m, changed, err := repo.Restore(t.Context(), first.Run)
		if err != nil || changed != want {
			t.Fatalf("changed %v, error %v, want %v", changed, err, want)
		}
		if diff := cmp.Diff(first, m); diff != "" {
			t.Errorf("manifest (-want +got):\n%s", diff)
		}
		wantCurrent(t, repo, "one")
	}
	damage(t, store, prefix+"/run="+second.Run+"/ratings/part-00001.parquet", "other")
	if _, _, err := repo.Restore(t.Context(), second.Run); !errors.Is(err, commit.ErrCorrupt) {
		t.Errorf("a damaged run: error %v, want ErrCorrupt", err)
	}
	wantCurrent(t, repo, "one")
}

func TestRestoreOfAnUnfinishedRunIsNotFound(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	next := draft(t, "new")
	next.Run = "m1"
	stopped := commit.NewRepository(&stopping{Store: store, puts: 2}, prefix) // the files, but no manifest
	if _, _, err := stopped.Commit(t.Context(), next); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	if _, _, err := commit.NewRepository(store, prefix).Restore(t.Context(), "m1"); !errors.Is(err,
		objectstore.ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
}

func TestCommitNeverOverwritesARun(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), prefix)
	one, two := draft(t, "one"), draft(t, "two")
	one.Run, two.Run = "m1", "m1"
	mustCommit(t, repo, one)
	if _, _, err := repo.Commit(t.Context(), two); !errors.Is(err, commit.ErrRunTaken) {
		t.Errorf("error %v, want ErrRunTaken", err)
	}
	wantCurrent(t, repo, "one")
}

// stopping does the first puts, then answers nothing but errors, as if the process had died. With
// lost set, the last put reaches the store and only its answer is lost.
type stopping struct {
	objectstore.Store
	puts int
	lost bool
}

var errStopped = errors.New("stopped")

func (s *stopping) Put(ctx context.Context, key string, body io.ReadSeeker, size int64,
	cond objectstore.Condition) (objectstore.Info, error) {
	s.puts--
	if s.puts >= 0 {
		return s.Store.Put(ctx, key, body, size, cond)
	}
	if s.puts == -1 && s.lost {
		if _, err := s.Store.Put(ctx, key, body, size, cond); err != nil {
			return objectstore.Info{}, err
		}
	}
	return objectstore.Info{}, errStopped
}

func TestReaderSeesOldOrNewWhereverAWriterStops(t *testing.T) {
	t.Parallel()
	const steps = 4 // two files, the manifest, CURRENT
	for _, old := range []string{"", "old"} {
		for step := range steps {
			for _, lost := range []bool{false, true} {
				t.Run(fmt.Sprintf("after %q at step %d lost %v", old, step, lost), func(t *testing.T) {
					t.Parallel()
					store := objectstore.NewFolder(t.TempDir())
					repo := commit.NewRepository(store, prefix)
					if old != "" {
						mustCommit(t, repo, draft(t, old))
					}
					next := draft(t, "new")
					broken := commit.NewRepository(&stopping{Store: store, puts: step, lost: lost}, prefix)
					if _, _, err := broken.Commit(t.Context(), next); !errors.Is(err, errStopped) {
						t.Fatalf("error %v, want the stop", err)
					}
					done := step == steps-1 && lost
					switch _, err := repo.Current(t.Context()); {
					case done:
						wantCurrent(t, repo, "new")
					case old != "":
						wantCurrent(t, repo, old)
					case !errors.Is(err, commit.ErrNoCurrent):
						t.Errorf("error %v, want ErrNoCurrent", err)
					}
					if _, changed, err := repo.Commit(t.Context(), next); err != nil || changed == done {
						t.Errorf("repeated commit: changed %v, error %v", changed, err)
					}
					wantCurrent(t, repo, "new")
				})
			}
		}
	}
}

// meeting lets all writers read CURRENT before any of them replaces it.
type meeting struct {
	objectstore.Store
	arrived *sync.WaitGroup
}

func (m *meeting) Put(ctx context.Context, key string, body io.ReadSeeker, size int64,
	cond objectstore.Condition) (objectstore.Info, error) {
	if strings.HasSuffix(key, "/CURRENT") {
		m.arrived.Done()
		m.arrived.Wait()
	}
	return m.Store.Put(ctx, key, body, size, cond)
}

// raceCommits commits all drafts at once and returns who changed CURRENT and everyone's error.
func raceCommits(t *testing.T, store objectstore.Store, drafts []commit.Draft) (changed []int, errs []error) {
	t.Helper()
	var arrived, group sync.WaitGroup
	arrived.Add(len(drafts))
	did := make([]bool, len(drafts))
	errs = make([]error, len(drafts))
	for i, d := range drafts {
		group.Go(func() {
			repo := commit.NewRepository(&meeting{store, &arrived}, prefix)
			_, did[i], errs[i] = repo.Commit(t.Context(), d)
		})
	}
	group.Wait()
	for i, ok := range did {
		if ok {
			changed = append(changed, i)
		}
	}
	return changed, errs
}

func TestOfRacingCommitsOneWinsAndTheOthersSayWhich(t *testing.T) {
	t.Parallel()
	for _, old := range []string{"", "old"} {
		store := objectstore.NewFolder(t.TempDir())
		repo := commit.NewRepository(store, prefix)
		if old != "" {
			mustCommit(t, repo, draft(t, old))
		}
		drafts := make([]commit.Draft, 8)
		for i := range drafts {
			drafts[i] = draft(t, fmt.Sprint("racer ", i))
		}
		changed, errs := raceCommits(t, store, drafts)
		if len(changed) != 1 {
			t.Fatalf("winners %v, want exactly one; errors %v", changed, errs)
		}
		wantCurrent(t, repo, fmt.Sprint("racer ", changed[0]))
		winner, err := repo.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, err := range errs {
			if i != changed[0] && (!errors.Is(err, commit.ErrConflict) || !strings.Contains(err.Error(), winner.Run)) {
				t.Errorf("racer %d: error %v, want ErrConflict that names %s", i, err, winner.Run)
			}
		}
	}
}

func TestSlowWriterNeverReplacesWhatWasCommittedSinceItBegan(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), prefix)
	slow := draft(t, "slow")
	slow.Base = new("") // nothing was current when it began
	first := mustCommit(t, repo, draft(t, "first"))
	if _, _, err := repo.Commit(t.Context(), slow); !errors.Is(err, commit.ErrConflict) ||
		!strings.Contains(err.Error(), first.Run) {
		t.Errorf("error %v, want ErrConflict that names %s", err, first.Run)
	}
	wantCurrent(t, repo, "first")
	slow.Base = &first.Run
	mustCommit(t, repo, slow)
	wantCurrent(t, repo, "slow")
	same := draft(t, "slow")
	same.Base = new("")
	if _, changed, err := repo.Commit(t.Context(), same); err != nil || changed {
		t.Errorf("the same content as what is current: changed %v, error %v", changed, err)
	}
}

func TestRacingCommitsOfTheSameContentAllSucceed(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	drafts := make([]commit.Draft, 8)
	for i := range drafts {
		drafts[i] = draft(t, "same")
	}
	changed, errs := raceCommits(t, store, drafts)
	if err := errors.Join(errs...); err != nil || len(changed) != 1 {
		t.Errorf("winners %v, error %v", changed, err)
	}
	wantCurrent(t, commit.NewRepository(store, prefix), "same")
}

func TestDamageIsErrCorrupt(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, key, content string }{
		{"a file with a flipped byte", "ratings/part-00000.parquet", "onE of ratings/part-00000.parquet"},
		{"a file cut short", "ratings/part-00000.parquet", "one"},
		{"a file that grew", "ratings/part-00000.parquet", "one of ratings/part-00000.parquet and more"},
		{"a file that is gone", "ratings/part-00000.parquet", ""},
		{"a manifest that is gone", "manifest.json", ""},
		{"a manifest that is no JSON", "manifest.json", "{"},
		{"a manifest of nothing", "manifest.json", "{}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			store := objectstore.NewFolder(t.TempDir())
			repo := commit.NewRepository(store, prefix)
			m := mustCommit(t, repo, draft(t, "one"))
			damage(t, store, prefix+"/run="+m.Run+"/"+test.key, test.content)
			current, err := repo.Current(t.Context())
			dst := filepath.Join(t.TempDir(), "file")
			if err == nil {
				err = repo.Fetch(t.Context(), current, current.Files[0], dst)
			}
			if !errors.Is(err, commit.ErrCorrupt) {
				t.Errorf("error %v, want ErrCorrupt", err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dst), "*")); len(left) != 0 {
				t.Errorf("damaged data appeared as %q", left)
			}
		})
	}
}

func TestManifestThatAgreesWithItselfButWasSwappedIsErrCorrupt(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := commit.NewRepository(store, prefix)
	m := mustCommit(t, repo, draft(t, "one"))
	key := prefix + "/run=" + m.Run + "/manifest.json"
	data, _, err := objectstore.ReadAll(t.Context(), store, key)
	if err != nil {
		t.Fatal(err)
	}
	damage(t, store, key, strings.Replace(string(data), `"kind": "test"`, `"kind": "tent"`, 1))
	if _, err := repo.Current(t.Context()); !errors.Is(err, commit.ErrCorrupt) {
		t.Errorf("error %v, want ErrCorrupt", err)
	}
}

func TestCommitRefusesBadPathsAndChangedFiles(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), prefix)
	for _, path := range []string{"", "/etc/passwd", "../x", "a/../b", "manifest.json"} {
		if _, _, err := repo.Commit(t.Context(),
			commit.Draft{Dir: t.TempDir(), Files: []commit.File{{Path: path}}}); err == nil {
			t.Errorf("path %q was accepted", path)
		}
	}
	d := draft(t, "one")
	d.Files[0].SHA256 = strings.Repeat("0", 64)
	if _, _, err := repo.Commit(t.Context(), d); !errors.Is(err, commit.ErrCorrupt) {
		t.Errorf("file that differs from its hash: error %v, want ErrCorrupt", err)
	}
}

func damage(t *testing.T, store objectstore.Store, key, content string) {
	t.Helper()
	if content == "" {
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		return
	}
	if _, err := store.Put(t.Context(), key, strings.NewReader(content), int64(len(content)),
		objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
}
