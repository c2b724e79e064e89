package etl

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/checksum"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// Several workers write one training set. They share a job, which is a run's folder that is not
// committed yet:
//
//	run=<job>/plan.json            the ranges, and customers and products as one snapshot saw them; the first
//	                               worker makes it
//	run=<job>/parts/00000.json …   what each partition wrote; the first finisher of a partition wins
//	run=<job>/ratings/part-…       files that have their content's hash in their names: a task that runs twice
//	                               never collides
//
// CommitParts makes it the current set. Each partition reads its ratings in a snapshot of its own:
// a rating that changes while the workers start may be seen as it was or as it is, but never twice
// and never half, because a customer belongs to one partition. Customers and products are read
// once, so every rating is joined with the same ones.
const (
	planName   = "plan.json"
	planFormat = 1
)

// Job names the work that several workers share.
type Job struct {
	Name       string
	Partitions int
	Mapping    mysqlsource.Mapping
}

// Plan is what the workers of one job agree on.
type Plan struct {
	Format     int    `json:"format"`
	Job        string `json:"job"`
	Partitions int    `json:"partitions"`
	// of customers; fewer than Partitions where customers are few
	Ranges            []mysqlsource.Range  `json:"ranges"`
	Mapping           string               `json:"mapping"`
	SchemaFingerprint string               `json:"schema_fingerprint"`
	Shop              string               `json:"shop,omitempty"` // its name
	Base              string               `json:"base"`           // the run that was current
	Source            mysqlsource.Position `json:"source"`
	ReadAt            time.Time            `json:"read_at"`
	Schema            mysqlsource.Schema   `json:"schema"`
	Counts            Counts               `json:"rules,omitzero"` // of customers and products
	Examples          shop.Examples        `json:"examples,omitempty"`
	Files             []commit.File        `json:"files"` // customers and products
}

// Part is what one partition wrote.
type Part struct {
	Job        string               `json:"job"`
	Partition  int                  `json:"partition"` // from 0
	Partitions int                  `json:"partitions"`
	Source     mysqlsource.Position `json:"source"`
	ReadAt     time.Time            `json:"read_at"`
	Counts     Counts               `json:"rules"` // of its ratings
	Examples   shop.Examples        `json:"examples,omitempty"`
	Files      []commit.File        `json:"files"`
}

// MakePlan fixes the ranges of a job and writes its customers and products. A plan that is there
// already stays, and made is false.
func MakePlan(ctx context.Context, from source, repo *commit.Repository, job Job,
	o Options) (plan Plan, made bool, err error) {
	from = without(from, o.Erased)
	plan, err = readPlan(ctx, repo, job)
	if err == nil || !errors.Is(err, objectstore.ErrNotFound) {
		return plan, false, err
	}
	if _, err := repo.Manifest(ctx, job.Name); err == nil || !errors.Is(err, objectstore.ErrNotFound) ||
		errors.Is(err, commit.ErrCollected) {
		return plan, false, cmp.Or(err, fmt.Errorf("%w: %s is the name of another run", ErrPartition, job.Name))
	}
	base, err := current(ctx, repo)
	if err != nil {
		return plan, false, err
	}
	before, err := predecessor(base, from.Position().Database, o)
	if err != nil {
		return plan, false, err
	}
	plan = Plan{Format: planFormat, Job: job.Name, Partitions: job.Partitions, Mapping: fingerprint(job.Mapping),
		Shop: o.name(from.Position().Database), Base: base.Run,
		Source: from.Position(), ReadAt: o.now().UTC().Truncate(time.Millisecond)}
	if plan.Schema, err = prepare(ctx, from, before, o); err != nil {
		return plan, false, err
	}
	keys := keysOf(plan.Schema)
	plan.SchemaFingerprint = trainingset.Fingerprint(keys)
	if plan.Ranges, err = from.CustomerSplits(ctx, job.Partitions); err != nil {
		return plan, false, err
	}
	err = withScratch(o, func(dir string) error {
		plan.Files, plan.Counts, err = stageDimensions(ctx, from, repo, job.Name, keys, dir)
		plan.Examples = from.Faults().Examples()
		return err
	})
	if err != nil {
		return plan, false, err
	}
	err = putJSON(ctx, repo, job.Name, planName, plan)
	if errors.Is(err, commit.ErrRunTaken) { // another worker was first; its plan holds
		plan, err = readPlan(ctx, repo, job)
		return plan, false, err
	}
	return plan, err == nil, err
}

func stageDimensions(ctx context.Context, from source, repo *commit.Repository, job string,
	keys trainingset.Keys, dir string) ([]commit.File, Counts, error) {
	j, counts, err := dimensions(ctx, from)
	if err != nil {
		return nil, counts, err
	}
	w := trainingset.NewWriter(dir, keys)
	if err := errors.Join(w.Customers(j.customers), w.Products(j.codes)); err != nil {
		return nil, counts, errors.Join(err, w.Abandon())
	}
	draft, err := w.Close()
	if err != nil {
		return nil, counts, err
	}
	files, err := nameByContent(dir, draft.Files, "")
	if err != nil {
		return nil, counts, err
	}
	files, err = repo.Stage(ctx, job, dir, files)
	return files, counts, err
}

// readPlan reads a job's plan and checks that it is about the same work. objectstore.ErrNotFound
// when there is none.
func readPlan(ctx context.Context, repo *commit.Repository, job Job) (plan Plan, err error) {
	if err := getJSON(ctx, repo, job.Name, planName, &plan); err != nil {
		return plan, err
	}
	_, unknown := trainingset.KeysOf(plan.SchemaFingerprint)
	switch {
	case plan.Format > planFormat || unknown != nil:
		err = fmt.Errorf("%w: job %s was begun by another version of this program", ErrPartition, job.Name)
	case job.Partitions != 0 && plan.Partitions != job.Partitions:
		err = fmt.Errorf("%w: job %s has %d partitions, not %d", ErrPartition, job.Name, plan.Partitions, job.Partitions)
	case job.Partitions != 0 && plan.Mapping != fingerprint(job.Mapping):
		err = fmt.Errorf("%w: job %s was begun with another mapping", ErrPartition, job.Name)
	}
	return plan, err
}

// RunPartition writes one partition's ratings into the job's folder. A partition that is finished
// already is not read again, and done is true: a repeated task costs nothing.
func RunPartition(ctx context.Context, from source, repo *commit.Repository, job Job, index int,
	o Options) (part Part, done bool, err error) {
	plan, _, err := MakePlan(ctx, from, repo, job, o)
	if err != nil {
		return part, false, err
	}
	from = without(from, o.Erased)
	if name := o.name(from.Position().Database); plan.Shop != "" && plan.Shop != name {
		return part, false, fmt.Errorf("%w: job %s is of the shop %s, and this is the shop %s", ErrPartition, job.Name,
			plan.Shop, name)
	}
	if part, err = readPart(ctx, repo, job.Name, index); err == nil || !errors.Is(err, objectstore.ErrNotFound) {
		return part, err == nil, err
	}
	part = Part{Job: job.Name, Partition: index, Partitions: plan.Partitions, Source: from.Position(),
		ReadAt: o.now().UTC().Truncate(time.Millisecond)}
	if index < len(plan.Ranges) {
		err = withScratch(o, func(dir string) error { return writePart(ctx, from, repo, plan, &part, dir, o) })
		if err != nil {
			return part, false, err
		}
	}
	err = putJSON(ctx, repo, job.Name, partName(index), part)
	if errors.Is(err, commit.ErrRunTaken) { // the same task, run twice, was faster elsewhere; its files count
		part, err = readPart(ctx, repo, job.Name, index)
		return part, err == nil, err
	}
	return part, false, err
}

func writePart(ctx context.Context, from source, repo *commit.Repository, plan Plan, part *Part, dir string,
	o Options) error {
	set, err := trainingset.Read(ctx, repo,
		commit.Manifest{Kind: trainingset.Kind, Run: plan.Job,
			SchemaFingerprint: plan.SchemaFingerprint, Files: plan.Files}, dir)
	if err != nil {
		return fmt.Errorf("read customers and products of job %s: %w", plan.Job, err)
	}
	j, err := newJoin(set.Customers, set.Products, from.Faults())
	if err != nil {
		return err
	}
	var draft commit.Draft
	w := trainingset.NewWriter(dir, set.Keys)
	if err := errors.Join(w.Customers(set.Customers), w.Products(set.Products)); err != nil {
		return errors.Join(err, w.Abandon())
	}
	if draft, part.Counts, err = writeRatings(ctx, from, w, j, plan.Ranges[part.Partition], o); err != nil {
		return err
	}
	part.Examples = from.Faults().Examples()
	var ratings []commit.File
	for _, f := range draft.Files {
		if f.DataSet == trainingset.Ratings {
			ratings = append(ratings, f)
		}
	}
	files, err := nameByContent(dir, ratings, fmt.Sprintf("-%05d-of-%05d", part.Partition, part.Partitions))
	if err != nil {
		return err
	}
	part.Files, err = repo.Stage(ctx, plan.Job, dir, files)
	return err
}

// nameByContent gives files names that hold the place of their partition and the first digits of
// their hash, and leaves out those without rows.
func nameByContent(dir string, files []commit.File, partition string) (named []commit.File, err error) {
	for _, f := range files {
		if f.Rows == 0 {
			continue
		}
		old := filepath.Join(dir, filepath.FromSlash(f.Path))
		sum, _, err := checksum.File(old)
		if err != nil {
			return nil, fmt.Errorf("hash %s: %w", f.Path, err)
		}
		folder, base := path.Split(f.Path) // part-00000.parquet
		number := strings.TrimSuffix(strings.TrimPrefix(base, "part"), ".parquet")
		f.Path = folder + "part" + partition + number + "-" + sum[:nameDigits] + ".parquet"
		if err := os.Rename(old, filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
			return nil, fmt.Errorf("name %s: %w", f.Path, err)
		}
		named = append(named, f)
	}
	return named, nil
}

// nameDigits is how many hex digits of a file's hash its name has: enough for the few attempts of
// one task.
const nameDigits = 12

func fingerprint(m mysqlsource.Mapping) string {
	return checksum.Bytes([]byte(m.Customers + "\x00" + m.Products + "\x00" + m.Ratings))
}

func partName(index int) string { return fmt.Sprintf("parts/%05d.json", index) }

func readPart(ctx context.Context, repo *commit.Repository, job string, index int) (part Part, err error) {
	return part, getJSON(ctx, repo, job, partName(index), &part)
}

func putJSON(ctx context.Context, repo *commit.Repository, job, name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s of job %s: %w", name, job, err)
	}
	return repo.PutRecord(ctx, job, name, data)
}

func getJSON(ctx context.Context, repo *commit.Repository, job, name string, v any) error {
	data, err := repo.Record(ctx, job, name)
	if err != nil {
		return fmt.Errorf("read %s of job %s: %w", name, job, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s of job %s: %w: %w", name, job, commit.ErrCorrupt, err)
	}
	return nil
}
