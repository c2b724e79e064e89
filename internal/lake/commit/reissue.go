package commit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/checksum"
)

// reissueDir holds, in a run's folder, what Reissue puts in place: the new files, and as manifest the plan.
const reissueDir = "erasing"

// Erasure is a note in the manifest of a run from which rows of erased persons were taken.
type Erasure struct {
	At          time.Time `json:"at"`
	Rows        int64     `json:"rows"`         // that were taken out
	ContentHash string    `json:"content_hash"` // of the run before
}

// Rest is what is left of a file: its new bytes and rows.
type Rest struct {
	Data []byte
	Rows int64
}

// Reissue takes rows out of a complete run, which keeps its name: nothing that names the run has to change. It is the
// one exception from the rule that files are never overwritten, and only for what must not stay. rest returns what is
// left of a file; nil: it stays as it is. It gets the files in the order of their paths. details returns the manifest's
// new details. The new files are written beside the old ones, then a plan of their sizes and hashes, then each file is
// overwritten, then the manifest and CURRENT. A reader sees the run as it was or as it becomes, or is refused by a hash
// (ErrCorrupt) and reads again. A Reissue that was killed is finished by the next one, which then begins anew. changed
// is false when every file stays. Errors: ErrCollected, ErrCorrupt, objectstore.ErrNotFound.
func (r *Repository) Reissue(ctx context.Context, run string, rest func(f File, data []byte) (*Rest, error),
	details func(json.RawMessage) json.RawMessage) (before, after Manifest, changed bool, err error) {
	if err := r.finishReissue(ctx, run); err != nil {
		return before, after, false, err
	}
	if before, _, err = r.manifest(ctx, run); err != nil {
		return before, after, false, err
	}
	after = before
	after.Files, after.Details = nil, details(before.Details)
	changed = !bytes.Equal(after.Details, before.Details)
	note := Erasure{At: r.now().UTC().Truncate(time.Second), ContentHash: before.ContentHash}
	for _, f := range before.Files {
		data, err := r.checked(ctx, run, f)
		if err != nil {
			return before, after, false, fmt.Errorf("read %s of run %s: %w", f.Path, run, err)
		}
		left, err := rest(f, data)
		if err != nil {
			return before, after, false, fmt.Errorf("take rows out of %s of run %s: %w", f.Path, run, err)
		}
		if left != nil {
			changed, note.Rows = true, note.Rows+f.Rows-left.Rows
			f.Rows, f.Bytes, f.SHA256 = left.Rows, int64(len(left.Data)), checksum.Bytes(left.Data)
			if err := r.put(ctx, r.key(run, path.Join(reissueDir, f.Path)), left.Data, objectstore.Condition{}); err != nil {
				return before, after, false, fmt.Errorf("write what is left of %s of run %s: %w", f.Path, run, err)
			}
		}
		after.Files = append(after.Files, f)
	}
	if !changed {
		return before, before, false, nil
	}
	after.ContentHash, after.Erased = contentHash(after.Files), append(after.Erased, note)
	plan, err := json.MarshalIndent(after, "", "  ")
	if err != nil {
		return before, after, false, fmt.Errorf("encode manifest of run %s: %w", run, err)
	}
	if err := r.put(ctx, r.planKey(run), plan, objectstore.Condition{}); err != nil {
		return before, after, false, fmt.Errorf("plan the reissue of run %s: %w", run, err)
	}
	return before, after, true, r.finishReissue(ctx, run)
}

func (r *Repository) planKey(run string) string {
	return r.key(run, path.Join(reissueDir, ManifestName))
}

// Reissuing says whether a key is of what Reissue has not finished.
func Reissuing(key string) bool { return strings.Contains(key, "/"+reissueDir+"/") }

// finishReissue does what a plan says, if there is one.
func (r *Repository) finishReissue(ctx context.Context, run string) error {
	if err := checkRun(run); err != nil {
		return err
	}
	plan, _, err := objectstore.ReadAll(ctx, r.store, r.planKey(run))
	if errors.Is(err, objectstore.ErrNotFound) {
		return r.deleteReissue(ctx, run)
	}
	if err != nil {
		return err
	}
	next, err := DecodeManifest(plan, run)
	if err != nil {
		return err
	}
	for _, f := range next.Files {
		data, _, err := objectstore.ReadAll(ctx, r.store, r.key(run, path.Join(reissueDir, f.Path)))
		if errors.Is(err, objectstore.ErrNotFound) {
			continue // the file stays as it is
		}
		if err == nil && checksum.Bytes(data) == f.SHA256 { // another is a leftover of an earlier attempt
			err = r.put(ctx, r.key(run, f.Path), data, objectstore.Condition{})
		}
		if err != nil {
			return fmt.Errorf("reissue %s of run %s: %w", f.Path, run, err)
		}
	}
	if err := r.put(ctx, r.key(run, ManifestName), plan, objectstore.Condition{}); err != nil {
		return fmt.Errorf("reissue the manifest of run %s: %w", run, err)
	}
	if err := r.repoint(ctx, run, checksum.Bytes(plan)); err != nil {
		return err
	}
	return r.deleteReissue(ctx, run)
}

// repoint gives CURRENT the hash of the run's new manifest, if it names the run.
func (r *Repository) repoint(ctx context.Context, run, sum string) error {
	key := path.Join(r.prefix, currentName)
	data, info, err := objectstore.ReadAll(ctx, r.store, key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var p pointer
	if err := json.Unmarshal(data, &p); err != nil || p.Run != run {
		return nil //nolint:nilerr // a damaged pointer names no run
	}
	p.ManifestSHA256 = sum
	if data, err = json.Marshal(p); err != nil {
		return fmt.Errorf("encode pointer to run %s: %w", run, err)
	}
	err = r.put(ctx, key, data, objectstore.Condition{IfMatch: info.ETag})
	if err != nil && !errors.Is(err, objectstore.ErrPrecondition) { // another run is current now
		return fmt.Errorf("make the reissued run %s current: %w", run, err)
	}
	return nil
}

// deleteReissue deletes what was written beside the run: the plan first.
func (r *Repository) deleteReissue(ctx context.Context, run string) error {
	if err := r.store.Delete(ctx, r.planKey(run)); err != nil {
		return fmt.Errorf("end the reissue of run %s: %w", run, err)
	}
	for info, err := range r.store.List(ctx, r.key(run, reissueDir)+"/") {
		if err == nil {
			err = r.store.Delete(ctx, info.Key)
		}
		if err != nil {
			return fmt.Errorf("end the reissue of run %s: %w", run, err)
		}
	}
	return nil
}

// checked reads a file whole.
func (r *Repository) checked(ctx context.Context, run string, f File) ([]byte, error) {
	var data bytes.Buffer
	err := r.copyChecked(ctx, run, f, &data)
	return data.Bytes(), err
}
