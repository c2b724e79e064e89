package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/model/nextitem"
)

// RowKindred is the name of our own row in an evaluation on public splits.
const RowKindred = "kindred"

// noticeable is the gain that a doubled dimension must bring where only quality counts: less is
// noise of the validation part.
const noticeable = 1.003

// cutSeed chooses the validation part where none is given.
const cutSeed = 1

// Evaluation measures kindred and every baseline on a public split. Configurations are tuned on the
// validation part alone. As the tables of the public splits have it, every row is then fitted on
// the whole training file, and on nothing else, and only that is masked.
type Evaluation struct {
	Train, Test *evaluation.Pairs
	// Valid tunes. nil: a tenth of Train is cut off for it, and put back for the final fits.
	Valid *evaluation.Pairs
	// Lukewarm is what users of Train rated and did not like; nil: nobody knows. Nothing ranks it, and
	// RowNear learns from it if the validation part asks for that.
	Lukewarm *evaluation.Pairs
	// Refit fits and masks Valid too once the tuning is done: more data than the tables' rows had.
	Refit      bool
	Rows       []string // the rows to measure; nil: all but RowBlend and RowNear. RowKindred is always measured.
	LargestDim int
	TuneBudget float64 // as in Config
	Epochs     int
	Seed       uint64
	Threads    int
	Memory     int64 // as in Trainer
	Progress   func(stage string, done, total int64)
	Measured   func(EvaluationRow) // hears each row as soon as it is there
	spent      float64             // operations of kindred's tuning
}

// estimate is what the largest of the rows takes.
func (e *Evaluation) estimate() Estimate {
	customers, products, n := len(e.Train.Of), e.Train.Products, e.Train.Count()
	if e.Lukewarm != nil {
		n += e.Lukewarm.Count()
	}
	kindred := memory(customers, products, n, e.LargestDim, e.Threads)
	if slices.Contains(e.Rows, RowNear) {
		kindred += nearMemory(customers, products)
	}
	return Estimate{Bytes: max(kindred, evaluation.GFCFMemory(customers, products)+int64(n)*ratingBytes)}
}

// EvaluationRow is one ranker's figures.
type EvaluationRow struct {
	Model    string         `json:"model"`
	Recall20 float64        `json:"recall@20"`
	NDCG20   float64        `json:"ndcg@20"`
	Recall10 float64        `json:"recall@10"`
	NDCG10   float64        `json:"ndcg@10"`
	MRR      float64        `json:"mrr"`
	Coverage float64        `json:"coverage"`          // share of all items in somebody's first 20
	Seconds  float64        `json:"seconds"`           // tuning, fitting and ranking, by the clock
	Tuning   float64        `json:"tuning_seconds"`    // of them
	Options  map[string]any `json:"options,omitempty"` // what tuning chose
	// OverKindred is what RowBlend or RowNear gains over RowKindred.
	OverKindred *EvaluationGain `json:"over_kindred,omitempty"`
}

// EvaluationGain is the differences of two rows' figures with paired 95 % intervals over users.
type EvaluationGain struct {
	Recall20 nextitem.Interval `json:"recall@20"`
	NDCG20   nextitem.Interval `json:"ndcg@20"`
}

func gain(row, kindred evaluation.Scores) *EvaluationGain {
	var g EvaluationGain
	g.Recall20.Low, g.Recall20.High = evaluation.Difference(row.Recall20, kindred.Recall20)
	g.NDCG20.Low, g.NDCG20.High = evaluation.Difference(row.NDCG20, kindred.NDCG20)
	return &g
}

// Skipped is a baseline without a row.
type Skipped struct {
	Model  string `json:"model"`
	Reason string `json:"reason"`
}

// EvaluationConfig is how kindred's row was made.
type EvaluationConfig struct {
	Used
	Seed       uint64      `json:"seed"`
	TuneBudget float64     `json:"tune_budget"`
	Refit      bool        `json:"refit"`
	Tried      []Candidate `json:"tried"` // on the validation part, in order
}

// EvaluationResult is the table.
type EvaluationResult struct {
	Rows         []EvaluationRow  `json:"rows"`
	Skipped      []Skipped        `json:"skipped"`
	Config       EvaluationConfig `json:"config"`
	Validation   string           `json:"validation"` // where it came from
	Users        int              `json:"users"`
	Items        int              `json:"items"`
	Interactions int              `json:"interactions"` // in the training file
	TestUsers    int              `json:"test_users"`
}

// contender makes one row.
type contender struct {
	name string
	// tune returns the options that rank best on a validation part, and fit a ranker with them. nil:
	// there is nothing to tune.
	tune func(ctx context.Context, train *evaluation.Pairs, task *evaluation.Task) (option, error)
	fit  func(ctx context.Context, train *evaluation.Pairs, o option) (evaluation.Block, error)
}

// option is one configuration of a baseline.
type option map[string]any

// parts are the training, test and validation parts and what is fitted while tuning, all as wide as
// the widest and in canonical order, and where the validation part is from. Lukewarm becomes so, too.
func (e *Evaluation) parts() (train, test, valid, fitting *evaluation.Pairs, validation string) {
	given := []*evaluation.Pairs{e.Train, e.Test}
	for _, optional := range []*evaluation.Pairs{e.Valid, e.Lukewarm} {
		if optional != nil {
			given = append(given, optional)
		}
	}
	evaluation.Widen(given...)
	if e.Lukewarm != nil { // what is to be found, or liked, is not lukewarm
		for _, other := range given[:len(given)-1] {
			e.Lukewarm.Remove(other)
		}
	}
	all := ordered(given...)
	if e.Lukewarm != nil {
		e.Lukewarm = all[len(all)-1]
	}
	if e.Valid != nil {
		return all[0], all[1], all[2], all[0], "the given file"
	}
	fitting, valid = all[0].Cut(cutSeed)
	return all[0], all[1], valid, fitting,
		"one interaction in ten of the training file, drawn by seed; put back for the final fits"
}

// task asks for the held-out pairs. What is known of the users is masked.
func (e *Evaluation) task(known, held *evaluation.Pairs) *evaluation.Task {
	if e.Lukewarm != nil {
		known = known.With(e.Lukewarm)
	}
	return known.Task(held)
}

// Run makes the table. The error is ials.ErrNoInteractions, ErrMemory, or the context's.
func (e *Evaluation) Run(ctx context.Context) (*EvaluationResult, error) {
	train, test, valid, fitting, validation := e.parts()
	full := train
	if e.Refit && e.Valid != nil {
		full = full.With(valid)
	}
	result := &EvaluationResult{Users: len(train.Of), Items: train.Products, Interactions: train.Count(),
		Validation: validation,
		Skipped:    []Skipped{{evaluation.RowCustomerMean, "the format has no stars"}}}
	if result.Interactions == 0 {
		return nil, fmt.Errorf("evaluate: %w", ials.ErrNoInteractions)
	}
	if err := e.estimate().fit(e.Memory, result.Users, result.Items, result.Interactions, e.LargestDim,
		e.Threads); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	task := e.task(full, test)
	result.TestUsers = len(task.Cases)
	tuning := e.task(fitting, valid)
	var kindred evaluation.Scores
	for _, c := range e.contenders(result, train) {
		e.Progress(c.name, 0, 1)
		start := time.Now()
		var chosen option
		var err error
		if c.tune != nil {
			if chosen, err = c.tune(ctx, fitting, tuning); err != nil && !errors.Is(err, evaluation.ErrTooLarge) {
				return nil, fmt.Errorf("tune %s: %w", c.name, err)
			}
		}
		tuned := time.Since(start).Seconds()
		var rank evaluation.Block
		if err == nil {
			rank, err = c.fit(ctx, full, chosen)
		}
		if errors.Is(err, evaluation.ErrTooLarge) {
			result.Skipped = append(result.Skipped, Skipped{c.name, err.Error()})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("fit %s: %w", c.name, err)
		}
		scores, err := evaluation.Measure(ctx, task, e.Threads, rank)
		if err != nil {
			return nil, err
		}
		row := EvaluationRow{Model: c.name, Recall20: evaluation.Mean(scores.Recall20),
			NDCG20:   evaluation.Mean(scores.NDCG20),
			Recall10: evaluation.Mean(scores.Recall10), NDCG10: evaluation.Mean(scores.NDCG10),
			MRR:      evaluation.Mean(scores.Reciprocal),
			Coverage: scores.Coverage, Seconds: time.Since(start).Seconds(), Tuning: tuned, Options: chosen}
		switch c.name {
		case RowKindred:
			kindred = scores
		case RowBlend, RowNear:
			row.OverKindred = gain(scores, kindred)
		}
		result.Rows = append(result.Rows, row)
		e.Measured(row)
		e.Progress(c.name, 1, 1)
	}
	return result, nil
}

func (e *Evaluation) contenders(result *EvaluationResult, file *evaluation.Pairs) []contender {
	plain := func(name string, make func(*evaluation.Pairs) evaluation.Ranker) contender {
		return contender{name: name, fit: func(_ context.Context, train *evaluation.Pairs,
			_ option) (evaluation.Block, error) {
			return make(train).Each, nil
		}}
	}
	all := []contender{
		{name: RowKindred, tune: func(ctx context.Context, train *evaluation.Pairs, task *evaluation.Task) (option, error) {
			return e.tune(ctx, train, task, &result.Config)
		}, fit: func(ctx context.Context, train *evaluation.Pairs, _ option) (evaluation.Block, error) {
			used := result.Config
			model, err := ials.Fit(ctx, train.Matrix(),
				ials.Config{Dim: used.Dim, Alpha0: used.Alpha0, Lambda: used.Lambda, Nu: used.Nu,
					Epochs: used.Epochs, Seed: e.Seed, Threads: e.Threads}, func(epoch int, loss func() float64) {
					e.Progress(fmt.Sprintf("fit kindred, loss %.6g", loss()), int64(epoch), int64(used.Epochs))
				})
			if err != nil {
				return nil, err
			}
			return ranker(model), nil
		}},
		plain(modelversion.RowRandom, func(*evaluation.Pairs) evaluation.Ranker { return evaluation.Random(e.Seed) }),
		plain(modelversion.RowPopularity, evaluation.Popularity),
		plain(evaluation.RowCoOccurrence, func(p *evaluation.Pairs) evaluation.Ranker {
			return evaluation.CoOccurrence(p,
				e.Threads)
		}),
		e.tuned(evaluation.RowEASE, easeOptions(),
			func(_ context.Context, train *evaluation.Pairs, o option) (evaluation.Block, error) {
				rank, err := evaluation.EASE(train, o["lambda"].(float64), e.Threads)
				return rank.Each, err
			}),
		{name: evaluation.RowGFCF, fit: func(ctx context.Context, train *evaluation.Pairs,
			_ option) (evaluation.Block, error) {
			return evaluation.GFCF(ctx, train, e.Threads)
		}},
		e.tuned(evaluation.RowBPR, bprOptions(e.Train.Count()),
			func(ctx context.Context, train *evaluation.Pairs, o option) (evaluation.Block, error) {
				return evaluation.BPR(ctx, train, evaluation.BPRConfig{Dim: bprDim, Epochs: bprEpochs, Rate: o["rate"].(float64),
					Regularising: o["regularisation"].(float64), Seed: e.Seed})
			}),
		e.blend(result),
		e.near(result, file),
	}
	return slices.DeleteFunc(all, func(c contender) bool {
		if e.Rows == nil {
			return c.name == RowBlend || c.name == RowNear
		}
		return c.name != RowKindred && !slices.Contains(e.Rows, c.name)
	})
}

// tune searches kindred's configuration.
func (e *Evaluation) tune(ctx context.Context, train *evaluation.Pairs, task *evaluation.Task,
	out *EvaluationConfig) (option, error) {
	search := &tuner{matrix: train.Matrix(), task: task,
		base:   ials.Config{Nu: nu, Epochs: e.Epochs, Seed: e.Seed, Threads: e.Threads},
		budget: e.TuneBudget * nominalRate, largest: e.LargestDim, margin: noticeable,
		progress: func(done, total int) { e.Progress("tune kindred", int64(done), int64(total)) }}
	best, err := search.search(ctx, 0)
	e.spent = search.spent
	*out = EvaluationConfig{Used: Used{Dim: best.Dim, Alpha0: best.Alpha0, Lambda: best.Lambda, Nu: nu, Epochs: e.Epochs},
		Seed:       e.Seed,
		TuneBudget: e.TuneBudget, Refit: e.Refit, Tried: search.tried}
	return nil, err
}

// BPR-MF's size, and the options that the tunable baselines choose from on the same validation part.
const (
	bprDim    = 64
	bprEpochs = 60
	// manyInteractions is where a fit of BPR-MF takes about half a minute.
	manyInteractions = 500_000
)

func easeOptions() (all []option) {
	for _, lambda := range []float64{30, 100, 200, 400, 800, 1600} {
		all = append(all, option{"lambda": lambda})
	}
	return all
}

// bprOptions tries the lower rate only where steps are few: on large data both end at the same
// place, minutes apart.
func bprOptions(interactions int) (all []option) {
	rates := []float64{0.05, 0.02}
	if interactions > manyInteractions {
		rates = rates[:1]
	}
	for _, rate := range rates {
		for _, regularisation := range []float64{0.002, 0.01} {
			all = append(all, option{"rate": rate, "regularisation": regularisation})
		}
	}
	return all
}

// tuned is a baseline that takes the option which ranks best on the validation part.
func (e *Evaluation) tuned(name string, options []option,
	fit func(context.Context, *evaluation.Pairs, option) (evaluation.Block, error)) contender {
	return contender{name: name, fit: fit,
		tune: func(ctx context.Context, train *evaluation.Pairs, task *evaluation.Task) (option, error) {
			task = task.Sample(mostCases)
			chosen, top := options[0], -1.0
			for i, o := range options {
				rank, err := fit(ctx, train, o)
				if err != nil {
					return nil, err
				}
				scores, err := evaluation.Measure(ctx, task, e.Threads, rank)
				if err != nil {
					return nil, err
				}
				if q := evaluation.Mean(scores.NDCG20) + evaluation.Mean(scores.Recall20); q > top {
					chosen, top = o, q
				}
				e.Progress("tune "+name, int64(i+1), int64(len(options)))
			}
			return chosen, nil
		}}
}
