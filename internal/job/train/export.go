package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/fitfile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/program"
)

// Exported is what another program is to fit.
type Exported struct {
	ModelVersion string `json:"model_version"`
	// URL is the export's folder; vectors go to attempt=NAME in it.
	URL string `json:"url"`
	// Files are the paths in it, by part, and of the questions.
	Files map[string][]string `json:"files"`
	// Attempt has all vectors already, and is the one that is imported; empty: there is none.
	Attempt string `json:"attempt,omitempty"`
}

// exportDetails are what the import has to know of an export.
type exportDetails struct {
	Method string `json:"method"`
	Rows   string `json:"rows"` // rowsHash
}

// Export is Run where another program fits: j.Given.Fits has the method alone. What needs no fitting is
// settled as Run settles it: a version that is there or is carried over, and popularity where a model was
// refused or nobody likes anything. Else the result is nil, and what is to be fitted is exported, unless it
// is there already. Errors are those of Run, and program.ErrTooLarge if an import of the vectors, of
// j.Given.Fits.Dim components, would need more memory than j.Memory.
func (j Job) Export(ctx context.Context) (exported *Exported, settled *Result, err error) {
	settled, err = j.settle(ctx, func(ctx context.Context, from *sources, models *commit.Repository, past past,
		names []modelversion.Version) (*modelversion.Version, error) {
		if err := j.importFits(from.set); err != nil {
			return nil, err
		}
		id := names[len(names)-1].ID
		var details exportDetails
		export, err := fitfile.Open(ctx, j.Artifacts, id, &details)
		if errors.Is(err, objectstore.ErrNotFound) {
			var v *modelversion.Version
			if v, err = j.make(ctx, from, models, past, names, j.export); err != nil || v != nil {
				return v, err
			}
			export, err = fitfile.Open(ctx, j.Artifacts, id, &details)
		}
		if err != nil {
			return nil, err
		}
		exported = &Exported{ModelVersion: id, URL: export.URL(), Files: export.DataSets()}
		exported.Attempt, err = export.Attempt(ctx)
		return nil, err
	})
	return exported, settled, err
}

// importFits says whether there is memory to import what will be fitted: after hours of fitting it would be
// too late.
func (j Job) importFits(set commit.Manifest) error {
	cfg := j.Config
	cfg.Dim = j.Given.Fits.Dim
	size := cfg.size(set, j.Threads)
	if j.Memory <= 0 || size.Bytes <= j.Memory {
		return nil
	}
	return fmt.Errorf("train import would need up to %.1f MB for %s at dimension %d, and %.1f MB are free; use a driver "+
		"with more memory, or fewer components: %w", float64(size.Bytes)/1e6, size.rows(), cfg.largestDim(),
		float64(j.Memory)/1e6, program.ErrTooLarge)
}

// export writes and commits the parts, in train's place.
func (j Job) export(ctx context.Context, _ *sources, models *commit.Repository, in *input,
	names []modelversion.Version) (_ *modelversion.Version, err error) {
	identity := names[len(names)-1]
	t := Trainer{Config: j.Config, Threads: j.Threads}
	if identity.Previous != "" {
		if t.Previous, err = modelfile.Read(ctx, models, identity.Previous, j.ScratchDir); err != nil {
			return nil, fmt.Errorf("read the version to compare with: %w", err)
		}
	}
	data, err := t.prepare(in.Data)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(j.ScratchDir, "kindred-export-*")
	if err != nil {
		return nil, fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := fitfile.NewWriter(dir)
	parts, questions := t.exported(data)
	if err := w.Questions(rowsOf(questions)); err != nil {
		return nil, err
	}
	for name, cells := range parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := w.Part(string(name), func(yield func(fitfile.Interaction) bool) {
			for _, c := range cells {
				if !yield(fitfile.Interaction{Customer: c.customer, Product: c.product, Confidence: c.weight}) {
					return
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return nil, w.Commit(ctx, j.Artifacts, identity.ID,
		exportDetails{Method: j.Given.Fits.Method, Rows: rowsHash(data)})
}

// rowsOf is a task as rows.
func rowsOf(task *evaluation.Task) iter.Seq[fitfile.Question] {
	return func(yield func(fitfile.Question) bool) {
		for _, c := range task.Cases {
			for _, p := range c.Relevant {
				if !yield(fitfile.Question{Customer: c.Customer, Product: p, Wanted: true}) {
					return
				}
			}
			for _, p := range c.Seen {
				if !yield(fitfile.Question{Customer: c.Customer, Product: p}) {
					return
				}
			}
		}
	}
}

// fitsOf opens an attempt at an export. What it reads is copied to j.ScratchDir meanwhile.
func (j Job) fitsOf(ctx context.Context, run, attempt string) (*Fits, error) {
	var details exportDetails
	export, err := fitfile.Open(ctx, j.Artifacts, run, &details)
	if err != nil {
		return nil, err
	}
	if attempt, err = export.Choose(ctx, attempt); err != nil {
		return nil, err
	}
	return &Fits{Export: run, Method: details.Method, Rows: details.Rows,
		Read: func(ctx context.Context, part string) (*Named, error) {
			v, err := export.Vectors(ctx, attempt, part, j.ScratchDir)
			if err != nil {
				return nil, err
			}
			return namedBy(export.URL()+"/attempt="+attempt+"/"+part, v), nil
		}}, nil
}
