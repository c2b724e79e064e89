package trainer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kindred/internal/commit"
	"kindred/internal/envconfig"
	"kindred/internal/evaluation"
	"kindred/internal/modelfile"
	"kindred/internal/modelversion"
	"kindred/internal/objectstore"
	"kindred/internal/plantedshop"
	"kindred/internal/trainingset"
)

// Job makes the current training set into the current model version.
type Job struct {
	Lake, Artifacts objectstore.Store
	Config          Config
	ScratchDir      string // for copies of files; empty: the system's
	Threads         int    // as in Trainer
	Progress        func(stage string, done, total int64)
}

// Result is what a run achieved.
type Result struct {
	ModelVersion string              `json:"model_version"`
	TrainingRun  string              `json:"training_run"`
	NoOp         bool                `json:"no_op"` // nothing was trained: the version was there, and is current now
	Report       modelversion.Report `json:"report"`
	Seconds      float64             `json:"seconds"`
	Customers    int64               `json:"customers"`
	Items        int64               `json:"items"`
	Interactions int64               `json:"interactions"` // ratings, whatever the stars
	Config       Notes               `json:"config"`
}

// Run trains, unless the version that it would make is there already: then it becomes current again. The version's id is known before anything is
// trained: it derives from the training set's content, the configuration, the trainer's version and the planted truth.
// ErrNoTrainingSet before the first etl.
func (j Job) Run(ctx context.Context) (*Result, error) {
	start := time.Now()
	sets, models := commit.NewRepository(j.Lake, envconfig.TrainingSetPrefix), commit.NewRepository(j.Artifacts, envconfig.ModelPrefix)
	m, err := sets.Current(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		return nil, fmt.Errorf("find training set in %s: %w", j.Lake, ErrNoTrainingSet)
	}
	if err != nil {
		return nil, fmt.Errorf("find training set: %w", err)
	}
	planted, err := plantedshop.Read(ctx, j.Lake)
	if err != nil {
		return nil, err
	}
	id, err := versionID(m.ContentHash, j.Config, planted)
	if err != nil {
		return nil, err
	}
	result := &Result{ModelVersion: id, TrainingRun: m.Run, Customers: m.Rows(trainingset.Customers), Items: m.Rows(trainingset.Products),
		Interactions: m.Rows(trainingset.Ratings)}
	if _, err := models.Current(ctx); err != nil && !errors.Is(err, commit.ErrNoCurrent) {
		return nil, fmt.Errorf("find current model version: %w", err)
	}
	var v *modelversion.Version
	switch _, _, err = models.Restore(ctx, id); {
	case err == nil:
		result.NoOp = true
		v, _, _, err = modelfile.ReadSummary(ctx, models, id, j.ScratchDir)
	case errors.Is(err, objectstore.ErrNotFound), errors.Is(err, commit.ErrCorrupt): // training again puts a lost file back
		v, err = j.train(ctx, sets, models, m, id, planted)
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

func (j Job) train(ctx context.Context, sets, models *commit.Repository, m commit.Manifest, id string,
	planted []byte) (*modelversion.Version, error) {
	set, err := trainingset.Read(ctx, sets, m, j.ScratchDir)
	if err != nil {
		return nil, fmt.Errorf("read training set: %w", err)
	}
	t := Trainer{Config: j.Config, Threads: j.Threads, Progress: j.Progress}
	switch truth, err := plantedshop.Shop(planted, set.Products); {
	case err != nil:
		return nil, err
	case truth != nil:
		t.Truth = truth
	}
	v, err := t.Train(ctx, fromSet(set))
	if err != nil {
		return nil, fmt.Errorf("train on run %s: %w", m.Run, err)
	}
	v.ID, v.TrainingRun = id, m.Run
	if _, err := modelfile.Write(ctx, models, v, j.ScratchDir); err != nil {
		return nil, err
	}
	return v, nil
}

// versionID names the model that this input gives: m and 15 hex digits, valid as part of an SQL identifier.
func versionID(contentHash string, cfg Config, planted []byte) (string, error) {
	plantedHash := ""
	if planted != nil {
		sum := sha256.Sum256(planted)
		plantedHash = hex.EncodeToString(sum[:])
	}
	data, err := json.Marshal(struct {
		TrainingSet, TrainerVersion, Planted string
		Config                               Config
	}{contentHash, Version, plantedHash, cfg})
	if err != nil {
		return "", fmt.Errorf("name the version: %w", err)
	}
	sum := sha256.Sum256(data)
	return "m" + hex.EncodeToString(sum[:])[:15], nil
}

func fromSet(set *trainingset.Set) *Data {
	data := &Data{Customers: set.Customers, Products: set.Products, Ratings: make([]evaluation.Rating, len(set.Interactions))}
	for i, r := range set.Interactions {
		data.Ratings[i] = evaluation.Rating{Customer: r.Customer, Product: r.Product, Stars: r.Stars, RatedAt: r.RatedAt}
	}
	return data
}
