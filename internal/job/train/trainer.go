// Package train makes a model version from a training set: what counts as a like, features for
// those without history, tuning on a validation part, evaluation against baselines on held-out
// ratings, the gate's verdict, and the version's identity. It does not own the solver (package
// ials), the metrics (package evaluation) or the files (package modelfile).
package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/shop"
)

// Version of the training code. It is part of a model's identity: raise it when the same input
// would give another model.
const Version = "6"

// nearVersion is the same for neighbours: raise it when the same input would give others. Versions
// without neighbours keep their identity.
const nearVersion = "2"

const (
	largestDim = 256  // that tuning chooses
	mostDim    = 1024 // that may be asked for
	// worthwhile is the gain that a doubled dimension must bring: it costs up to four times the
	// training and twice the index.
	worthwhile = 1.01
	// nu scales regularisation in proportion to a row's observations, the paper's choice. 0, 0.5 and
	// 0.75, each with its own alpha0 and lambda, ranked the same within noise on ml-100k,
	// ml-latest-small and a generated shop: one value less to tune.
	nu = 1
)

// Config is how to train. All of it is part of a model's identity.
type Config struct {
	Signal
	// Dim is the number of components of a vector. 0, the default, lets the tuning choose.
	Dim int `json:"dim"`
	// TuneBudget is how long the search for the best configuration may take, in seconds of a nominal
	// machine: candidates are priced by their arithmetic at 20 Gflop/s, so the same budget tries the
	// same candidates everywhere. Defaults to 60.
	TuneBudget float64 `json:"tune_budget"`
	// Epochs of the final fits. Defaults to 16: the ranking moves by less than its noise after.
	Epochs int `json:"epochs"`
	// Seed of the initial vectors. Defaults to 1.
	Seed uint64 `json:"seed"`
	// ViewWeight and CartWeight are the confidences of an item that a visitor has looked at and has in
	// the cart; a like in training has 1. 0, the default, lets tuning choose the first by replaying
	// sessions of the validation part, and makes the second three times as much: putting into the cart
	// is the rarer and clearer sign.
	ViewWeight float64 `json:"view_weight"`
	CartWeight float64 `json:"cart_weight"`
	// Repeats are the rules for what a customer has bought before; nil hides it. The evaluation
	// follows them: what they show is ranked, and to be found again if it was bought again.
	Repeats *modelversion.Repeats `json:"repeats,omitempty"`
	// Parts is PartsAuto or PartsVectors. Empty means vectors alone as well: it is how versions were named
	// before there were neighbours, and how they still are where validation asks for none.
	Parts string `json:"parts,omitempty"`
	// WarmStart lets the fit to everything begin with the vectors of the version before.
	WarmStart bool `json:"warm_start,omitempty"`
	// Lukewarm is LukewarmAuto or LukewarmNone. Empty means none as well: it is how versions were named
	// before stars below a like could count, and how they still are where validation does not ask for it.
	Lukewarm string `json:"lukewarm,omitempty"`
	// Sessions is SessionsAuto or SessionsNone. Empty means none as well.
	Sessions string `json:"sessions,omitempty"`
	// TuneRepeats lets the validation part choose one rule for the shop, instead of Repeats.
	TuneRepeats bool `json:"tune_repeats,omitempty"`
}

// DefaultConfig is what the train job uses when nothing is said.
func DefaultConfig() Config {
	return Config{Signal: Signal{MinStars: defaultMinStars, FeedbackCart: 0.5, FeedbackPurchase: 1}, TuneBudget: 60,
		Epochs: 16, Seed: 1, Parts: PartsAuto, Lukewarm: LukewarmAuto, Sessions: SessionsAuto}
}

// outcomes are the configurations that a version may be named by. Training alone tells which it will be;
// the last one is of a version with neither neighbours nor weak likes.
func (c Config) outcomes() (all []Config) {
	for _, named := range []Config{c.named(true, true), c.named(true, false), c.named(false, true),
		c.named(false, false)} {
		if !slices.ContainsFunc(all, named.sameParts) {
			all = append(all, named)
		}
	}
	return all
}

// sameParts compares what outcomes vary.
func (c Config) sameParts(other Config) bool {
	return c.Parts == other.Parts && c.Lukewarm == other.Lukewarm
}

// named is the configuration by which a version is named. Where validation asks for no neighbours, it has
// the name and the bytes of a version that was made before there were any. The same is true of weak
// likes, and also where they are not tried.
func (c Config) named(near, lukewarm bool) Config {
	if c.Parts == PartsAuto && !near {
		c.Parts = ""
	}
	if !lukewarm || c.Lukewarm == LukewarmNone {
		c.Lukewarm = ""
	}
	return c
}

// Validate reports every broken rule at once.
func (c Config) Validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	check(c.MinStars >= 1 && c.MinStars <= 5, "stars of a like are %d, want 1 to 5", c.MinStars)
	check(c.FeedbackView >= 0 && c.FeedbackCart >= 0 && c.FeedbackPurchase >= 0,
		"the feedback's weights are %g, %g and %g, want 0 or more",
		c.FeedbackView, c.FeedbackCart, c.FeedbackPurchase)
	for kind, weight := range c.Kinds {
		check(weight >= 0 && !math.IsInf(weight, 0), "the weight of kind %s is %g, want 0 or more", kind, weight)
		check(weight == 0 || weight == 1 || kind != shop.KindRating && kind != shop.KindPurchase,
			"the weight of kind %s is %g, want 1, or 0 to leave it out", kind, weight)
	}
	check(c.Repeat == nil || *c.Repeat >= 0, "the weight of a repeated purchase is below 0")
	check(c.Parts == "" || c.Parts == PartsAuto || c.Parts == PartsVectors, "the parts are %q, want %s or %s", c.Parts,
		PartsAuto, PartsVectors)
	check(c.Sessions == "" || c.Sessions == SessionsAuto || c.Sessions == SessionsNone,
		"sessions without a customer are to count as %q, want %s or %s", c.Sessions, SessionsAuto, SessionsNone)
	check(c.Lukewarm == "" || c.Lukewarm == LukewarmAuto || c.Lukewarm == LukewarmNone,
		"stars below a like are to count as %q, want %s or %s", c.Lukewarm, LukewarmAuto, LukewarmNone)
	check(c.HalfLife >= 0, "the half-life is %g days, want 0 or more", c.HalfLife)
	check(c.Dim == 0 || c.Dim >= 2 && c.Dim <= mostDim, "dimension is %d, want 2 to %d, or 0 to tune it", c.Dim, mostDim)
	check(c.TuneBudget >= 0, "the tuning budget is %g seconds, want 0 or more", c.TuneBudget)
	check(c.Epochs >= 1 && c.Epochs <= 1000, "epochs are %d, want 1 to 1000", c.Epochs)
	check(c.ViewWeight >= 0 && c.CartWeight >= 0, "weights of a view and of the cart are %g and %g, want 0 or more",
		c.ViewWeight, c.CartWeight)
	return errors.Join(problems...)
}

// Notes is what a version remembers of its training.
type Notes struct {
	Config Config      `json:"config"` // what was asked for
	Used   Used        `json:"used"`   // what tuning made of it
	Tried  []Candidate `json:"tried"`  // on the validation part, in order
	// Interactions is the number of ratings it was trained on, whatever the stars. What was bought
	// counts as rated.
	Interactions int `json:"interactions"`
	Feedback     int `json:"feedback,omitempty"` // what customers did in sessions
	// Sessions is how many sessions without a customer there are, and UsedSessions what tuning made of
	// them; nil: nothing.
	Sessions     int         `json:"sessions,omitempty"`
	UsedSessions *UsedWeight `json:"used_sessions,omitempty"`
	// Signal is what tuning made of the weights of interactions; nil for a set of ratings.
	Signal *UsedSignal `json:"signal,omitempty"`
	// Repeats are the rules that the version has; nil: what was bought before is hidden.
	Repeats *modelversion.Repeats `json:"repeats,omitempty"`
	// RepeatsTried are the rules that `auto` tried.
	RepeatsTried []TriedRepeat `json:"repeats_tried,omitempty"`
	// Lukewarm is what tuning made of stars below a like; nil: nothing.
	Lukewarm *UsedWeight `json:"lukewarm,omitempty"`
	// Near are the neighbours that tuning chose; nil: none.
	Near *UsedNear `json:"near,omitempty"`
	// WarmStart is the version whose vectors the fit began with; empty: none.
	WarmStart string `json:"warm_start,omitempty"`
	// Import says which given vectors the version has; nil: it was fitted.
	Import *Import `json:"import,omitempty"`
	// Clicks is what a version of sessions was made from; nil: it was made from a training set.
	Clicks *UsedClicks `json:"clicks,omitempty"`
	// Embeddings of products' texts or images, which say what products without history are.
	Embeddings *Joined `json:"embeddings,omitempty"`
	Kernel     string  `json:"kernel"` // of the arithmetic; other kernels round differently
}

// Used are the values that the model was fitted with.
type Used struct {
	Dim    int     `json:"dim"`
	Alpha0 float64 `json:"alpha0"`
	Lambda float64 `json:"lambda"`
	Nu     float64 `json:"nu"`
	Epochs int     `json:"epochs"`
	// ViewWeight, CartWeight and NewcomerShare are those that serving folds sessions in with. Absent where
	// nothing is served.
	ViewWeight    float64 `json:"view_weight,omitempty"`
	CartWeight    float64 `json:"cart_weight,omitempty"`
	NewcomerShare float64 `json:"newcomer_share,omitempty"`
}

// Truth is the planted preference of a generated shop: how much a customer would like a product. The
// best possible ranking follows it. Unknown customers and products give 0. It is safe for concurrent use.
type Truth func(customerID, productCode string) float64

// Trainer trains. The zero value of everything but Config is usable.
type Trainer struct {
	Config Config
	Truth  Truth // nil: no ceiling is known
	// Previous is the last version that the gate did not refuse, which train takes for the live one.
	// Tuning tries its configuration first. The gate passes a new version only if it is not worse than
	// Previous, on ratings that neither model was trained on. nil: there is none.
	Previous *modelversion.Version
	// Given are vectors that take the place of fitting; nil: a model is fitted.
	Given *Given
	// Memory is how many bytes may be used; a training that would need more is refused before it
	// starts. 0: nobody knows.
	Memory int64
	// Estimated, if not nil, hears what the training will take, before it starts.
	Estimated func(Estimate)
	Threads   int // 0: all processors. The result does not depend on it.
	// Progress, if not nil, hears what is being done, a stage and how far it is. A fit's stage ends
	// with ", loss L".
	Progress func(stage string, done, total int64)
	given    *given // Given, in the order of the data
	// embeddings counts those of the data's products, for the notes; nil: there are none.
	embeddings *Joined
}

// mostReported is how many customers the report ranks all products for, chosen by a hash. The
// interval of 20,000 is a third of a percent point wide; everybody's would cost customers ×
// products.
const mostReported = 20_000

// splitSeed draws what is held out where times order nothing.
const splitSeed = 1

// Train makes a version from data, without ID and TrainingRun. It fits many small models on part of
// the training part to tune, one on the training part for the report, and one on everything for the
// version. Neither names nor the order of rows change the outcome (see Data.ordered).
func (t *Trainer) Train(ctx context.Context, data *Data) (*modelversion.Version, error) {
	data, err := t.prepare(data)
	if err != nil {
		return nil, err
	}
	if t.Given != nil {
		if t.given, err = t.Given.join(ctx, data); err != nil {
			return nil, err
		}
		t.Config.Dim = t.given.dim
	}
	if data, err = t.fitting(data); err != nil {
		return nil, err
	}
	test := t.split(data, data.Ratings)
	chosen, err := t.tune(ctx, data, test)
	if err != nil {
		return nil, err
	}
	sessions := len(data.Sessions)
	if chosen.sessions != nil {
		data = data.withSessions()
	}
	report, err := t.judge(ctx, data, test, chosen)
	if err != nil {
		return nil, err
	}
	solver, parent := t.warmStart(data, chosen.solver)
	final, err := t.fit(ctx, data, chosen.signal.cells(data.Ratings, data.Feedback), solver, partEverything, nil)
	if err != nil {
		return nil, fmt.Errorf("fit all ratings: %w", err)
	}
	final.addNear(chosen.near, t.threads())
	v := assemble(data, final, chosen)
	v.Report, v.TrainedAt = report, time.Now().UTC()
	notes := t.notes(data, chosen)
	notes.WarmStart, notes.Used.Epochs, notes.Sessions = parent, solver.Epochs, sessions
	if v.Training, err = json.Marshal(notes); err != nil {
		return nil, fmt.Errorf("encode what was tried: %w", err)
	}
	return v, nil
}

// fitting checks that training fits into memory. Sessions without a customer for which there is no room are
// left out. Errors: ErrMemory.
func (t *Trainer) fitting(data *Data) (*Data, error) {
	most := t.Config.Signal // with all that may count
	if t.Config.Lukewarm == LukewarmAuto {
		most.WeakLike = 1
	}
	estimate := func(d *Data) Estimate {
		return t.Config.estimate(matrix(len(d.Customers), len(d.Products), most.cells(d.Ratings, d.Feedback)),
			len(d.Ratings), t.threads())
	}
	e := estimate(data)
	if err := e.fit(t.Memory, len(data.Customers), len(data.Products), len(data.Ratings), t.Config.largestDim(),
		t.threads()); err != nil {
		return nil, err
	}
	if most.Session = 1; t.Config.Sessions == SessionsAuto && len(data.Sessions) > 0 {
		if larger := estimate(data.withSessions()); t.Memory <= 0 || larger.Bytes <= t.Memory {
			e = larger
		} else {
			without := *data
			without.Sessions, data = nil, &without
		}
	}
	if t.Estimated != nil {
		t.Estimated(e)
	}
	return data, nil
}

// prepare brings the data into canonical order. ials.ErrNoInteractions where nobody likes anything.
func (t *Trainer) prepare(data *Data) (*Data, error) {
	data = data.ordered()
	if len(t.Config.Positives(data.Ratings)) == 0 {
		return nil, fmt.Errorf("train on %d ratings, none with %d stars or more: %w",
			len(data.Ratings), t.Config.MinStars, ials.ErrNoInteractions)
	}
	return data, nil
}

// split holds a part out that given vectors, if their time is known, were not learned from.
func (t *Trainer) split(data *Data, ratings []evaluation.Rating) evaluation.Cut {
	return t.Given.later(t.splitAll(data, ratings))
}

// splitAll holds a part out, or nothing where all likes would be in that part: there would be nothing to
// learn from.
func (t *Trainer) splitAll(data *Data, ratings []evaluation.Rating) evaluation.Cut {
	c := evaluation.SplitWithGuests(ratings, data.guest, splitSeed)
	if len(t.Config.Positives(c.Train)) == 0 {
		c.Train, c.Held = ratings, nil
		c.Name = "nothing, because the part to hold out has all that customers like"
	}
	return c
}

// choice is what tuning made of the configuration.
type choice struct {
	signal  Signal
	solver  ials.Config
	weights weights
	tried   []Candidate
	repeats *modelversion.Repeats
	rules   []TriedRepeat // for repeats
	near    *UsedNear     // nil: the version has vectors alone
	// lukewarm is nil if stars below a like count for nothing, and sessions if sessions without a customer
	// do.
	lukewarm, sessions *UsedWeight
}

// tune searches on a validation part that is cut from the training part as the test part is from
// everything.
func (t *Trainer) tune(ctx context.Context, data *Data, test evaluation.Cut) (choice, error) {
	if t.given != nil {
		return t.tuneGiven(ctx, data, test)
	}
	validation := t.split(data, test.Train)
	first, err := usedBy(t.Previous)
	if err != nil {
		return choice{}, err
	}
	base := ials.Config{Nu: nu, Epochs: t.Config.Epochs, Seed: t.Config.Seed, Threads: t.threads()}
	signal := t.Config.begin(data)
	known := data.feedbackBefore(validation.Held, test.Held)
	cells := func(s Signal) *ials.Matrix {
		return matrix(len(data.Customers), len(data.Products), s.cells(validation.Train, known))
	}
	search := &tuner{
		matrix: cells(signal),
		task:   t.task(data, validation, firstTimes(test.Held), t.Config.Repeats, t.Config.Repeats),
		base:   base, first: first, budget: t.Config.TuneBudget * nominalRate, largest: largestDim, margin: worthwhile,
		progress: func(done, total int) { t.progress("tune", done, total) },
	}
	best, err := search.search(ctx, t.Config.Dim)
	if err != nil {
		return choice{}, fmt.Errorf("tune: %w", err)
	}
	base.Dim, base.Alpha0, base.Lambda = best.Dim, best.Alpha0, best.Lambda
	if data.Counted {
		if signal, err = search.signal(ctx, t.Config.Signal, signal, best, cells, known); err != nil {
			return choice{}, fmt.Errorf("tune the weights of interactions: %w", err)
		}
	}
	less := &lesser{trainer: t, data: data, cut: validation, test: test, task: search.task, signal: signal, solver: base,
		budget: search.spent + fitsCost(search.matrix, base.Dim, base.Epochs)/2}
	if err := less.choose(ctx); err != nil {
		return choice{}, err
	}
	data, signal, base = less.data, less.signal, less.solver
	known = data.feedbackBefore(validation.Held, test.Held)
	var near *UsedNear
	if t.Config.Parts == PartsAuto {
		m := cells(signal)
		near, err = nearSearch{matrix: m, task: search.task, solver: base, budget: search.spent + fitsCost(m, base.Dim,
			base.Epochs),
			progress: func(done, total int) { t.progress("tune neighbours", done, total) }}.search(ctx)
		if err != nil {
			return choice{}, fmt.Errorf("tune neighbours: %w", err)
		}
	}
	return t.finishTuning(ctx, data, choice{signal: signal, solver: base, tried: search.tried, near: near,
		lukewarm: less.lukewarm, sessions: less.sessions}, validation, test)
}

// finishTuning chooses what is left: the weights of sessions, and the rule for repeats.
func (t *Trainer) finishTuning(ctx context.Context, data *Data, chosen choice, validation,
	test evaluation.Cut) (choice, error) {
	var err error
	chosen.weights, err = t.tuneWeights(ctx, data, chosen.signal, chosen.solver, chosen.near, validation.Train,
		validation.Held, test.Held)
	if err != nil {
		return choice{}, fmt.Errorf("tune a view's weight: %w", err)
	}
	chosen.repeats = t.Config.Repeats
	if t.Config.TuneRepeats {
		if chosen.repeats, chosen.rules, err = t.tuneRepeats(ctx, data, chosen.signal, chosen.solver, validation,
			test); err != nil {
			return choice{}, fmt.Errorf("tune what becomes of what was bought before: %w", err)
		}
	}
	return chosen, nil
}

// judge fits the training part, and measures it against everything that there is to compare with.
func (t *Trainer) judge(ctx context.Context, data *Data, test evaluation.Cut,
	chosen choice) (report modelversion.Report, err error) {
	base := chosen.solver
	judged, err := t.fit(ctx, data, chosen.signal.cells(test.Train, data.feedbackBefore(test.Held)), base, partReport, nil)
	if err != nil {
		return report, fmt.Errorf("fit the training part: %w", err)
	}
	judged.addNear(chosen.near, t.threads())
	report, err = t.report(ctx, data, judged, test.Train,
		t.task(data, test, nil, chosen.repeats, chosen.repeats).Sample(mostReported))
	if err != nil {
		return report, fmt.Errorf("evaluate: %w", err)
	}
	report.Split, report.Ties = test.Name, test.Ties
	if report.Sessions, err = t.sessions(ctx, data, judged, base, chosen.weights, test.Train,
		test.Held); err != nil {
		return report, fmt.Errorf("replay sessions: %w", err)
	}
	if report.ColdStart, err = t.coldStart(ctx, data, chosen.signal, base); err != nil {
		return report, fmt.Errorf("measure new products: %w", err)
	}
	if t.Previous != nil {
		part, verdict, err := t.compare(ctx, data, chosen)
		if err != nil {
			return report, fmt.Errorf("compare with version %s: %w", t.Previous.ID, err)
		}
		report.Live, report.Verdict = part, report.Verdict.And(verdict)
	}
	report.Verdict = t.Given.caution(report.Verdict)
	return report, nil
}

func (t *Trainer) notes(data *Data, chosen choice) Notes {
	used := chosen.solver
	var weights *UsedSignal
	if data.Counted {
		weights = chosen.signal.used()
	}
	var imported *Import
	if t.given != nil {
		imported = t.given.notes
	}
	config := t.Config.named(chosen.near != nil, chosen.lukewarm != nil)
	return Notes{Import: imported, Embeddings: t.embeddings, Signal: weights, Repeats: chosen.repeats,
		RepeatsTried: chosen.rules, Near: chosen.near, Lukewarm: chosen.lukewarm, UsedSessions: chosen.sessions,
		Config: config, Tried: chosen.tried, Interactions: len(data.Ratings), Feedback: len(data.Feedback),
		Kernel: ials.Kernel(), Used: Used{Dim: used.Dim, Alpha0: used.Alpha0, Lambda: used.Lambda, Nu: used.Nu,
			Epochs: used.Epochs, ViewWeight: chosen.weights.view, CartWeight: chosen.weights.cart,
			NewcomerShare: chosen.weights.newcomer}}
}

// usedBy is the configuration that a version was fitted with.
func usedBy(v *modelversion.Version) (*Used, error) {
	if v == nil || v.Training == nil {
		return nil, nil
	}
	var notes Notes
	if err := json.Unmarshal(v.Training, &notes); err != nil {
		return nil, fmt.Errorf("read the notes of version %s: %w", v.ID, err)
	}
	if notes.Used.Alpha0 <= 0 || notes.Used.Lambda <= 0 {
		return nil, nil
	}
	return &notes.Used, nil
}

func (t *Trainer) threads() int {
	if t.Threads > 0 {
		return t.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (t *Trainer) progress(stage string, done, total int) {
	if t.Progress != nil {
		t.Progress(stage, int64(done), int64(total))
	}
}

// epochs tells Progress of a fit's epochs.
func (t *Trainer) epochs(stage string) func(epoch int, loss func() float64) {
	return func(epoch int, loss func() float64) {
		if t.Progress != nil {
			t.Progress(fmt.Sprintf("%s, loss %.6g", stage, loss()), int64(epoch), int64(t.Config.Epochs))
		}
	}
}
