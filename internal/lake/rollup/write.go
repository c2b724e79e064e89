package rollup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/commit"
)

// takeIn is how many times as large as a new segment one may be that the new one takes in.
const takeIn = 2

// Draft is a run before it is committed.
type Draft struct {
	Rollup // Segments are those of the run before

	Letters []Letter // by key
	Recent  []string // sorted keys of objects that the next run meets again
	Entries []Entry  // that the index does not have, in any order
	Names   []string // of the objects that they refer to
}

// Commit writes a draft and makes it current, and returns the new run. dir is an empty folder for its files, which is
// left to the caller. Errors are those of commit.Repository.Commit; base is Draft.Base there.
func Commit(ctx context.Context, repo *commit.Repository, draft Draft, base, dir string) (*Rollup, error) {
	var files []commit.File
	add := func(file commit.File, err error) error {
		files = append(files, file)
		return err
	}
	recent := strings.Join(draft.Recent, "\n")
	if recent != "" {
		recent += "\n"
	}
	err := errors.Join(add(writeRows(dir, hoursFile, draft.Hours)), add(writeRows(dir, latenciesFile, draft.Latencies)),
		add(writeRows(dir, lettersFile, draft.Letters)),
		add(commit.File{Path: recentFile, DataSet: "recent", Rows: int64(len(draft.Recent))},
			os.WriteFile(filepath.Join(dir, recentFile), []byte(recent), 0o600)))
	if err != nil {
		return nil, fmt.Errorf("write the roll-up: %w", err)
	}
	if len(draft.Entries) > 0 {
		segment, err := draft.segment(ctx, repo, dir)
		if err != nil {
			return nil, fmt.Errorf("write the index: %w", err)
		}
		files = append(files, segment...)
	}
	m, _, err := repo.Commit(ctx, commit.Draft{Kind: Kind, SchemaFingerprint: SchemaFingerprint, Dir: dir, Files: files,
		Details: draft.Details, Base: &base})
	if err != nil {
		return nil, fmt.Errorf("commit the roll-up: %w", err)
	}
	r := draft.Rollup
	r.Run = m.Run
	r.Details, err = detailsOf(m)
	return &r, err
}

// segment writes the new segment, and puts it in place of those that it takes in.
func (d *Draft) segment(ctx context.Context, repo *commit.Repository, dir string) (_ []commit.File, err error) {
	entries := slices.SortedFunc(slices.Values(d.Entries), Order)
	i := 0
	runs := []*run{{next: func() (Entry, error) {
		if i == len(entries) {
			return Entry{}, io.EOF
		}
		i++
		return entries[i-1], nil
	}}}
	names, err := os.Create(filepath.Join(dir, objectsFile))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, names.Close()) }()
	var own Segment
	for _, name := range d.Names {
		n, err := fmt.Fprintln(names, name)
		if err != nil {
			return nil, err
		}
		own.Bytes += int64(n)
	}
	own.Entries = int64(len(entries))
	kept := slices.Clone(d.Segments)
	for len(kept) > 0 {
		s := kept[len(kept)-1]
		if s.Entries > takeIn*own.Entries || own.Bytes+s.Bytes > math.MaxUint32 {
			break
		}
		file, err := fetch(ctx, repo, s, dir, len(runs), names)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		runs = append(runs, &run{next: fileRun(file), shift: uint32(own.Bytes)})
		own.Entries, own.Bytes = own.Entries+s.Entries, own.Bytes+s.Bytes
		kept = kept[:len(kept)-1]
	}
	n, err := merge(dir, runs)
	if err == nil && n != own.Entries {
		err = fmt.Errorf("%w: the segments have %d entries, not %d", commit.ErrCorrupt, n, own.Entries)
	}
	d.Segments = append(kept, own)
	return []commit.File{{Path: indexFile, DataSet: "index", Rows: n}, {Path: objectsFile, DataSet: "objects"}}, err
}

// fetch downloads a segment, appends its names, and opens its entries.
func fetch(ctx context.Context, repo *commit.Repository, s Segment, dir string, n int, names io.Writer) (*os.File,
	error) {
	m, err := repo.Manifest(ctx, s.Run)
	if err != nil {
		return nil, err
	}
	name := func(file string) string { return filepath.Join(dir, "taken-in", fmt.Sprint(n), file) }
	for _, f := range m.Files {
		if f.Path == indexFile || f.Path == objectsFile {
			if err := repo.Fetch(ctx, m, f, name(f.Path)); err != nil {
				return nil, err
			}
		}
	}
	old, err := os.Open(name(objectsFile))
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(names, old)
	if err := errors.Join(err, old.Close()); err != nil {
		return nil, err
	}
	return os.Open(name(indexFile))
}

// Sweep deletes runs older than age that neither r nor the run before it needs: readers may be at that one still.
func Sweep(ctx context.Context, repo *commit.Repository, r *Rollup, before commit.Manifest, earlier Details,
	age time.Duration) error {
	keep := []string{r.Run, before.Run}
	for _, s := range slices.Concat(r.Segments, earlier.Segments) {
		keep = append(keep, s.Run)
	}
	_, err := repo.Expire(ctx, age, keep...)
	return err
}
