package commit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/objectstore"
)

// MinPruneAge is the least age of what Prune collects. No writer may take longer than the age that
// Prune is called with, from its first file to its manifest; an hour is also far beyond any
// difference between clocks.
const MinPruneAge = time.Hour

// kindCollected marks the manifest of a folder that is collected, a tombstone.
const kindCollected = "collected"

// Pruned says what was collected.
type Pruned struct {
	Runs    []string `json:"runs"` // whose files were deleted
	Objects int      `json:"objects"`
	Bytes   int64    `json:"bytes"`
}

// Prune deletes folders of runs that were never completed (killed writers leave them) and whose
// objects are all older than age. Complete runs stay, current or not: they are the history. The
// order makes it safe while writers use the same folder. This happens because equal content has an
// equal name:
//
//  1. the tombstone takes the manifest's place, if that is still absent. Whoever writes manifest.json
//     first owns the folder: a writer that comes second starts over under another name, a Prune that
//     comes second leaves the folder alone
//  2. the files go
//  3. the tombstone goes in a later Prune, when it has the age itself: until then it stops every
//     writer that saw the old files
func (r *Repository) Prune(ctx context.Context, age time.Duration) (Pruned, error) {
	if age < MinPruneAge {
		return Pruned{}, fmt.Errorf("prune: age %v is less than %v", age, MinPruneAge)
	}
	folders, err := r.folders(ctx)
	if err != nil {
		return Pruned{}, err
	}
	var pruned Pruned
	limit := r.now().Add(-age)
	for _, f := range folders {
		if f.youngest.After(limit) {
			continue
		}
		if err := r.collect(ctx, f, true, &pruned); err != nil {
			return pruned, err
		}
	}
	return pruned, nil
}

// Discard deletes the folder of a run that was staged and will not be committed, at any age. It
// does not delete a complete run.
func (r *Repository) Discard(ctx context.Context, run string) (Pruned, error) {
	folders, err := r.folders(ctx)
	if err != nil {
		return Pruned{}, err
	}
	var pruned Pruned
	for _, f := range folders {
		if f.run == run {
			err = r.collect(ctx, f, false, &pruned)
		}
	}
	return pruned, err
}

// Expire deletes the folders of all runs that are older than age, complete or not, by the time of their
// manifests, or of their youngest object where there is none. It is for runs that Keep wrote: it looks at no
// CURRENT, and leaves no tombstone, so no run of that age may be written or used meanwhile, but those that keep
// names. The manifest goes first, so that what a killed Expire leaves is not taken for a run, and then the others
// by their names.
func (r *Repository) Expire(ctx context.Context, age time.Duration, keep ...string) (Pruned, error) {
	if age < MinPruneAge {
		return Pruned{}, fmt.Errorf("expire: age %v is less than %v", age, MinPruneAge)
	}
	folders, err := r.folders(ctx)
	if err != nil {
		return Pruned{}, err
	}
	var pruned Pruned
	limit := r.now().Add(-age)
	for _, f := range folders {
		if f.manifest && f.made.After(limit) || !f.manifest && f.youngest.After(limit) || slices.Contains(keep, f.run) {
			continue
		}
		if f.manifest {
			if err := r.store.Delete(ctx, r.key(f.run, ManifestName)); err != nil {
				return pruned, fmt.Errorf("expire run %s: %w", f.run, err)
			}
		}
		if err := r.remove(ctx, f, &pruned); err != nil {
			return pruned, err
		}
	}
	return pruned, nil
}

// folder is what lies in one run's folder.
type folder struct {
	run      string
	files    []objectstore.Info // without the manifest
	manifest bool
	made     time.Time // of the manifest
	youngest time.Time
}

func (r *Repository) folders(ctx context.Context) ([]folder, error) {
	var all []folder
	start := path.Join(r.prefix, "run=")
	for info, err := range r.store.List(ctx, start) {
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		run, name, ok := strings.Cut(strings.TrimPrefix(info.Key, start), "/")
		if !ok || checkRun(run) != nil {
			continue
		}
		if len(all) == 0 || all[len(all)-1].run != run {
			all = append(all, folder{run: run})
		}
		f := &all[len(all)-1]
		if name == ManifestName {
			f.manifest, f.made = true, info.Modified
		} else {
			f.files = append(f.files, info)
		}
		if info.Modified.After(f.youngest) {
			f.youngest = info.Modified
		}
	}
	return all, nil
}

// collect deletes the folder's files, unless it holds a complete run. An earlier call's tombstone
// goes only when it is old.
func (r *Repository) collect(ctx context.Context, f folder, old bool, pruned *Pruned) error {
	buried := false
	if f.manifest {
		switch _, _, err := r.manifest(ctx, f.run); {
		case errors.Is(err, ErrCollected):
			buried = true // by an earlier call
		default: // complete, or a damaged manifest: not ours to judge
			return nil
		}
	} else if err := r.bury(ctx, f.run); errors.Is(err, objectstore.ErrPrecondition) {
		return nil // a writer completed it meanwhile
	} else if err != nil {
		return err
	}
	if err := r.remove(ctx, f, pruned); err != nil || !buried || !old {
		return err
	}
	if err := r.store.Delete(ctx, r.key(f.run, ManifestName)); err != nil {
		return fmt.Errorf("collect run %s: %w", f.run, err)
	}
	return nil
}

// remove deletes the folder's files, but for the manifest.
func (r *Repository) remove(ctx context.Context, f folder, pruned *Pruned) error {
	for _, info := range f.files {
		if err := r.store.Delete(ctx, info.Key); err != nil {
			return fmt.Errorf("delete the files of run %s: %w", f.run, err)
		}
		pruned.Objects++
		pruned.Bytes += info.Size
	}
	if len(f.files) > 0 {
		pruned.Runs = append(pruned.Runs, f.run)
	}
	return nil
}

// bury writes the tombstone.
func (r *Repository) bury(ctx context.Context, run string) error {
	data, err := json.MarshalIndent(Manifest{Format: Format, Kind: kindCollected, Run: run, ContentHash: contentHash(nil),
		CreatedAt: r.now().UTC().Truncate(time.Second), Files: []File{}}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode tombstone of run %s: %w", run, err)
	}
	err = r.put(ctx, r.key(run, ManifestName), data, objectstore.Condition{IfNoneMatch: true})
	if err != nil {
		return fmt.Errorf("collect run %s: %w", run, err)
	}
	return nil
}
