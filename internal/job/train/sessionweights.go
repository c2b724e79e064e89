package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// The rows of the sessions' part besides the model's, which is the folded-in session.
const (
	RowLastNight  = "last-night"   // the customer's vector without the session
	RowAnonymous  = "session-only" // the session without the customer
	RowItemToItem = "item-to-item" // what resembles the last item
)

// mostSessions are replayed: each is two solves of the model's dimension.
const mostSessions = 500

// The weights of a view that tuning chooses from, and what holds without sessions to replay: on
// MovieLens and a generated shop the best lay between 2 and 8, and the figures hardly moved within.
var viewWeights = [...]float64{1, 2, 4, 8}

const (
	usualView = 4
	// cartTimes is how many views an item in the cart counts.
	cartTimes = 3
)

// weights are what a session is folded in with: the confidences of a view and of an item in the cart, and
// Solver.NewcomerShare.
type weights struct{ view, cart, newcomer float64 }

// tuneWeights replays the validation part's sessions.
func (t *Trainer) tuneWeights(ctx context.Context, data *Data, signal Signal, cfg ials.Config, near *UsedNear,
	fitting, validation, held []evaluation.Rating) (weights, error) {
	w := weights{view: t.Config.ViewWeight, cart: t.Config.CartWeight}
	views := viewWeights[:]
	if w.view > 0 {
		views = []float64{w.view}
	} else {
		w.view = usualView
	}
	if task, _ := t.replay(len(data.Products), fitting, validation, mostSessions); len(task.Cases) >= fewestCold {
		cfg.Epochs = tuneEpochs
		cells := signal.cells(fitting, data.feedbackBefore(validation, held))
		try, err := t.sessionModel(ctx, data, cells, cfg)
		if err != nil {
			return w, err
		}
		try.addNear(near, t.threads())
		top := 0.0
		for i, view := range views {
			part, err := t.sessions(ctx, data, try, cfg, weights{view: view}, fitting, validation)
			if err != nil {
				return w, err
			}
			if q := part.Rows[0].NDCG10; q > top {
				w.view, top = view, q
			}
			t.progress("tune a view's weight", i+1, len(views))
		}
		if near != nil {
			err := errors.Join(t.tuneNearSession(ctx, data, try, cfg, w.view, near, fitting, validation),
				t.tuneSimilar(ctx, data, try, near, fitting, validation))
			if err != nil {
				return w, err
			}
		}
		if w.newcomer, err = t.tuneNewcomers(ctx, data, try, cfg, w, fitting, validation); err != nil {
			return w, err
		}
	}
	if w.cart == 0 {
		w.cart = cartTimes * w.view
	}
	return w, nil
}

// sessionModel is the model whose sessions are replayed.
func (t *Trainer) sessionModel(ctx context.Context, data *Data, positives []cell, cfg ials.Config) (*fitted, error) {
	if t.given != nil {
		return t.fit(ctx, data, positives, cfg, partValidation, nil)
	}
	m := matrix(len(data.Customers), len(data.Products), positives)
	model, err := ials.Fit(ctx, m, cfg, nil)
	return &fitted{model: model, matrix: m}, err
}

// session is the held-out likes of a customer in the order of their time: some have happened, the
// next is asked for.
type session struct {
	customer int32
	items    []int32
}

// folded are sessions with their vectors, a row for each: of the session and its customer, of the session
// alone, of the session and the customer's features, and of the customer alone.
type folded struct {
	task                          *evaluation.Task // asks for the next like; case i's customer is i
	sessions                      []session
	known, alone, featured, night []float32
}

// fold replays the sessions of a held-out part; nil without times, or with too few customers.
func (t *Trainer) fold(ctx context.Context, data *Data, from *fitted, cfg ials.Config, w weights,
	train, held []evaluation.Rating) (*folded, error) {
	model := from.model
	task, replayed := t.replay(len(data.Products), train, held, mostSessions)
	if len(task.Cases) < fewestCold {
		return nil, nil
	}
	folder, err := ials.NewFolder(modelversion.Solver{Dim: cfg.Dim, Alpha0: cfg.Alpha0, Lambda: cfg.Lambda, Nu: cfg.Nu,
		Items: len(data.Products),
		Gram:  ials.Gram(model.Items, cfg.Dim, cfg.Threads)})
	if err != nil {
		return nil, err
	}
	d := cfg.Dim
	f := &folded{task: task, sessions: replayed, known: make([]float32, len(replayed)*d),
		alone: make([]float32, len(replayed)*d), featured: make([]float32, len(replayed)*d)}
	solver := modelversion.Solver{Dim: d, NewcomerShare: w.newcomer}
	for _, s := range replayed {
		f.night = append(f.night, model.User(int(s.customer))...)
	}
	group, folding := errgroup.WithContext(ctx)
	group.SetLimit(max(cfg.Threads, 1))
	for i, replay := range replayed {
		group.Go(func() error {
			if err := folding.Err(); err != nil {
				return err
			}
			var seen []ials.Observation
			for _, p := range replay.items {
				seen = append(seen, ials.Observation{Vector: model.Item(int(p)), Weight: float32(w.view)})
			}
			c := &data.Customers[replay.customer]
			features := from.encoder.Vector(from.encoder.Features(c.Country, c.City, c.Credit))
			return errors.Join(
				foldInto(f.known[i*d:(i+1)*d], folder, f.night[i*d:(i+1)*d], seen),
				foldInto(f.alone[i*d:(i+1)*d], folder, solver.Newcomer(nil, from.encoder.Bias), seen),
				foldInto(f.featured[i*d:(i+1)*d], folder, solver.Newcomer(features, from.encoder.Bias), seen))
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("fold sessions in: %w", err)
	}
	return f, nil
}

// foldInto writes the vector of a session.
func foldInto(to []float32, folder *ials.Folder, prior []float32, seen []ials.Observation) error {
	q, err := folder.Fold(prior, seen)
	if err == nil {
		copy(to, q.Vector())
	}
	return err
}

// sessions asks for the next like, given the first half of the held-out ones. nil without times, or
// with too few customers.
func (t *Trainer) sessions(ctx context.Context, data *Data, from *fitted, cfg ials.Config, w weights,
	train, held []evaluation.Rating) (*modelversion.Part, error) {
	f, err := t.fold(ctx, data, from, cfg, w, train, held)
	if f == nil {
		return nil, err
	}
	items, d := from.model.Items, cfg.Dim
	part := &modelversion.Part{Customers: len(f.task.Cases),
		What: "the next liked product of a session, given its first half: half of the customer's last ratings"}
	likes := evaluation.NewPairs(len(data.Customers), len(data.Products), t.Config.Positives(train))
	session, last, anonymous := evaluation.Factors(f.known, items, d), evaluation.Factors(f.night, items, d),
		evaluation.Factors(f.alone, items, d)
	similar := evaluation.Factors(lastItems(f.sessions, from.model), directions(items, d), d)
	if near := from.near; near != nil {
		session, last = sum(session, near.of(f.sessions, true, near.session)), sum(last, near.of(f.sessions, true, 0))
		anonymous = sum(anonymous, near.of(f.sessions, false, near.session))
		if near.similar > 0 {
			similar = sum(cosines(f.sessions, from.model), near.ofLast(f.sessions, near.similar))
		}
	}
	return part, t.measure(ctx, part, f.task, []contestant{
		{modelversion.RowModel, session},
		{RowLastNight, last},
		{RowAnonymous, anonymous},
		{RowItemToItem, similar},
		{modelversion.RowPopularity, evaluation.Popularity(likes).Each},
	})
}

// lastItems is the vectors of the sessions' last items.
func lastItems(sessions []session, model *ials.Model) (vectors []float32) {
	for _, s := range sessions {
		vectors = append(vectors, model.Item(int(s.items[len(s.items)-1]))...)
	}
	return vectors
}

// cosines scores by the cosine with the last item of a session.
func cosines(sessions []session, model *ials.Model) evaluation.Block {
	return evaluation.Factors(directions(lastItems(sessions, model), model.Dim),
		directions(model.Items, model.Dim), model.Dim)
}

// replay makes a case of each customer with two held-out likes whose times are known, at most so many.
// Case i's customer is i.
func (t *Trainer) replay(products int, train, held []evaluation.Rating, most int) (*evaluation.Task, []session) {
	liked := make(map[int32][]evaluation.Rating)
	for _, r := range held {
		if t.Config.Preference(r.Stars) > 0 && r.RatedAt != 0 {
			liked[r.Customer] = append(liked[r.Customer], r)
		}
	}
	known := make(map[int32][]int32)
	likes := make(map[int32]int)
	for _, r := range train {
		if len(liked[r.Customer]) > 1 {
			known[r.Customer] = append(known[r.Customer], r.Product)
			if t.Config.Preference(r.Stars) > 0 {
				likes[r.Customer]++
			}
		}
	}
	all := &evaluation.Task{Products: products}
	for customer, own := range liked {
		if len(own) > 1 && likes[customer] > 0 {
			all.Cases = append(all.Cases, evaluation.Case{Customer: customer})
		}
	}
	slices.SortFunc(all.Cases, func(a, b evaluation.Case) int { return int(a.Customer) - int(b.Customer) })
	task := all.Sample(most)
	replayed := make([]session, len(task.Cases))
	for i, c := range task.Cases {
		own := liked[c.Customer]
		slices.SortFunc(own, func(a, b evaluation.Rating) int {
			return cmp.Or(cmp.Compare(a.RatedAt, b.RatedAt), cmp.Compare(inSession(a), inSession(b)))
		})
		k := len(own) / 2
		s := session{customer: c.Customer}
		for _, r := range own[:k] {
			s.items = append(s.items, r.Product)
		}
		replayed[i] = s
		task.Cases[i] = evaluation.Case{Customer: int32(i), Seen: slices.Concat(known[c.Customer], s.items),
			Relevant: next(own[k:])}
	}
	return task, replayed
}

// inSession is the place of a like among those of the same customer and time, by hash.
func inSession(r evaluation.Rating) uint64 {
	return evaluation.Mix(evaluation.Mix(uint64(r.Customer)+1) + uint64(r.Product))
}

// next is the products of the first like and of those at the same time, ascending.
func next(likes []evaluation.Rating) (products []int32) {
	for _, r := range likes {
		if r.RatedAt == likes[0].RatedAt {
			products = append(products, r.Product)
		}
	}
	slices.Sort(products)
	return products
}

// directions is the vectors scaled to length one: inner products with them rank as cosines do.
func directions(vectors []float32, d int) []float32 {
	out := slices.Clone(vectors)
	for i := 0; i < len(out); i += d {
		var sum float64
		for _, x := range out[i : i+d] {
			sum += float64(x) * float64(x)
		}
		if sum > 0 {
			for j := i; j < i+d; j++ {
				out[j] = float32(float64(out[j]) / math.Sqrt(sum))
			}
		}
	}
	return out
}
