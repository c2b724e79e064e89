// Package infer recommends products to all customers of the live version at once, for e-mail and other programs. It
// asks package recommend as serve does for one customer, so both give the same answers, and package inferred keeps
// them in the lake.
package infer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/inferred"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// together is how many customers are answered at once.
const together = 500

// recommender decides; package recommend documents the methods.
type recommender interface {
	Pin(ctx context.Context) (version string, err error)
	Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error)
	Check(ctx context.Context, events []*activity.Event) (by recommend.Checked, faults []error, err error)
}

// customers lists those that a version knows; package vectorstore documents the method.
type customers interface {
	Customers(ctx context.Context, version, after string, most int) ([]string, error)
}

// Job makes recommendations for all customers the lake's current ones.
type Job struct {
	Recommender recommender
	Customers   customers
	Ready       func(ctx context.Context) // what is to be done when the version is known; nil: nothing
	Control     *activity.Control         // of every answer; nil: none
	Lake        objectstore.Store
	ScratchDir  string // for the files before they are committed; empty: the system's
	Progress    func(stage string, done, total int64)
}

// Result is what a run found.
type Result struct {
	Run          string `json:"run"` // in the lake
	NoOp         bool   `json:"-"`
	ModelVersion string `json:"model_version"`
	Customers    int64  `json:"customers"`
	Rows         int64  `json:"rows"` // in each of the two files
}

// Unchanged reports whether the run was a no-op.
func (r *Result) Unchanged() bool { return r.NoOp }

// details is the manifest's field details.
type details struct {
	ModelVersion string            `json:"model_version"`
	Customers    int64             `json:"customers"`
	Control      *activity.Control `json:"control,omitempty"`
}

// Run answers for one customer after the other. Memory does not grow with their number. Nothing is current before
// everything is written; the same answers as the current ones change nothing.
func (j Job) Run(ctx context.Context) (_ *Result, err error) {
	r := &Result{}
	if r.ModelVersion, err = j.Recommender.Pin(ctx); err != nil {
		return nil, err
	}
	_, faults, err := j.Recommender.Check(ctx, []*activity.Event{{Control: j.Control}})
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(j.ScratchDir, "kindred-infer-*")
	if err != nil {
		return nil, fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if j.Ready != nil {
		j.Ready(ctx)
	}
	files, err := j.write(ctx, dir, r)
	if err != nil {
		return nil, err
	}
	m, changed, err := commit.NewRepository(j.Lake, envconfig.InferredPrefix).Commit(ctx, commit.Draft{
		Kind: inferred.Kind, SchemaFingerprint: inferred.SchemaFingerprint, Dir: dir, Files: files,
		Details: details{r.ModelVersion, r.Customers, j.Control},
	})
	if err != nil {
		return nil, fmt.Errorf("commit recommendations for all customers: %w", err)
	}
	r.Run, r.NoOp, r.Rows = m.Run, !changed, files[0].Rows
	return r, nil
}

// write writes the files.
func (j Job) write(ctx context.Context, dir string, r *Result) (files []commit.File, err error) {
	w, err := inferred.Create(dir)
	if err != nil {
		return nil, fmt.Errorf("begin the files: %w", err)
	}
	err = j.answer(ctx, w, r)
	files, closed := w.Close()
	if err := errors.Join(err, closed); err != nil {
		return nil, err
	}
	return files, nil
}

// answer answers for all customers.
func (j Job) answer(ctx context.Context, w *inferred.Writer, r *Result) error {
	for after, more := "", true; more; {
		ids, err := j.Customers.Customers(ctx, r.ModelVersion, after, together)
		if err != nil || len(ids) == 0 {
			return err
		}
		after, more = ids[len(ids)-1], len(ids) == together
		events := make([]*activity.Event, len(ids))
		for i := range ids {
			events[i] = &activity.Event{CustomerID: (*activity.ID)(&ids[i]), Control: j.Control}
		}
		answers, err := j.Recommender.Batch(ctx, events)
		if err != nil {
			return fmt.Errorf("recommend for %d customers: %w", len(ids), err)
		}
		var rows []inferred.Row
		for i, a := range answers {
			for place, it := range a.Items {
				rows = append(rows, inferred.Row{CustomerID: ids[i], Place: int32(place + 1), ProductID: it.ID, Score: it.Score,
					Source: string(a.Source)})
			}
		}
		if err := w.Add(rows); err != nil {
			return err
		}
		r.Customers += int64(len(ids))
		j.Progress("recommend", r.Customers, r.Customers)
	}
	return nil
}
