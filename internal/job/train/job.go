package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop"
)

// Planted knows how a generated shop was made. The program hands it in, because what ships links no
// simulation.
type Planted interface {
	// Read returns the lake's record of how the shop was generated; nil when there is none.
	Read(ctx context.Context, lake objectstore.Store) (record []byte, err error)
	// Truth makes the planted preferences of a record again. It is nil without a record, and when the
	// products, ordered by code, are another shop's.
	Truth(record []byte, products []shop.Product) (func(customerID, productCode string) float64, error)
}

// Job makes the current training set into the current model version.
type Job struct {
	Lake, Artifacts objectstore.Store
	Config          Config
	ScratchDir      string // for copies of files; empty: the system's
	Threads         int    // as in Trainer
	Memory          int64  // as in Trainer
	Progress        func(stage string, done, total int64)
	Estimated       func(Estimate)
	Planted         Planted // nil: no ceiling is known
	ReplaceShop     bool    // the artifacts may hold another shop's versions, which are left alone
}

// Result is what a run achieved.
type Result struct {
	ModelVersion string              `json:"model_version"`
	TrainingRun  string              `json:"training_run"`
	NoOp         bool                `json:"-"` // nothing was made: the version was there, and is current now
	Report       modelversion.Report `json:"report"`
	Seconds      float64             `json:"seconds"`
	Customers    int64               `json:"customers"`
	Items        int64               `json:"items"`
	Interactions int64               `json:"interactions"` // ratings, whatever the stars
	Config       Notes               `json:"config"`
}

// Unchanged reports whether the run was a no-op.
func (r *Result) Unchanged() bool { return r.NoOp }

// Run makes a version, unless it is there already: then it becomes current again. The version's id is
// known before anything is trained: it derives from the training set's content, the configuration,
// the trainer's version, its arithmetic, the planted truth and the version before. Where only what
// training does not read has changed (names and stock), the new version carries the factors, the
// report and the verdict of the earlier one. ErrNoTrainingSet before the first etl.
func (j Job) Run(ctx context.Context) (*Result, error) {
	start := time.Now()
	sets, models := commit.NewRepository(j.Lake, envconfig.TrainingSetPrefix), commit.NewRepository(j.Artifacts,
		envconfig.ModelPrefix)
	m, err := sets.Current(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		return nil, fmt.Errorf("find training set in %s: %w", j.Lake, ErrNoTrainingSet)
	}
	if err != nil {
		return nil, fmt.Errorf("find training set: %w", err)
	}
	done := commit.NewRepository(j.Lake, envconfig.FeedbackPrefix)
	feedbackSet, err := done.Current(ctx)
	if err != nil && !errors.Is(err, commit.ErrNoCurrent) {
		return nil, fmt.Errorf("find feedback: %w", err)
	}
	var planted []byte
	if j.Planted != nil {
		if planted, err = j.Planted.Read(ctx, j.Lake); err != nil {
			return nil, err
		}
	}
	input, err := inputHash(m.ContentHash, feedbackSet.ContentHash, j.Config, planted)
	if err != nil {
		return nil, err
	}
	shop := trainingset.ShopOf(m)
	past, err := j.history(ctx, models, input, shop)
	if err != nil {
		return nil, err
	}
	id := versionID(input, past.previous)
	if past.same != "" {
		id = past.same
	}
	result := &Result{ModelVersion: id, TrainingRun: m.Run, Customers: m.Rows(trainingset.Customers),
		Items:        m.Rows(trainingset.Products),
		Interactions: m.Rows(trainingset.Ratings) + m.Rows(trainingset.Interactions)}
	var v *modelversion.Version
	switch _, _, err = models.Restore(ctx, id); {
	case err == nil:
		result.NoOp = true
		v, _, _, err = modelfile.ReadSummary(ctx, models, id, j.ScratchDir)
	// training again puts a lost file back
	case errors.Is(err, objectstore.ErrNotFound), errors.Is(err, commit.ErrCorrupt):
		v, err = j.make(ctx, sources{sets, m, done, feedbackSet, planted}, models, past,
			modelversion.Version{ID: id, Input: input, Previous: past.previous, TrainingRun: m.Run, Shop: shop})
	}
	if err != nil {
		return nil, err
	}
	result.Report, result.Seconds = v.Report, time.Since(start).Seconds()
	if err := json.Unmarshal(v.Training, &result.Config); err != nil {
		return nil, fmt.Errorf("read the notes of version %s: %w", id, err)
	}
	return result, nil
}

// sources are what a version is made from.
type sources struct {
	sets      *commit.Repository
	set       commit.Manifest
	feedbacks *commit.Repository
	feedback  commit.Manifest // without Run: there is none
	planted   []byte
}

// make reads the training set and makes the version, by carrying an earlier one over if that can be.
func (j Job) make(ctx context.Context, sources sources, models *commit.Repository, past past,
	identity modelversion.Version) (*modelversion.Version, error) {
	data, err := j.read(ctx, sources)
	if err != nil {
		return nil, fmt.Errorf("read training set: %w", err)
	}
	if identity.Learned, err = inputHash(data.rows, sources.feedback.ContentHash, j.Config, sources.planted); err != nil {
		return nil, err
	}
	v, err := j.carry(ctx, models, past, data.Products, identity)
	if err == nil && v == nil {
		v, err = j.train(ctx, sources, models, data, identity)
	}
	if err != nil {
		return nil, err
	}
	if _, err := modelfile.Write(ctx, models, v, j.ScratchDir); err != nil {
		return nil, err
	}
	return v, nil
}

// input is a training set as it was read.
type input struct {
	*Data
	listed []shop.Product // of a set of ratings, in the order of their codes
	rows   string         // hash of what training reads
}

func (j Job) read(ctx context.Context, sources sources) (input, error) {
	if trainingset.IsHistory(sources.set) {
		h, err := trainingset.ReadHistory(ctx, sources.sets, sources.set, j.ScratchDir)
		if err != nil {
			return input{}, err
		}
		data := fromHistory(h, j.Config.Signal)
		return input{Data: data, rows: historyHash(h, data)}, nil
	}
	set, err := trainingset.Read(ctx, sources.sets, sources.set, j.ScratchDir)
	if err != nil {
		return input{}, err
	}
	return input{fromSet(set), set.Products, setHash(set)}, nil
}

func (j Job) train(ctx context.Context, sources sources, models *commit.Repository, data input,
	identity modelversion.Version) (*modelversion.Version, error) {
	t := Trainer{Config: j.Config, Threads: j.Threads, Memory: j.Memory, Progress: j.Progress, Estimated: j.Estimated}
	var err error
	if identity.Previous != "" {
		if t.Previous, err = modelfile.Read(ctx, models, identity.Previous, j.ScratchDir); err != nil {
			return nil, fmt.Errorf("read the version to compare with: %w", err)
		}
	}
	if j.Planted != nil && data.listed != nil {
		if t.Truth, err = j.Planted.Truth(sources.planted, data.listed); err != nil {
			return nil, err
		}
	}
	if sources.feedback.Run != "" {
		interactions, err := interaction.Read(ctx, sources.feedbacks, sources.feedback, j.ScratchDir)
		if err != nil {
			return nil, fmt.Errorf("read feedback: %w", err)
		}
		data.addFeedback(interactions)
	}
	v, err := t.Train(ctx, data.Data)
	if err != nil {
		return nil, fmt.Errorf("train on run %s: %w", sources.set.Run, err)
	}
	v.ID, v.Input, v.Learned = identity.ID, identity.Input, identity.Learned
	v.Previous, v.TrainingRun, v.Shop = identity.Previous, identity.TrainingRun, identity.Shop
	return v, nil
}
