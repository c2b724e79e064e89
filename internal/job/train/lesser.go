package train

import (
	"context"
	"fmt"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// lesser chooses what counts of that which is less than a like: fewer stars, and sessions without a
// customer. choose changes data, signal and solver accordingly.
type lesser struct {
	trainer *Trainer
	data    *Data
	cut     evaluation.Cut // the validation part
	test    evaluation.Cut
	task    *evaluation.Task
	signal  Signal
	solver  ials.Config
	budget  float64 // operations, for each of the two

	lukewarm, sessions *UsedWeight // nil: they count for nothing
}

// choose tries fewer stars, then sessions.
func (l *lesser) choose(ctx context.Context) (err error) {
	cfg := &l.trainer.Config
	if cfg.Lukewarm == LukewarmAuto && l.signal.hasLukewarm(l.cut.Train) {
		with := l.signal
		l.lukewarm, err = l.search(lukewarmWeights, lukewarmLambdas, func(weight float64) *ials.Matrix {
			with.WeakLike = weight
			return l.matrix(l.data, with)
		}).search(ctx)
		if err != nil {
			return fmt.Errorf("tune weak likes: %w", err)
		}
		if l.lukewarm != nil {
			l.signal.WeakLike, l.solver.Lambda = l.lukewarm.Weight, l.lukewarm.Lambda
		}
	}
	if cfg.Sessions == SessionsAuto && len(l.data.Sessions) > 0 {
		if err = l.chooseSessions(ctx); err != nil {
			return fmt.Errorf("tune sessions without a customer: %w", err)
		}
	}
	return nil
}

// chooseSessions lets sessions teach if they certainly improve the validation figure, and certainly more
// than sessions dealt anew do. Any further rows change how strongly products are regularised, which may
// help by itself.
func (l *lesser) chooseSessions(ctx context.Context) error {
	data, dealt := l.data.withSessions(), *l.data
	dealt.Sessions = dealtAnew(l.data.Sessions, l.trainer.Config.Seed)
	placebo, with := dealt.withSessions(), l.signal
	search := l.search(sessionWeights, sessionLambdas, func(weight float64) *ials.Matrix {
		with.Session = weight
		return l.matrix(data, with)
	})
	best, err := search.search(ctx)
	if best == nil || err != nil {
		return err
	}
	with.Session = best.Weight
	against := l.search(nil, nil, func(weight float64) *ials.Matrix {
		if weight == 0 {
			return l.matrix(placebo, with)
		}
		return l.matrix(data, with)
	})
	against.solver.Epochs = tuneEpochs
	both := []UsedWeight{{Lambda: best.Lambda}, {Weight: best.Weight, Lambda: best.Lambda}}
	certain, err := against.compare(ctx, both, 1)
	if certain != nil {
		l.sessions, l.data, l.signal.Session = best, data, best.Weight
	}
	return err
}

func (l *lesser) search(weights, lambdas []float64, matrix func(weight float64) *ials.Matrix) weightSearch {
	return weightSearch{[]fold{{l.task, matrix}}, weights, lambdas, l.solver, l.budget}
}

// matrix is what is fitted for the validation part.
func (l *lesser) matrix(data *Data, signal Signal) *ials.Matrix {
	return matrix(len(data.Customers), len(data.Products),
		signal.cells(l.cut.Train, data.feedbackBefore(l.cut.Held, l.test.Held)))
}
