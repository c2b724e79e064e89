package train

import (
	"context"
	"fmt"
	"time"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
	"kindred/internal/model/nextitem"
)

// The rows of an evaluation on sessions that are not rows elsewhere.
const (
	RowVMIS            = "vmis-knn"
	RowSequentialRules = "sequential-rules"
)

// The validation part: the sessions that end last, one in so many, but no fewer than the fewest and
// no more than one in five; and how many questions of theirs are asked.
const (
	validationShare    = 20
	fewestValidation   = 500
	largestValidation  = 5
	mostValidationAsks = 4000
)

// SessionEvaluation measures kindred and baselines on the next click of test sessions. Whatever is
// tuned is tuned on the last sessions of the training log; then every row is fitted on all of it.
type SessionEvaluation struct {
	Train, Test *nextitem.Log
	LargestDim  int
	Epochs      int
	Seed        uint64
	Threads     int
	Progress    func(stage string, done, total int64)
	Measured    func(SessionRow) // hears each row as soon as it is there
}

// SessionRow is one ranker's figures.
type SessionRow struct {
	Model string `json:"model"`
	nextitem.Figures
	Interval nextitem.Bounds `json:"interval"` // 95 %, by sessions
	// Unseen are the figures of the questions whose item was not clicked before in its session.
	Unseen     nextitem.Figures    `json:"unseen"`
	ByPosition []nextitem.Position `json:"by_position"`
	// Ratio is kindred's figures divided by this row's, on the same sessions; nil in kindred's own.
	Ratio   *SessionRatio `json:"kindred_ratio,omitempty"`
	Seconds float64       `json:"seconds"`           // tuning, fitting and ranking, by the clock
	Tuning  float64       `json:"tuning_seconds"`    // of them
	Tried   int           `json:"tried,omitempty"`   // options, on the validation part
	Options any           `json:"options,omitempty"` // what tuning chose
}

// SessionRatio is a ratio of figures with its paired interval.
type SessionRatio struct {
	HitRate  float64         `json:"hr@20"`
	MRR      float64         `json:"mrr@20"`
	Interval nextitem.Bounds `json:"interval"`
}

// NewSessionRatio compares kindred's answers with another ranker's to the same questions.
func NewSessionRatio(kindred, other []nextitem.Answer) *SessionRatio {
	r := &SessionRatio{Interval: nextitem.RatioBounds(kindred, other)}
	r.HitRate, r.MRR = nextitem.Ratio(nextitem.NewFigures(kindred), nextitem.NewFigures(other))
	return r
}

// SessionResult is the table.
type SessionResult struct {
	Rows               []SessionRow `json:"rows"`
	Items              int          `json:"items"` // of the training log
	Sessions           int          `json:"sessions"`
	Clicks             int          `json:"clicks"`
	ValidationSessions int          `json:"validation_sessions"` // of them, to tune on
	TestSessions       int          `json:"test_sessions"`
	Questions          int          `json:"questions"`
	// UnknownQuestions ask for an item that the training log does not have: no row can find it.
	UnknownQuestions int `json:"unknown_questions"`
}

// sessionContender makes one row.
type sessionContender struct {
	name string
	tune func(ctx context.Context, train, valid *nextitem.Log) (options any, tried int, err error) // nil: nothing to tune
	fit  func(ctx context.Context, train *nextitem.Log, options any) (nextitem.Ranker, error)
}

// Run makes the table. The error is the context's or that of a fit.
func (e *SessionEvaluation) Run(ctx context.Context) (*SessionResult, error) {
	train := e.Train.Ordered()
	test := e.Test.Ordered().On(train)
	result := &SessionResult{Items: len(train.Items), Sessions: len(train.Sessions), Clicks: train.Clicks(),
		TestSessions: len(test.Sessions)}
	fitting, valid := validation(train)
	result.ValidationSessions = len(valid.Sessions)
	for _, s := range test.Sessions {
		for _, item := range s.Items[1:] {
			result.Questions++
			if item == nextitem.Unknown {
				result.UnknownQuestions++
			}
		}
	}
	var kindred []nextitem.Answer
	for _, c := range e.contenders() {
		row, answers, err := e.row(ctx, c, train, fitting, valid, test)
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", c.name, err)
		}
		if kindred == nil {
			kindred = answers
		} else {
			row.Ratio = NewSessionRatio(kindred, answers)
		}
		result.Rows = append(result.Rows, row)
		e.Measured(row)
	}
	return result, nil
}

// row tunes, fits and measures.
func (e *SessionEvaluation) row(ctx context.Context, c sessionContender, train, fitting, valid,
	test *nextitem.Log) (SessionRow, []nextitem.Answer, error) {
	start, row := time.Now(), SessionRow{Model: c.name}
	e.Progress(c.name, 0, 1)
	if c.tune != nil {
		var err error
		if row.Options, row.Tried, err = c.tune(ctx, fitting, valid); err != nil {
			return row, nil, fmt.Errorf("tune: %w", err)
		}
		row.Tuning = time.Since(start).Seconds()
	}
	rank, err := c.fit(ctx, train, row.Options)
	if err != nil {
		return row, nil, fmt.Errorf("fit: %w", err)
	}
	answers, err := nextitem.Measure(ctx, test, e.Threads, rank)
	if err != nil {
		return row, nil, err
	}
	row.Figures, row.Interval = nextitem.NewFigures(answers), nextitem.NewBounds(answers)
	row.Unseen, row.ByPosition = nextitem.NewFigures(nextitem.Unseen(answers)), nextitem.ByPosition(answers)
	row.Seconds = time.Since(start).Seconds()
	e.Progress(c.name, 1, 1)
	return row, answers, nil
}

// validation cuts the last sessions off, and thins them where they ask more than is needed.
func validation(train *nextitem.Log) (fitting, valid *nextitem.Log) {
	n := len(train.Sessions)
	fitting, valid = train.CutLast(min(max(n/validationShare, fewestValidation), n/largestValidation))
	asks := valid.Clicks() - len(valid.Sessions)
	if every := (asks + mostValidationAsks - 1) / mostValidationAsks; every > 1 {
		thin := &nextitem.Log{Items: valid.Items}
		for i := 0; i < len(valid.Sessions); i += every {
			thin.Sessions = append(thin.Sessions, valid.Sessions[i])
		}
		valid = thin
	}
	return fitting, valid
}

func (e *SessionEvaluation) contenders() []sessionContender {
	plain := func(name string, make func(*nextitem.Log) nextitem.Ranker) sessionContender {
		return sessionContender{name: name, fit: func(_ context.Context, train *nextitem.Log,
			_ any) (nextitem.Ranker, error) {
			return make(train), nil
		}}
	}
	return []sessionContender{
		{name: RowKindred, tune: func(ctx context.Context, train, valid *nextitem.Log) (any, int, error) {
			t := &nextitem.Tuner{Train: train, Valid: valid, LargestDim: e.LargestDim, Epochs: e.Epochs, Seed: e.Seed,
				Threads: e.Threads, Progress: func(tried int) { e.Progress("tune kindred", int64(tried), int64(tried+1)) }}
			return t.Tune(ctx)
		}, fit: func(ctx context.Context, train *nextitem.Log, options any) (nextitem.Ranker, error) {
			b, err := FitClicks(ctx, train, options.(nextitem.BlendOptions), e.Seed, e.Threads, e.Progress)
			if err != nil {
				return nil, err
			}
			return b.Rank, nil
		}},
		{name: RowVMIS, tune: func(ctx context.Context, train, valid *nextitem.Log) (any, int, error) {
			return nextitem.TuneVMIS(ctx, train, valid, e.Threads)
		}, fit: func(_ context.Context, train *nextitem.Log, options any) (nextitem.Ranker, error) {
			return nextitem.VMIS(train, options.(nextitem.VMISOptions)), nil
		}},
		plain(RowItemToItem, func(train *nextitem.Log) nextitem.Ranker { return nextitem.ItemToItem(train, e.Threads) }),
		{name: RowSequentialRules, tune: func(ctx context.Context, train, valid *nextitem.Log) (any, int, error) {
			return nextitem.TuneSequentialRules(ctx, train, valid, e.Threads)
		}, fit: func(_ context.Context, train *nextitem.Log, options any) (nextitem.Ranker, error) {
			return nextitem.SequentialRules(train, options.(nextitem.RuleOptions), e.Threads), nil
		}},
		plain(modelversion.RowPopularity, nextitem.Popularity),
		plain(modelversion.RowRandom, func(*nextitem.Log) nextitem.Ranker {
			return nextitem.Each(func(clicks []int32, scores []float32) {
				evaluation.Random(e.Seed)(clicks[len(clicks)-1], scores)
			})
		}),
	}
}
