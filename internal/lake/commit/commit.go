// Package commit makes a set of files appear at once or not at all, on any objectstore.Store. The
// order of the steps is the guarantee:
//
//  1. each file goes to run=<id>/<path>, if absent; files are never overwritten
//  2. run=<id>/manifest.json lists them with sizes and hashes, if absent
//  3. CURRENT, the one object that changes, is swapped to the new manifest, if it is still what was read before
//
// A writer that dies after any step leaves the old set current; a reader that started on the old
// set finishes on it, because its files stay. Readers resolve CURRENT → manifest → files, check
// every hash and never look at anything that is not listed. Several writers may fill one folder
// before one of them takes step 2 (Stage, CommitStaged). A folder without a manifest is no set:
// Prune deletes it by age, and takes the manifest's place first, so that it and a writer of the
// same content never both own a folder. The package owns this protocol; what is in the files
// belongs to packages trainingset and modelversion.
package commit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/checksum"
)

// Repository holds the runs of one kind of set and says which one is current. It is safe for
// concurrent use, by several processes too.
type Repository struct {
	store  objectstore.Store
	prefix string
	now    func() time.Time
}

// NewRepository makes a repository of the keys under prefix. It makes no request.
func NewRepository(store objectstore.Store, prefix string) *Repository {
	return &Repository{store: store, prefix: prefix, now: time.Now}
}

// Draft is a run before it is committed.
type Draft struct {
	Kind              string
	Run               string // empty: the first 16 hex digits of the content hash
	SchemaFingerprint string
	Source, Details   any    // anything JSON; nil: none
	Dir               string // local folder that holds the files
	Files             []File // Bytes and SHA256 may be empty; if not, they must agree with the local files
	// Base is the run that was current when the writer began, empty: none. If another one has
	// become current since, the commit is an ErrConflict: a slow writer must not replace a run that
	// was read later. With nil, the draft replaces any run.
	Base *string
}

// superseded reports ErrConflict when current is not what the draft began with.
func (d Draft) superseded(run, current string) error {
	if d.Base == nil || *d.Base == current {
		return nil
	}
	return fmt.Errorf("make run %s current: %w: run %s", run, ErrConflict, current)
}

// Current reads the manifest of the current run. ErrNoCurrent before the first commit.
func (r *Repository) Current(ctx context.Context) (Manifest, error) {
	m, _, err := r.current(ctx)
	return m, err
}

// Manifest reads the manifest of any complete run. objectstore.ErrNotFound when there is none.
func (r *Repository) Manifest(ctx context.Context, run string) (Manifest, error) {
	m, _, err := r.manifest(ctx, run)
	return m, err
}

// Commit makes the draft current and returns its manifest. changed is false, and nothing is
// written, when the current run has the same content hash already. ErrConflict when another run
// became current meanwhile; ErrRunTaken when the run's folder holds other content. After any error
// the old run is still current, and the same Commit may be repeated.
func (r *Repository) Commit(ctx context.Context, draft Draft) (m Manifest, changed bool, err error) {
	if m, err = r.draftManifest(draft); err != nil {
		return Manifest{}, false, err
	}
	return r.succeed(ctx, draft, m, func(m Manifest) (stored Manifest, sum string, err error) {
		run := m.Run
		for try := 1; ; try++ {
			stored, sum, err = r.write(ctx, m, draft.Dir)
			if !errors.Is(err, ErrCollected) || draft.Run != "" || try == folderTries {
				return stored, sum, err
			}
			m.Run = fmt.Sprintf("%s-%d", run, try+1) // Prune has the folder of this name
		}
	})
}

// Keep is Commit for a run that is read by its name alone: CURRENT is neither read nor written. A run of the
// same content that is complete already stays.
func (r *Repository) Keep(ctx context.Context, draft Draft) (Manifest, error) {
	m, err := r.draftManifest(draft)
	if err != nil {
		return Manifest{}, err
	}
	m, _, err = r.write(ctx, m, draft.Dir)
	return m, err
}

// succeed makes m follow the current run, unless that has the same content already. bring sees to
// it that m's files and its manifest are in place, and returns the manifest that is stored, with
// its hash. The pointer moves only if nobody moved it meanwhile.
func (r *Repository) succeed(ctx context.Context, draft Draft, m Manifest,
	bring func(Manifest) (Manifest, string, error),
) (_ Manifest, changed bool, err error) {
	old, etag, err := r.current(ctx)
	if err != nil && !errors.Is(err, ErrNoCurrent) {
		return Manifest{}, false, err
	}
	if err == nil && old.ContentHash == m.ContentHash {
		return old, false, nil
	}
	if err := draft.superseded(m.Run, old.Run); err != nil {
		return Manifest{}, false, err
	}
	m.Parent = old.Run
	stored, sum, err := bring(m)
	if err != nil {
		return Manifest{}, false, err
	}
	return r.swap(ctx, stored, sum, etag)
}

// folderTries bounds how many folders of one content Prune may hold at once: one per call of it
// within its age.
const folderTries = 10

// write writes the files of m and its manifest. ErrCollected when the folder belongs to Prune.
func (r *Repository) write(ctx context.Context, m Manifest, dir string) (stored Manifest, sum string, err error) {
	if _, _, err := r.manifest(ctx, m.Run); errors.Is(err, ErrCollected) {
		return Manifest{}, "", err
	}
	for _, f := range m.Files {
		err := r.upload(ctx, m.Run, dir, f)
		if errors.Is(err, ErrRunTaken) { // or it went away while it was compared
			if _, _, gone := r.manifest(ctx, m.Run); errors.Is(gone, ErrCollected) {
				err = gone
			}
		}
		if err != nil {
			return Manifest{}, "", err
		}
	}
	return r.putManifest(ctx, m)
}

// Restore makes an earlier run current again, after checking all its files. changed is false when
// it is current already. objectstore.ErrNotFound when there is no such run or it was never
// complete; ErrCorrupt; ErrConflict as in Commit.
func (r *Repository) Restore(ctx context.Context, run string) (m Manifest, changed bool, err error) {
	old, etag, err := r.current(ctx)
	if err != nil && !errors.Is(err, ErrNoCurrent) {
		return Manifest{}, false, err
	}
	if err == nil && old.Run == run {
		return old, false, nil
	}
	m, sum, err := r.manifest(ctx, run)
	if err != nil {
		return Manifest{}, false, err
	}
	for _, f := range m.Files {
		if err := r.copyChecked(ctx, run, f, io.Discard); err != nil {
			return Manifest{}, false, fmt.Errorf("restore %s of run %s: %w", f.Path, run, err)
		}
	}
	return r.swap(ctx, m, sum, etag)
}

func (r *Repository) draftManifest(draft Draft) (Manifest, error) {
	files, err := hashFiles(draft.Dir, draft.Files)
	if err != nil {
		return Manifest{}, err
	}
	return r.newManifest(draft, files)
}

// newManifest lists files, which have their sizes and hashes.
func (r *Repository) newManifest(draft Draft, files []File) (m Manifest, err error) {
	files = slices.Clone(files)
	if err := checkFiles(files); err != nil {
		return Manifest{}, err
	}
	m = Manifest{Format: Format, Kind: draft.Kind, Run: draft.Run, ContentHash: contentHash(files),
		SchemaFingerprint: draft.SchemaFingerprint, CreatedAt: r.now().UTC().Truncate(time.Second), Files: files}
	if m.Run == "" {
		m.Run = m.ContentHash[:shortHash]
	}
	if err := checkRun(m.Run); err != nil {
		return Manifest{}, err
	}
	if m.Source, err = encodeOptional(draft.Source); err != nil {
		return Manifest{}, fmt.Errorf("encode source of run %s: %w", m.Run, err)
	}
	if m.Details, err = encodeOptional(draft.Details); err != nil {
		return Manifest{}, fmt.Errorf("encode details of run %s: %w", m.Run, err)
	}
	return m, nil
}

// putManifest writes m if absent and returns what is stored. A manifest of the same content that an
// earlier attempt left is as good as ours and stays.
func (r *Repository) putManifest(ctx context.Context, m Manifest) (stored Manifest, sum string, err error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return Manifest{}, "", fmt.Errorf("encode manifest of run %s: %w", m.Run, err)
	}
	err = r.put(ctx, r.key(m.Run, ManifestName), data, objectstore.Condition{IfNoneMatch: true})
	if err == nil {
		return m, checksum.Bytes(data), nil
	}
	if !errors.Is(err, objectstore.ErrPrecondition) {
		return Manifest{}, "", fmt.Errorf("write manifest of run %s: %w", m.Run, err)
	}
	stored, sum, err = r.manifest(ctx, m.Run)
	if err != nil {
		return Manifest{}, "", err
	}
	if stored.ContentHash != m.ContentHash {
		return Manifest{}, "", fmt.Errorf("write manifest of run %s: %w", m.Run, ErrRunTaken)
	}
	return stored, sum, nil
}

// swap points CURRENT at m, if CURRENT still has etag (empty: is still absent).
func (r *Repository) swap(ctx context.Context, m Manifest, sum, etag string) (_ Manifest, changed bool, err error) {
	data, err := json.Marshal(pointer{Run: m.Run, ManifestSHA256: sum})
	if err != nil {
		return Manifest{}, false, fmt.Errorf("encode pointer to run %s: %w", m.Run, err)
	}
	err = r.put(ctx, path.Join(r.prefix, currentName), data, objectstore.Condition{IfNoneMatch: etag == "", IfMatch: etag})
	if err == nil {
		return m, true, nil
	}
	if !errors.Is(err, objectstore.ErrPrecondition) {
		return Manifest{}, false, fmt.Errorf("make run %s current: %w", m.Run, err)
	}
	winner, _, err := r.current(ctx)
	if err != nil {
		return Manifest{}, false, fmt.Errorf("make run %s current: read who was first: %w", m.Run, err)
	}
	if winner.ContentHash == m.ContentHash { // another writer of the same content, or our own write whose answer was lost
		return winner, false, nil
	}
	return Manifest{}, false, fmt.Errorf("make run %s current: %w: run %s", m.Run, ErrConflict, winner.Run)
}

// current reads CURRENT and the manifest it names, and returns CURRENT's ETag.
func (r *Repository) current(ctx context.Context) (Manifest, string, error) {
	data, info, err := objectstore.ReadAll(ctx, r.store, path.Join(r.prefix, currentName))
	if errors.Is(err, objectstore.ErrNotFound) {
		return Manifest{}, "", fmt.Errorf("read %s of %s/%s: %w", currentName, r.store, r.prefix, ErrNoCurrent)
	}
	if err != nil {
		return Manifest{}, "", err
	}
	var p pointer
	if err := json.Unmarshal(data, &p); err != nil || checkRun(p.Run) != nil {
		return Manifest{}, "", fmt.Errorf("%w: %s of %s/%s names no run", ErrCorrupt, currentName, r.store, r.prefix)
	}
	m, sum, err := r.manifest(ctx, p.Run)
	if errors.Is(err, objectstore.ErrNotFound) {
		return Manifest{}, "", fmt.Errorf("%w: the manifest of the current run %s is gone", ErrCorrupt, p.Run)
	}
	if err != nil {
		return Manifest{}, "", err
	}
	if sum != p.ManifestSHA256 {
		return Manifest{}, "", fmt.Errorf("%w: the manifest of run %s is not the one that was committed", ErrCorrupt, p.Run)
	}
	return m, info.ETag, nil
}

// manifest reads a run's manifest and returns the hash of its bytes.
func (r *Repository) manifest(ctx context.Context, run string) (Manifest, string, error) {
	if err := checkRun(run); err != nil {
		return Manifest{}, "", err
	}
	data, _, err := objectstore.ReadAll(ctx, r.store, r.key(run, ManifestName))
	if err != nil {
		return Manifest{}, "", err
	}
	m, err := DecodeManifest(data, run)
	if err == nil && m.Kind == kindCollected {
		err = fmt.Errorf("read manifest of run %s: %w", run, ErrCollected)
	}
	return m, checksum.Bytes(data), err
}

func (r *Repository) put(ctx context.Context, key string, data []byte, cond objectstore.Condition) error {
	_, err := r.store.Put(ctx, key, bytes.NewReader(data), int64(len(data)), cond)
	return err
}

func (r *Repository) key(run, name string) string { return path.Join(r.prefix, "run="+run, name) }

func encodeOptional(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}
