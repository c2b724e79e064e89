package commit

import (
	"context"
	"errors"
	"fmt"
	"io"

	"kindred/internal/lake/objectstore"
)

// Stage uploads files of dir into a run's folder, without making them a set: several writers fill
// one folder, and one of them commits it with CommitStaged. It returns files with their sizes and
// hashes. Files are never overwritten: ErrRunTaken when a path is there with other bytes, so
// writers that may repeat each other put the content's hash into the path.
func (r *Repository) Stage(ctx context.Context, run, dir string, files []File) ([]File, error) {
	if err := checkRun(run); err != nil {
		return nil, err
	}
	files, err := hashFiles(dir, files)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := r.upload(ctx, run, dir, f); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// PutRecord keeps data under name in a run's folder, beside the files. The first writer wins:
// ErrRunTaken for the others. Records are no part of the set; they are how writers of one folder
// agree before it is committed.
func (r *Repository) PutRecord(ctx context.Context, run, name string, data []byte) error {
	if err := errors.Join(checkRun(run), checkFiles([]File{{Path: name}})); err != nil {
		return err
	}
	err := r.put(ctx, r.key(run, name), data, objectstore.Condition{IfNoneMatch: true})
	if errors.Is(err, objectstore.ErrPrecondition) {
		err = ErrRunTaken
	}
	if err != nil {
		return fmt.Errorf("write %s of run %s: %w", name, run, err)
	}
	return nil
}

// Record reads what PutRecord kept. objectstore.ErrNotFound when there is none.
func (r *Repository) Record(ctx context.Context, run, name string) ([]byte, error) {
	if err := errors.Join(checkRun(run), checkFiles([]File{{Path: name}})); err != nil {
		return nil, err
	}
	data, _, err := objectstore.ReadAll(ctx, r.store, r.key(run, name))
	return data, err
}

// CommitStaged makes a folder that was filled by Stage the current run. draft names the Run and all
// Files with sizes and hashes; Dir is not used. check reads every file back and compares its hash;
// without it only sizes are compared. changed and errors are those of Commit, and ErrCorrupt when a
// staged file is not the one that draft lists.
func (r *Repository) CommitStaged(ctx context.Context, draft Draft, check bool) (m Manifest, changed bool, err error) {
	if m, err = r.newManifest(draft, draft.Files); err != nil {
		return Manifest{}, false, err
	}
	return r.succeed(ctx, draft, m, func(m Manifest) (Manifest, string, error) {
		if err := r.checkStaged(ctx, m, check); err != nil {
			return Manifest{}, "", err
		}
		return r.putManifest(ctx, m)
	})
}

func (r *Repository) checkStaged(ctx context.Context, m Manifest, hashes bool) error {
	if hashes {
		return r.Verify(ctx, m)
	}
	sizes := map[string]int64{}
	for info, err := range r.store.List(ctx, r.key(m.Run, "")+"/") {
		if err != nil {
			return fmt.Errorf("list run %s: %w", m.Run, err)
		}
		sizes[info.Key] = info.Size
	}
	var problems []error
	for _, f := range m.Files {
		if size, ok := sizes[r.key(m.Run, f.Path)]; !ok || size != f.Bytes {
			problems = append(problems, fmt.Errorf("check %s of run %s: %w: it is gone or has not %d bytes", f.Path, m.Run,
				ErrCorrupt, f.Bytes))
		}
	}
	return errors.Join(problems...)
}

// Verify reads all files of m and reports every one that is not as the manifest lists it, as ErrCorrupt.
func (r *Repository) Verify(ctx context.Context, m Manifest) error {
	var problems []error
	for _, f := range m.Files {
		err := r.copyChecked(ctx, m.Run, f, io.Discard)
		if err == nil {
			continue
		}
		problems = append(problems, fmt.Errorf("check %s of run %s: %w", f.Path, m.Run, err))
		if !errors.Is(err, ErrCorrupt) { // the store itself fails: the next file would too
			break
		}
	}
	return errors.Join(problems...)
}
