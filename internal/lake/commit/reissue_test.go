package commit

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/lake/objectstore"
)

// without takes a word out of the files.
func without(word string) func(File, []byte) (*Rest, error) {
	return func(f File, data []byte) (*Rest, error) {
		n := int64(strings.Count(string(data), word))
		if n == 0 {
			return nil, nil
		}
		return &Rest{[]byte(strings.ReplaceAll(string(data), word, "")), f.Rows - n}, nil
	}
}

func same(details json.RawMessage) json.RawMessage { return details }

func mustCommitFiles(t *testing.T, r *Repository, files map[string]string) Manifest {
	t.Helper()
	draft := Draft{Kind: "test", Dir: t.TempDir()}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(draft.Dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		draft.Files = append(draft.Files, File{Path: name, DataSet: name, Rows: 9})
	}
	m, _, err := r.Commit(t.Context(), draft)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mustHold checks that a run is whole, and what the whole folder of the run holds.
func mustHold(t *testing.T, r *Repository, store objectstore.Store, run string, want map[string]string) {
	t.Helper()
	m, err := r.Manifest(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(t.Context(), m); err != nil {
		t.Error(err)
	}
	for info, err := range store.List(t.Context(), "set/run="+run+"/") {
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(info.Key, "set/run="+run+"/")
		data, _, err := objectstore.ReadAll(t.Context(), store, info.Key)
		if err != nil || name != ManifestName && string(data) != want[name] {
			t.Errorf("%s holds %q, want %q, %v", name, data, want[name], err)
		}
	}
}

func TestAReissuedRunKeepsItsName(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	r := NewRepository(store, "set")
	older := mustCommitFiles(t, r, map[string]string{"a": "x ann x", "b": "x"})
	newer := mustCommitFiles(t, r, map[string]string{"a": "y ann ann", "b": "ann", "c": "y"})
	for _, m := range []Manifest{older, newer} {
		before, after, changed, err := r.Reissue(t.Context(), m.Run, without("ann"), same)
		if err != nil || !changed || before.ContentHash != m.ContentHash || after.ContentHash == m.ContentHash ||
			after.Run != m.Run || len(after.Erased) != 1 || after.Erased[0].ContentHash != m.ContentHash {
			t.Fatalf("%+v, %v, %v", after, changed, err)
		}
		if _, _, changed, err := r.Reissue(t.Context(), m.Run, without("ann"), same); changed || err != nil {
			t.Errorf("a second time: %v, %v", changed, err)
		}
	}
	mustHold(t, r, store, older.Run, map[string]string{"a": "x  x", "b": "x"})
	mustHold(t, r, store, newer.Run, map[string]string{"a": "y  ", "b": "", "c": "y"})
	current, err := r.Current(t.Context())
	if err != nil || current.Run != newer.Run || current.Erased[0].Rows != 3 || current.Files[0].Rows != 7 {
		t.Errorf("%+v, %v", current, err)
	}
	if _, changed, err := r.Restore(t.Context(), older.Run); err != nil || !changed {
		t.Errorf("the older run cannot be current again: %v", err)
	}
}

// A damaged file is refused: a reissue must not make damage valid.
func TestAReissueRefusesDamage(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	r := NewRepository(store, "set")
	m := mustCommitFiles(t, r, map[string]string{"a": "ann"})
	if _, err := store.Put(t.Context(), "set/run="+m.Run+"/a", strings.NewReader("ann?"), 4,
		objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := r.Reissue(t.Context(), m.Run, without("ann"), same); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// Killed after any write, a reissue is finished by the next one, also if that takes out somebody else too.
func TestAReissueThatWasKilledIsFinished(t *testing.T) {
	t.Parallel()
	for kill := 0; ; kill++ {
		folder := objectstore.NewFolder(t.TempDir())
		r := NewRepository(folder, "set")
		m := mustCommitFiles(t, r, map[string]string{"a": "ann bob ", "b": "ann bob", "c": "c"})
		dying := &dyingStore{Folder: folder, left: kill}
		_, _, _, killed := NewRepository(dying, "set").Reissue(t.Context(), m.Run, without("ann"), same)
		for _, word := range []string{"ann", "bob"} {
			if _, _, _, err := r.Reissue(t.Context(), m.Run, without(word), same); err != nil {
				t.Fatalf("after %d writes: %v", kill, err)
			}
		}
		mustHold(t, r, folder, m.Run, map[string]string{"a": "  ", "b": " ", "c": "c"})
		if current, err := r.Current(t.Context()); err != nil || current.Run != m.Run {
			t.Fatalf("after %d writes: %+v, %v", kill, current, err)
		}
		if killed == nil {
			if kill < 5 {
				t.Errorf("it ended after %d writes", kill)
			}
			return
		}
	}
}

// dyingStore fails every write after some.
type dyingStore struct {
	*objectstore.Folder
	left int
}

var errDead = errors.New("killed")

func (d *dyingStore) dies() bool {
	d.left--
	return d.left < 0
}

func (d *dyingStore) Put(ctx context.Context, key string, body io.ReadSeeker, size int64,
	cond objectstore.Condition) (objectstore.Info, error) {
	if d.dies() {
		return objectstore.Info{}, errDead
	}
	return d.Folder.Put(ctx, key, body, size, cond)
}

func (d *dyingStore) Delete(ctx context.Context, key string) error {
	if d.dies() {
		return errDead
	}
	return d.Folder.Delete(ctx, key)
}
