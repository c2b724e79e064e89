// Package trial lets the same simulated visitors shop once with each of several recommenders, and
// compares how often they look next at a product that they were recommended. The visitors follow
// planted tastes and react to what they see, so a session takes another way with another
// recommender; what is the same is who comes, what they have in mind, and the random numbers of
// each of their steps.
//
// The recommenders see what λ recommend sees: the event and the model version. Only the ceiling
// knows the tastes.
package trial

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/lab/visitor"
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/stream/activity"
)

// The rows besides the model versions'.
const (
	RowKindred    = "kindred"    // the first version, as it is served
	RowLastNight  = "last night" // the same version without the session: what is known of the visitor before they come
	RowPopularity = "popularity"
	RowCeiling    = "ceiling" // the planted tastes
)

// The calendar of the trial: it begins when the generated shop's ratings end.
var firstSession = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	betweenSessions = 10 * time.Second
	betweenPages    = time.Second
)

// shownItems is the length of every recommender's list: what kindred answers.
const shownItems = 10

// Trial is what to compare.
type Trial struct {
	Crowd    *visitor.Crowd
	Sessions int
	Versions []*modelversion.Version // the first one is kindred's, and last night's
	Threads  int
	// Deliver, if not nil, gets each of kindred's recommendation records, a line as λ recommend delivers it.
	Deliver  func(line []byte) error
	Progress func(done, total int64)
}

// Run lets all sessions happen.
func (t Trial) Run(ctx context.Context) (*Result, error) {
	arms := t.arms()
	visits := make([]visit, t.Sessions)
	var done int64
	var mu sync.Mutex // of done and Progress
	group, shopping := errgroup.WithContext(ctx)
	group.SetLimit(max(t.Threads, 1))
	for i := range visits {
		group.Go(func() (err error) {
			if err := shopping.Err(); err != nil {
				return err
			}
			if visits[i], err = t.visit(shopping, arms, i+1); err != nil {
				return fmt.Errorf("session %d: %w", i+1, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if done++; t.Progress != nil {
				t.Progress(done, int64(t.Sessions))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, v := range visits {
		if len(v.records) == 0 {
			continue
		}
		if err := t.Deliver(v.records); err != nil {
			return nil, fmt.Errorf("deliver recommendations: %w", err)
		}
	}
	return t.result(arms, visits), nil
}

// visit is what happened in one session, with each of the recommenders.
type visit struct {
	visitor string
	kind    string
	counts  []counts // by arm
	records []byte   // lines, if they are to be delivered
}

// counts are sums over the pages of a session, or of many.
type counts struct{ sessions, pages, hits, carts, bought float64 }

func (c *counts) add(o counts) {
	c.sessions += o.sessions
	c.pages += o.pages
	c.hits += o.hits
	c.carts += o.carts
	c.bought += o.bought
}

// arm is one recommender. s is for the ceiling only.
type arm struct {
	name      string
	recommend func(ctx context.Context, e *activity.Event, s *visitor.Session) (recommend.Answer, error)
}

func (t Trial) visit(ctx context.Context, arms []arm, number int) (visit, error) {
	var v visit
	for _, a := range arms {
		s := t.Crowd.Session(number)
		v.kind, v.visitor = s.Kind(), s.Visitor()
		c, over := counts{sessions: 1}, false
		for {
			now := firstSession.Add(time.Duration(number)*betweenSessions + time.Duration(c.pages)*betweenPages)
			click, err := s.Event(now)
			if err != nil {
				return visit{}, err
			}
			e, err := activity.Parse(click.Data)
			if err != nil {
				return visit{}, err
			}
			answer, err := a.recommend(ctx, e, s)
			if err != nil {
				return visit{}, fmt.Errorf("recommend by %s: %w", a.name, err)
			}
			if t.Deliver != nil && a.name == RowKindred {
				if v.records, err = answer.Record(click.Data, e, activity.Position{ArrivedAt: now},
					now).AppendLine(v.records); err != nil {
					return visit{}, err
				}
			}
			if over { // the page that thanks for the purchase
				break
			}
			r := s.React(codes(answer.Items))
			c.pages++
			if r.Place > 0 {
				c.hits++
			}
			if r.Cart {
				c.carts++
			}
			c.bought += float64(r.Bought)
			if r.Left {
				break
			}
			over = r.Bought > 0
		}
		v.counts = append(v.counts, c)
	}
	return v, nil
}

func (t Trial) arms() []arm {
	var arms []arm
	for i, version := range t.Versions {
		name := RowKindred
		if i > 0 {
			name += " " + version.ID
		}
		r := recommend.New(memory.NewStore(memory.New(version)))
		arms = append(arms, arm{name, func(ctx context.Context, e *activity.Event,
			_ *visitor.Session) (recommend.Answer, error) {
			return answer(ctx, r, e)
		}})
	}
	first := memory.New(t.Versions[0])
	store := memory.NewStore(first)
	return append(arms,
		arm{RowLastNight, func(ctx context.Context, e *activity.Event, _ *visitor.Session) (recommend.Answer, error) {
			before := *e
			before.BrowseHistory = []activity.Browse{}
			return answer(ctx, recommend.New(without{store, seen(e)}), &before)
		}},
		arm{RowPopularity, func(_ context.Context, e *activity.Event, _ *visitor.Session) (recommend.Answer, error) {
			found := first.Search(recommend.Search{Customer: (*string)(e.CustomerID), Exclude: seen(e), Limit: shownItems})
			var a recommend.Answer
			for _, c := range found {
				a.Items = append(a.Items, activity.RecommendedItem{ID: c.Code})
			}
			return a, nil
		}},
		arm{RowCeiling, func(_ context.Context, _ *activity.Event, s *visitor.Session) (recommend.Answer, error) {
			var a recommend.Answer
			for _, code := range s.Ceiling(shownItems) {
				a.Items = append(a.Items, activity.RecommendedItem{ID: code})
			}
			return a, nil
		}},
	)
}

// without is a store that leaves some products out of every search.
type without struct {
	*memory.Store
	products []string
}

// Retrieve is the store's, with the exclusion.
func (w without) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	for i := range searches {
		searches[i].Exclude = w.products
	}
	return w.Store.Retrieve(ctx, m, searches, neighbours)
}

func answer(ctx context.Context, r *recommend.Recommender, e *activity.Event) (recommend.Answer, error) {
	answers, err := r.Batch(ctx, []*activity.Event{e})
	if err != nil {
		return recommend.Answer{}, err
	}
	return answers[0], nil
}

func seen(e *activity.Event) []string {
	products := []string{}
	for _, b := range e.BrowseHistory {
		products = append(products, string(b.ProductCode))
	}
	return products
}

func codes(items []activity.RecommendedItem) []string {
	products := make([]string, len(items))
	for i, it := range items {
		products[i] = it.ID
	}
	return products
}
