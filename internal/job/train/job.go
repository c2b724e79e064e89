package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/checksum"
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
	Embeddings      *Named  // of the products' texts or images; nil: there are none
	MostUnknown     float64 // largest share of Embeddings' ids that the training set need not know
	Given           *Given  // vectors that take the place of fitting; nil: a model is fitted
	ReplaceShop     bool    // the artifacts may hold another shop's versions, which are left alone
}

// Result is what a run achieved.
type Result struct {
	ModelVersion string              `json:"model_version"`
	TrainingRun  string              `json:"training_run"`
	NoOp         bool                `json:"-"` // nothing was made: the version was there, and is current now
	Report       modelversion.Report `json:"report"`
	// Refused is the model that the gate refused, where popularity answers instead: then ModelVersion
	// and Report are those of popularity.
	Refused      *Refused `json:"refused,omitempty"`
	Seconds      float64  `json:"seconds"`
	Customers    int64    `json:"customers"`
	Items        int64    `json:"items"`
	Interactions int64    `json:"interactions"` // ratings, whatever the stars
	Config       Notes    `json:"config"`
}

// Refused is a model that does not go live.
type Refused struct {
	ModelVersion string              `json:"model_version"`
	Report       modelversion.Report `json:"report"`
	Config       Notes               `json:"config"`
}

// Unchanged reports whether the run was a no-op.
func (r *Result) Unchanged() bool { return r.NoOp }

// Run makes a version, unless it is there already: then it becomes current again. The version's id is
// known before anything is trained: it derives from the training set's content, the configuration,
// the trainer's version, its arithmetic, the planted truth and the version before. Where only what
// training does not read has changed (names and stock), the new version carries the factors, the
// report and the verdict of the earlier one. Where no model has passed the gate, a version that
// answers by popularity becomes current. ErrNoTrainingSet before the first etl.
func (j Job) Run(ctx context.Context) (*Result, error) {
	return j.settle(ctx, func(ctx context.Context, from *sources, models *commit.Repository, past past,
		names []modelversion.Version) (*modelversion.Version, error) {
		return j.make(ctx, from, models, past, names, j.train)
	})
}

// maker makes the model under one of the names. The model is nil if it is made elsewhere.
type maker func(ctx context.Context, from *sources, models *commit.Repository, past past,
	names []modelversion.Version) (*modelversion.Version, error)

// settle is Run with another maker than Run's. The result is nil where the maker makes no model.
func (j Job) settle(ctx context.Context, make maker) (*Result, error) {
	start := time.Now()
	models := commit.NewRepository(j.Artifacts, envconfig.ModelPrefix)
	from, past, names, err := j.identify(ctx, models)
	if err != nil {
		return nil, err
	}
	identity := names[len(names)-1]
	if f := j.fits(); f != nil && f.Export != "" && f.Export != identity.ID {
		return nil, fmt.Errorf("the export %s is for another training set, other flags, or another version before than "+
			"there are now, "+
			"which make the version %s: give train import the flags of train export, or run train export again: %w", f.Export,
			identity.ID, ErrGiven)
	}
	m := from.set
	result := &Result{TrainingRun: m.Run, Customers: m.Rows(trainingset.Customers),
		Items:        m.Rows(trainingset.Products),
		Interactions: m.Rows(trainingset.Ratings) + m.Rows(trainingset.Interactions)}
	v, err := j.model(ctx, from, models, past, names, make, result)
	noLikes := errors.Is(err, ials.ErrNoInteractions)
	if err != nil && (!noLikes || past.judged) || err == nil && v == nil {
		return nil, err
	}
	if noLikes || v.Report.Verdict.Decision() == modelversion.OutcomeRefused && !past.judged {
		if v != nil {
			identity = names[slices.IndexFunc(names, func(n modelversion.Version) bool { return n.ID == v.ID })]
		}
		if v, err = j.standIn(ctx, from, models, identity, v, result); err != nil {
			return nil, err
		}
	}
	result.ModelVersion, result.Report, result.Seconds = v.ID, v.Report, time.Since(start).Seconds()
	if err := json.Unmarshal(v.Training, &result.Config); err != nil {
		return nil, fmt.Errorf("read the notes of version %s: %w", v.ID, err)
	}
	return result, nil
}

// identify says which version the run is to make, by a name for each of Config.outcomes, and from what. It
// reads no rows.
func (j Job) identify(ctx context.Context, models *commit.Repository) (from *sources, past past,
	names []modelversion.Version, err error) {
	if from, err = j.sources(ctx); err != nil {
		return nil, past, nil, err
	}
	inputs, err := j.inputs(from, from.set.ContentHash)
	if err != nil {
		return nil, past, nil, err
	}
	shop := trainingset.ShopOf(from.set)
	if past, err = j.history(ctx, models, inputs, shop); err != nil {
		return nil, past, nil, err
	}
	for _, input := range inputs {
		id := versionID(input, past.previous)
		if past.same != nil && past.same.Input == input {
			id = past.same.ID
		}
		names = append(names, modelversion.Version{ID: id, Input: input, Previous: past.previous,
			TrainingRun: from.set.Run, Shop: shop})
	}
	return from, past, names, nil
}

// restore makes the version of one of the names current again, if it is there and whole, and returns its
// id; empty: it is not. What popularity answers instead of stays where it is.
func restore(ctx context.Context, models *commit.Repository, past past, names []modelversion.Version) (id string,
	err error) {
	for _, name := range names {
		if past.same != nil && name.ID != past.same.ID {
			continue
		}
		if past.current(standInID(name.Input, name.ID)) {
			_, err = models.Manifest(ctx, name.ID)
		} else {
			_, _, err = models.Restore(ctx, name.ID)
		}
		if err == nil {
			return name.ID, nil
		}
		if !errors.Is(err, objectstore.ErrNotFound) && !errors.Is(err, commit.ErrCorrupt) {
			return "", err
		}
	}
	return "", nil // training again puts a lost file back
}

// model lets the maker make the model, or finds it made and makes it current.
func (j Job) model(ctx context.Context, from *sources, models *commit.Repository, past past,
	names []modelversion.Version, make maker, result *Result) (*modelversion.Version, error) {
	id, err := restore(ctx, models, past, names)
	if err != nil {
		return nil, err
	}
	if id == "" {
		return make(ctx, from, models, past, names)
	}
	result.NoOp = true
	v, _, _, err := modelfile.ReadSummary(ctx, models, id, j.ScratchDir)
	return v, err
}

// sources are what a version is made from.
type sources struct {
	sets      *commit.Repository
	set       commit.Manifest
	feedbacks *commit.Repository
	feedback  commit.Manifest // without Run: there is none
	planted   []byte
	input     *input // nil until it is read
}

// sources finds them. It reads no rows.
func (j Job) sources(ctx context.Context) (*sources, error) {
	from := &sources{sets: commit.NewRepository(j.Lake, envconfig.TrainingSetPrefix),
		feedbacks: commit.NewRepository(j.Lake, envconfig.FeedbackPrefix)}
	var err error
	from.set, err = from.sets.Current(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		return nil, fmt.Errorf("find training set in %s: %w", j.Lake, ErrNoTrainingSet)
	}
	if err != nil {
		return nil, fmt.Errorf("find training set: %w", err)
	}
	from.feedback, err = from.feedbacks.Current(ctx)
	if err != nil && !errors.Is(err, commit.ErrNoCurrent) {
		return nil, fmt.Errorf("find feedback: %w", err)
	}
	if j.Planted != nil {
		if from.planted, err = j.Planted.Read(ctx, j.Lake); err != nil {
			return nil, err
		}
	}
	return from, nil
}

// inputs are the hashes of what a version is made from, for each of Config.outcomes. set is the hash of
// the training set, or of a part of it.
func (j Job) inputs(from *sources, set string) ([]string, error) {
	var all []string
	for _, cfg := range j.Config.outcomes() {
		input, err := inputHash(set, from.feedback.ContentHash, cfg, from.planted)
		if err != nil {
			return nil, err
		}
		all = append(all, j.withFiles(input))
	}
	return all, nil
}

// withFiles is a hash of what a version is made from, and of the files besides the lake's.
func (j Job) withFiles(hash string) string {
	if j.Given != nil {
		hash = j.Given.inputHash(hash)
	}
	if j.Embeddings != nil {
		hash = checksum.Bytes([]byte("embeddings\n" + hash + "\n" + j.Embeddings.Hash))
	}
	return hash
}

// make reads the training set and makes the version under one of the names, by carrying an earlier one
// over if that can be, and by learning otherwise. It is nil if that is done elsewhere.
func (j Job) make(ctx context.Context, from *sources, models *commit.Repository, past past,
	names []modelversion.Version, learn func(context.Context, *sources, *commit.Repository, *input,
		[]modelversion.Version) (*modelversion.Version, error)) (*modelversion.Version, error) {
	data, err := j.read(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("read training set: %w", err)
	}
	v, err := j.carried(ctx, from, models, past, data, names)
	if err == nil && v == nil {
		v, err = learn(ctx, from, models, data, names)
	}
	if err != nil || v == nil {
		return nil, err
	}
	data.addTogether(v)
	if _, err := modelfile.Write(ctx, models, v, j.ScratchDir); err != nil {
		return nil, err
	}
	return v, nil
}

// carried is carry, for what may be carried over. It fills in the names' Learned.
func (j Job) carried(ctx context.Context, from *sources, models *commit.Repository, past past, data *input,
	names []modelversion.Version) (*modelversion.Version, error) {
	if j.Given != nil && j.Given.Fits == nil { // given vectors are cheap to evaluate again
		return nil, nil
	}
	learned, err := j.inputs(from, data.rows)
	if err != nil {
		return nil, err
	}
	for i := range names {
		names[i].Learned = learned[i]
	}
	return j.carry(ctx, models, past, data.Products, names)
}

// input is a training set as it was read, with what customers did since.
type input struct {
	*Data
	listed  []shop.Product // of a set of ratings, in the order of their codes
	baskets [][]int32      // what was bought together, by the numbers of the products
	rows    string         // hash of what training reads of the set
	// embeddings are counted; nil: there are none.
	embeddings *Joined
}

// read reads the training set and the feedback, once.
func (j Job) read(ctx context.Context, from *sources) (*input, error) {
	if from.input != nil {
		return from.input, nil
	}
	var in input
	if trainingset.IsHistory(from.set) {
		h, err := trainingset.ReadHistory(ctx, from.sets, from.set, j.ScratchDir)
		if err != nil {
			return nil, err
		}
		data := fromHistory(h, j.Config.Signal)
		in = input{Data: data, rows: historyHash(h, data), baskets: basketsOfHistory(h)}
	} else {
		set, err := trainingset.Read(ctx, from.sets, from.set, j.ScratchDir)
		if err != nil {
			return nil, err
		}
		in = input{Data: fromSet(set), listed: set.Products, rows: setHash(set), baskets: basketsOfRatings(set)}
	}
	if from.feedback.Run != "" {
		interactions, err := interaction.Read(ctx, from.feedbacks, from.feedback, j.ScratchDir)
		if err != nil {
			return nil, fmt.Errorf("read feedback: %w", err)
		}
		in.addFeedback(interactions)
	}
	if j.Embeddings != nil {
		counts, err := in.embed(j.Embeddings, j.MostUnknown)
		if err != nil {
			return nil, err
		}
		in.embeddings = &counts
	}
	from.input = &in
	return &in, nil
}

func (j Job) train(ctx context.Context, from *sources, models *commit.Repository, data *input,
	names []modelversion.Version) (*modelversion.Version, error) {
	t := Trainer{Config: j.Config, Threads: j.Threads, Memory: j.Memory, Progress: j.Progress, Estimated: j.Estimated,
		Given: j.Given, embeddings: data.embeddings}
	var err error
	if previous := names[0].Previous; previous != "" {
		if t.Previous, err = modelfile.Read(ctx, models, previous, j.ScratchDir); err != nil {
			return nil, fmt.Errorf("read the version to compare with: %w", err)
		}
	}
	if j.Planted != nil && data.listed != nil {
		if t.Truth, err = j.Planted.Truth(from.planted, data.listed); err != nil {
			return nil, err
		}
	}
	v, err := t.Train(ctx, data.Data)
	if err != nil {
		return nil, fmt.Errorf("train on run %s: %w", from.set.Run, err)
	}
	var notes Notes
	if err := json.Unmarshal(v.Training, &notes); err != nil {
		return nil, fmt.Errorf("read the notes of the new version: %w", err)
	}
	identity := names[slices.IndexFunc(j.Config.outcomes(), notes.Config.sameParts)]
	v.ID, v.Input, v.Learned = identity.ID, identity.Input, identity.Learned
	v.Previous, v.TrainingRun, v.Shop = identity.Previous, identity.TrainingRun, identity.Shop
	return v, nil
}
