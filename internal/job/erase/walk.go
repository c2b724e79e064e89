package erase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/checksum"
	"kindred/internal/serving/vectorstore/erasure"
)

// objectsAtOnce is how many objects are read at the same time: reading small ones waits for the store.
const objectsAtOnce = 8

// job is one search, and if it erases, one erasing.
type job struct {
	stores   map[bucket]objectstore.Store
	database *erasure.Database // nil: there is none
	theirs   whose
	show     bool // keep the rows that were found
	// What says nothing of whom it is about counts as theirs if it was written before: the end of the second in which
	// somebody was put on the list last.
	newest time.Time

	mu       sync.Mutex
	clean    map[string]bool // objects and versions in which nobody was found, with all that tells them from later ones
	sessions map[string]bool // which customers who are looked for had
	found    []Finding
	unknown  []string // objects and tables of which nobody knows what they hold
	runs     map[run][]string
}

// run is a run's folder in which somebody was found.
type run struct {
	bucket       bucket
	prefix, name string
}

// Finding is what was found in an object, in a kept version of one, or in a table.
type Finding struct {
	Place  string `json:"place"`
	Where  string `json:"where"`          // the key, or the table
	Kept   bool   `json:"kept,omitempty"` // it is no longer the object, but S3 keeps it as a version
	Rows   int64  `json:"rows"`
	Before string `json:"before,omitempty"` // SHA-256 of the object
	After  string `json:"after,omitempty"`  // the same, of what is left; empty: nothing
	Held   []any  `json:"held,omitempty"`
}

// isTheirs is theirs, and takes note of the sessions of their customers.
func (j *job) isTheirs(customer, session string) bool {
	if !j.theirs(customer, session) {
		return false
	}
	if customer != "" && session != "" {
		j.mu.Lock()
		j.sessions[session] = true
		j.mu.Unlock()
	}
	return true
}

// look finds everything there is of them. With erasing it deletes what it finds.
func (j *job) look(ctx context.Context, erasing bool) error {
	j.found, j.unknown, j.runs = nil, nil, map[run][]string{}
	for _, b := range slices.Sorted(maps.Keys(j.stores)) {
		if err := j.objects(ctx, b, erasing); err != nil {
			return err
		}
	}
	if erasing {
		for r, keys := range j.runs {
			if err := j.reissue(ctx, r, keys); err != nil {
				return err
			}
		}
	}
	for _, b := range slices.Sorted(maps.Keys(j.stores)) {
		if keeper, ok := j.stores[b].(objectstore.Keeper); ok {
			if err := j.versions(ctx, b, keeper, erasing); err != nil {
				return err
			}
		}
	}
	if err := j.tables(ctx, erasing); err != nil {
		return err
	}
	slices.SortFunc(j.found, func(a, b Finding) int { return strings.Compare(a.Place+a.Where, b.Place+b.Where) })
	return nil
}

// objects looks into the objects of a store.
func (j *job) objects(ctx context.Context, b bucket, erasing bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(objectsAtOnce)
	for info, err := range j.stores[b].List(ctx, "") {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error {
			err := j.object(ctx, b, info, erasing)
			if errors.Is(err, objectstore.ErrNotFound) { // deleted since it was listed
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

func (j *job) object(ctx context.Context, b bucket, info objectstore.Info, erasing bool) error {
	p, h := find(b, info.Key)
	id := fmt.Sprint(b, info.Key, info.Size, info.Modified.UnixNano())
	if h == everybody && info.Modified.After(j.newest) {
		return nil
	}
	if prefix, name := runOf(info.Key); name != "" && commit.Reissuing(info.Key) {
		j.mu.Lock()
		defer j.mu.Unlock()
		r := run{b, prefix, name}
		j.runs[r] = append(j.runs[r], info.Key)
		j.found = append(j.found, Finding{Place: string(b) + " " + p.prefix, Where: info.Key})
		return nil
	}
	if !j.worthReading(b, info.Key, h, id) {
		return nil
	}
	data, info, err := objectstore.ReadAll(ctx, j.stores[b], info.Key)
	if err != nil {
		return err
	}
	rest, found, err := j.without(h, info.Key, data)
	if err != nil {
		return fmt.Errorf("look into %s of %s: %w", info.Key, j.stores[b], err)
	}
	if found.rows == 0 {
		j.isClean(id)
		return nil
	}
	f := Finding{Place: string(b) + " " + p.prefix, Where: info.Key, Rows: found.rows, Before: checksum.Bytes(data)}
	if j.show {
		f.Held = found.held
	}
	prefix, name := runOf(info.Key)
	j.mu.Lock()
	if name != "" && h != everybody {
		r := run{b, prefix, name}
		j.runs[r] = append(j.runs[r], info.Key)
	} else if len(rest) > 0 {
		f.After = checksum.Bytes(rest)
	}
	j.found = append(j.found, f)
	j.mu.Unlock()
	if !erasing || name != "" && h != everybody {
		return nil
	}
	if len(rest) == 0 {
		return j.stores[b].Delete(ctx, info.Key)
	}
	_, err = j.stores[b].Put(ctx, info.Key, bytes.NewReader(rest), int64(len(rest)),
		objectstore.Condition{IfMatch: info.ETag})
	if errors.Is(err, objectstore.ErrPrecondition) { // the next look sees what it is now
		return nil
	}
	return err
}

// worthReading says whether an object may hold somebody. One of which nobody knows is named.
func (j *job) worthReading(b bucket, key string, h holding, id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if h == unknown {
		j.unknown = append(j.unknown, string(b)+" "+key)
	}
	return h != unknown && h != nobody && !j.clean[id]
}

func (j *job) isClean(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.clean[id] = true
}

// without is what is left of an object, where it can be said of the object alone, and what is theirs.
func (j *job) without(h holding, key string, data []byte) (rest []byte, found hits, err error) {
	switch h {
	case rows:
		numbers, err := rowsOf(data, j.isTheirs)
		if err != nil {
			return nil, found, err
		}
		found.rows = int64(len(numbers))
		if j.show && found.rows > 0 {
			err = showRows(data, numbers, &found)
		}
		return nil, found, err
	case table:
		_, _, err = withoutLines(data, j.isTheirs, &found)
	case examples:
		examplesOf(data, j.isTheirs, &found)
	case everybody:
		found.rows = 1
	case records:
		rest, err = withoutRecords(data, asItIs, j.isTheirs, &found)
	case failures:
		rest, err = withoutRecords(data, rawData, j.isTheirs, &found)
	case letters:
		rest, err = withoutLetters(key, data, j.isTheirs, &found)
	case unknown, nobody, parallel:
	}
	return rest, found, err
}

// reissue takes them out of a run. What is no part of the run is deleted: a plan of partitions, or the leftovers of
// a run that was never completed.
func (j *job) reissue(ctx context.Context, r run, keys []string) error {
	repo := commit.NewRepository(j.stores[r.bucket], r.prefix)
	var gone []int64 // rows of customers.parquet
	_, after, _, err := repo.Reissue(ctx, r.name, func(f commit.File, data []byte) (*commit.Rest, error) {
		_, h := find(r.bucket, r.prefix+"/run="+r.name+"/"+f.Path)
		switch h {
		case rows:
			numbers, err := rowsOf(data, j.isTheirs)
			if err != nil || len(numbers) == 0 {
				return nil, err
			}
			gone = numbers
			rest, kept, err := withoutRows(data, numbers)
			return &commit.Rest{Data: rest, Rows: kept}, err
		case parallel:
			if len(gone) == 0 {
				return nil, nil
			}
			rest, kept, err := withoutRows(data, gone)
			return &commit.Rest{Data: rest, Rows: kept}, err
		case table:
			var found hits
			rest, kept, err := withoutLines(data, j.isTheirs, &found)
			if err != nil || found.rows == 0 {
				return nil, err
			}
			return &commit.Rest{Data: rest, Rows: kept}, nil
		case unknown, nobody, examples, everybody, records, failures, letters:
		}
		return nil, nil
	}, withoutExamples)
	if errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, commit.ErrCollected) {
		_, err = repo.Discard(ctx, r.name)
		return err
	}
	if err != nil {
		return err
	}
	for _, key := range keys {
		name := strings.TrimPrefix(key, r.prefix+"/run="+r.name+"/")
		listed := slices.ContainsFunc(after.Files, func(f commit.File) bool { return f.Path == name })
		if !listed && name != commit.ManifestName {
			if err := j.stores[r.bucket].Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// versions looks into what S3 keeps of objects that were overwritten or deleted.
func (j *job) versions(ctx context.Context, b bucket, keeper objectstore.Keeper, erasing bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(objectsAtOnce)
	for v, err := range keeper.Versions(ctx, "") {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return j.version(ctx, b, keeper, v, erasing) })
	}
	return group.Wait()
}

func (j *job) version(ctx context.Context, b bucket, keeper objectstore.Keeper, v objectstore.Version,
	erasing bool) error {
	p, h := find(b, v.Key)
	id := fmt.Sprint(b, v.Key, v.ID)
	if (h == everybody || h == parallel) && v.Modified.After(j.newest) {
		return nil
	}
	if !j.worthReading(b, v.Key, h, id) {
		return nil
	}
	body, err := keeper.GetVersion(ctx, v)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("read a version of %s: %w", v.Key, err)
	}
	var found hits
	if h == parallel { // it goes by the rows of another file: nobody needs it
		found.rows = 1
	} else if _, found, err = j.without(h, v.Key, data); err != nil {
		return fmt.Errorf("look into a version of %s of %s: %w", v.Key, keeper, err)
	}
	if found.rows == 0 {
		j.isClean(id)
		return nil
	}
	f := Finding{Place: string(b) + " " + p.prefix, Where: v.Key, Kept: true, Rows: found.rows,
		Before: checksum.Bytes(data)}
	if j.show {
		f.Held = found.held
	}
	j.mu.Lock()
	j.found = append(j.found, f)
	j.mu.Unlock()
	if !erasing {
		return nil
	}
	return keeper.DeleteVersion(ctx, v)
}

// forgotten are the customers whom an event told to forget.
func (j *job) forgotten(ctx context.Context) ([]string, error) {
	if j.database == nil {
		return nil, nil
	}
	return j.database.Forgotten(ctx)
}

// tables looks into the vector database.
func (j *job) tables(ctx context.Context, erasing bool) error {
	if j.database == nil {
		return nil
	}
	names, unknown, err := j.database.Tables(ctx)
	if err != nil {
		return err
	}
	for _, name := range unknown {
		j.unknown = append(j.unknown, "vector database "+name)
	}
	for _, name := range names {
		found, err := j.database.Find(ctx, name, func(p erasure.Person) bool { return j.isTheirs(p.Customer, p.Session) })
		if err != nil {
			return err
		}
		if found.Rows == 0 {
			continue
		}
		f := Finding{Place: "vector database", Where: name, Rows: found.Rows}
		if j.show {
			all, err := j.database.Rows(ctx, found)
			if err != nil {
				return err
			}
			for _, row := range all {
				f.Held = append(f.Held, row)
			}
		}
		j.found = append(j.found, f)
		if erasing {
			if err := j.database.Delete(ctx, found); err != nil {
				return err
			}
		}
	}
	return nil
}
