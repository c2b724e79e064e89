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
	"kindred/internal/platform/envconfig"
)

// Exported is what another program is to fit, or the version that needs no fitting.
type Exported struct {
	ModelVersion string `json:"model_version"`
	// NoOp says that the version is there, and current: nothing is to be fitted.
	NoOp bool `json:"-"`
	// URL is the export's folder; vectors go to attempt=NAME in it.
	URL string `json:"url,omitempty"`
	// Files are the paths in it, by part, and of the questions.
	Files map[string][]string `json:"files,omitempty"`
	// Attempt has all vectors already, and is the one that is imported; empty: there is none.
	Attempt string `json:"attempt,omitempty"`
}

// Unchanged reports whether there is nothing to do.
func (e *Exported) Unchanged() bool { return e.NoOp }

// exportDetails are what the import has to know of an export.
type exportDetails struct {
	Method string `json:"method"`
	Rows   string `json:"rows"` // rowsHash
}

// Export writes what another program has to fit, in place of Run: j.Given.Fits has the method alone.
// Where the version is there already, or carries an earlier one over, it becomes current instead. An
// export that is there already is written no more. Errors are those of Run.
func (j Job) Export(ctx context.Context) (*Exported, error) {
	models := commit.NewRepository(j.Artifacts, envconfig.ModelPrefix)
	from, past, names, err := j.identify(ctx, models)
	if err != nil {
		return nil, err
	}
	identity := names[len(names)-1]
	result := &Exported{ModelVersion: identity.ID}
	there, err := restore(ctx, models, past, names)
	if result.NoOp = there != ""; err != nil || result.NoOp {
		return result, err
	}
	var details exportDetails
	export, err := fitfile.Open(ctx, j.Artifacts, identity.ID, &details)
	if errors.Is(err, objectstore.ErrNotFound) {
		if result.NoOp, err = j.carryOrExport(ctx, from, models, past, names); err == nil && !result.NoOp {
			export, err = fitfile.Open(ctx, j.Artifacts, identity.ID, &details)
		}
	}
	if err != nil || result.NoOp {
		return result, err
	}
	result.URL, result.Files = export.URL(), export.DataSets()
	result.Attempt, err = export.Attempt(ctx)
	return result, err
}

// carryOrExport makes the version of an earlier one, if that can be, and exports otherwise.
func (j Job) carryOrExport(ctx context.Context, from *sources, models *commit.Repository, past past,
	names []modelversion.Version) (carried bool, err error) {
	data, err := j.read(ctx, from)
	if err != nil {
		return false, fmt.Errorf("read training set: %w", err)
	}
	v, err := j.carried(ctx, from, models, past, data, names)
	if err != nil {
		return false, err
	}
	if identity := names[len(names)-1]; v == nil {
		return false, j.export(ctx, models, data.Data, identity.ID, identity.Previous)
	}
	_, err = modelfile.Write(ctx, models, v, j.ScratchDir)
	return true, err
}

// export writes and commits the parts.
func (j Job) export(ctx context.Context, models *commit.Repository, data *Data, id, previous string) (err error) {
	t := Trainer{Config: j.Config, Threads: j.Threads}
	if previous != "" {
		if t.Previous, err = modelfile.Read(ctx, models, previous, j.ScratchDir); err != nil {
			return fmt.Errorf("read the version to compare with: %w", err)
		}
	}
	dir, err := os.MkdirTemp(j.ScratchDir, "kindred-export-*")
	if err != nil {
		return fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if data, err = t.prepare(data); err != nil {
		return err
	}
	w := fitfile.NewWriter(dir)
	parts, questions := t.exported(data)
	if err := w.Questions(rowsOf(questions)); err != nil {
		return err
	}
	for name, cells := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := w.Part(string(name), func(yield func(fitfile.Interaction) bool) {
			for _, c := range cells {
				if !yield(fitfile.Interaction{Customer: c.customer, Product: c.product, Confidence: c.weight}) {
					return
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return w.Commit(ctx, j.Artifacts, id, exportDetails{Method: j.Given.Fits.Method, Rows: rowsHash(data)})
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
