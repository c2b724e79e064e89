package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// What a version may consist of: its vectors, and neighbours where validation asks for them or never.
const (
	PartsAuto    = "auto"
	PartsVectors = "vectors"
)

// What tuning chooses from for the neighbours. Weights are in units of the vectors' spread, see
// evaluation.Spread.
var (
	nearRarities = []float64{0.3, 0.5, 0.7}
	nearWeights  = []float64{0.05, 0.1, 0.2, 0.3, 0.5, 0.8}
	// nearSessions is how often the neighbours of a session's product count, as a share of how often those
	// of a customer's history do. The first is what holds without sessions to replay.
	nearSessions = []float64{1, 0, 0.25, 0.5, 2, 4}
	// similarWeights are those of neighbours beside the cosine, for similar products, in units of the
	// cosine's spread. The last lets the neighbours decide.
	similarWeights = []float64{0.25, 0.5, 1, 2, 4, 16}
)

// nearMost is how many neighbours of a product a version keeps: 200 ranked no better on any of the
// public sets, and take twice the space.
const nearMost = 100

// fewestNear is how many customers must have something to find, to choose by.
const fewestNear = 30

// UsedNear is what tuning made of the neighbours.
type UsedNear struct {
	Neighbours int     `json:"neighbours"` // of a product, at most
	Rarity     float64 `json:"rarity"`     // exponent of the neighbour's own likes, by which its weight is divided
	Weight     float64 `json:"weight"`     // in units of spread, the vectors' being 1
	Scale      float64 `json:"scale"`      // what a weight is multiplied by, for a customer
	Session    float64 `json:"session"`    // and for a session
	Gained
	// Similar is what they add for similar products; nil: nothing.
	Similar *UsedSimilar `json:"similar,omitempty"`
}

// UsedSimilar is what tuning made of the neighbours of a product for similar products.
type UsedSimilar struct {
	Weight float64 `json:"weight"` // in units of spread, the cosine's being 1
	Scale  float64 `json:"scale"`  // what a weight is multiplied by
	Gained
}

// Gained is the gain of the validation figure, the mean of NDCG@20 and Recall@20, with its paired 95 %
// interval over customers.
type Gained struct {
	Gain float64 `json:"gain"`
	Low  float64 `json:"gain_low"`
	High float64 `json:"gain_high"`
}

// nearSearch chooses neighbours on a validation part.
type nearSearch struct {
	matrix   *ials.Matrix // the part to fit
	task     *evaluation.Task
	solver   ials.Config
	budget   float64 // operations; neighbours that take more are not tried
	progress func(done, total int)
}

// search returns the neighbours and the weight that improve the validation figure most, if the
// improvement is certain: the paired 95 % interval over customers lies above zero. Otherwise it is nil.
func (s nearSearch) search(ctx context.Context) (*UsedNear, error) {
	task := s.task.Sample(mostCases)
	if len(task.Cases) < fewestNear || s.cost(len(task.Cases)) > s.budget {
		return nil, nil
	}
	s.solver.Epochs = tuneEpochs
	model, err := ials.Fit(ctx, s.matrix, s.solver, nil)
	if errors.Is(err, ials.ErrSingular) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.progress(1, 3)
	dense, threads := ranker(model), s.solver.Threads
	customers := make([]int32, len(task.Cases))
	for i, c := range task.Cases {
		customers[i] = c.Customer
	}
	unit := evaluation.Spread(task, threads, dense)
	tried, lists := []UsedNear{{}}, [][][]modelversion.Neighbour{nil} // the first is without neighbours
	for i, products := range evaluation.Neighbours(s.matrix, nearMost, threads, nearRarities...) {
		own := evaluation.RowNeighbours(s.matrix, products, modelversion.CustomerNeighbours, threads, customers)
		spread := evaluation.Spread(task, threads, evaluation.Listed(own).Each)
		if spread == 0 {
			continue
		}
		for _, weight := range nearWeights {
			scale := weight * unit / spread
			tried = append(tried, UsedNear{Neighbours: nearMost, Rarity: nearRarities[i], Weight: weight, Scale: scale,
				Session: scale})
			lists = append(lists, own)
		}
	}
	s.progress(2, 3)
	measured, err := evaluation.MeasureVariants(ctx, task, threads, dense, len(tried), func(i int, customers []int32,
		scores []float32) {
		for row, c := range customers {
			if i > 0 {
				addList(scores[row*task.Products:], lists[i][c], float32(tried[i].Scale))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	s.progress(3, 3)
	best, gained := surest(measured)
	if best == 0 {
		return nil, nil
	}
	tried[best].Gained = gained
	return &tried[best], nil
}

// addList adds the weights of a list, times scale, to the scores of its products.
func addList(scores []float32, list []modelversion.Neighbour, scale float32) {
	for _, n := range list {
		scores[n.Item] += scale * n.Weight
	}
}

// surest is the trial that gains most on the first one, of those that gain for certain; 0: none does.
func surest(measured []evaluation.Scores) (best int, most Gained) {
	before := figures(measured[0])
	for i := range measured[1:] {
		after := figures(measured[1+i])
		g := Gained{Gain: evaluation.Mean(after) - evaluation.Mean(before)}
		if g.Low, g.High = evaluation.Difference(after, before); g.Low > 0 && g.Gain > most.Gain {
			best, most = 1+i, g
		}
	}
	return best, most
}

// figures is what tuning maximises, by customer.
func figures(scores evaluation.Scores) []float64 {
	all := make([]float64, len(scores.NDCG20))
	for i := range all {
		all[i] = (scores.NDCG20[i] + scores.Recall20[i]) / 2
	}
	return all
}

// nearLists are the neighbours of products and of customers, both by their canonical numbers, best
// first. Those of customers have their scale; those of products count session times in a session, and
// similar times for similar products.
type nearLists struct {
	products, customers [][]modelversion.Neighbour
	session, similar    float32
}

// newNearLists makes what was chosen; nil for nil.
func newNearLists(m *ials.Matrix, used *UsedNear, threads int) *nearLists {
	if used == nil {
		return nil
	}
	near := &nearLists{products: evaluation.Neighbours(m, used.Neighbours, threads, used.Rarity)[0],
		session: float32(used.Session)}
	if used.Similar != nil {
		near.similar = float32(used.Similar.Scale)
	}
	near.customers = evaluation.RowNeighbours(m, near.products, modelversion.CustomerNeighbours, threads, nil)
	for _, list := range near.customers {
		for i := range list {
			list[i].Weight *= float32(used.Scale)
		}
	}
	return near
}

// with adds the customers' neighbours to a ranker.
func (n *nearLists) with(dense evaluation.Block) evaluation.Block {
	if n == nil {
		return dense
	}
	return sum(dense, evaluation.Listed(n.customers).Each)
}

// of is the neighbours of sessions of customers: those of the customer, and those of the session's
// products as often as session says.
func (n *nearLists) of(sessions []session, known bool, weight float32) evaluation.Block {
	return evaluation.Ranker(func(i int32, scores []float32) {
		clear(scores)
		if known {
			addList(scores, n.customers[sessions[i].customer], 1)
		}
		for _, p := range sessions[i].items {
			addList(scores, n.products[p], weight)
		}
	}).Each
}

// ofLast is the neighbours of the last product of each session.
func (n *nearLists) ofLast(sessions []session, weight float32) evaluation.Block {
	return evaluation.Ranker(func(i int32, scores []float32) {
		clear(scores)
		items := sessions[i].items
		addList(scores, n.products[items[len(items)-1]], weight)
	}).Each
}

// tuneNearSession chooses how often the neighbours of a session's products count, by replaying the
// sessions of the validation part.
func (t *Trainer) tuneNearSession(ctx context.Context, data *Data, model *fitted, cfg ials.Config, view float64,
	used *UsedNear, fitting, validation []evaluation.Rating) error {
	f, err := t.fold(ctx, data, model, cfg, weights{view: view}, fitting, validation)
	if f == nil {
		return err
	}
	night := sum(evaluation.Factors(f.known, model.model.Items, cfg.Dim), model.near.of(f.sessions, true, 0))
	measured, err := evaluation.MeasureVariants(ctx, f.task, t.threads(), night, len(nearSessions),
		func(i int, cases []int32, scores []float32) {
			for row, c := range cases {
				for _, p := range f.sessions[c].items {
					addList(scores[row*f.task.Products:], model.near.products[p], float32(nearSessions[i]*used.Scale))
				}
			}
		})
	if err != nil {
		return err
	}
	top := 0.0
	for i, share := range nearSessions {
		if q := evaluation.Mean(measured[i].NDCG10); q > top {
			used.Session, top = share*used.Scale, q
		}
	}
	return nil
}

// tuneSimilar chooses what the neighbours of a product add to the cosine for similar products: given the
// last product of a session's first half, the next one is to be found. Nothing, unless that is certainly
// better than the cosine.
func (t *Trainer) tuneSimilar(ctx context.Context, data *Data, model *fitted, used *UsedNear,
	fitting, validation []evaluation.Rating) error {
	task, sessions := t.replay(len(data.Products), fitting, validation, mostCases)
	if len(task.Cases) < fewestNear {
		return nil
	}
	cosine, near := cosines(sessions, model.model), model.near.ofLast(sessions, 1)
	unit, spread := evaluation.Spread(task, t.threads(), cosine), evaluation.Spread(task, t.threads(), near)
	if spread == 0 {
		return nil
	}
	scales := []float64{0}
	for _, weight := range similarWeights {
		scales = append(scales, weight*unit/spread)
	}
	measured, err := evaluation.MeasureVariants(ctx, task, t.threads(), cosine, len(scales), func(i int, cases []int32,
		scores []float32) {
		for row, c := range cases {
			items := sessions[c].items
			addList(scores[row*task.Products:], model.near.products[items[len(items)-1]], float32(scales[i]))
		}
	})
	if err != nil {
		return err
	}
	if best, gained := surest(measured); best > 0 {
		used.Similar = &UsedSimilar{similarWeights[best-1], scales[best], gained}
	}
	return nil
}

// sum adds two rankers up.
func sum(a, b evaluation.Block) evaluation.Block {
	return evaluation.Sum([]evaluation.Part{{Rank: a, Weight: 1}, {Rank: b, Weight: 1}})
}

// assemble gives a version of the data its neighbours.
func (n *nearLists) assemble(v *modelversion.Version, used *UsedNear, data *Data) {
	numbers, rows, item := map[string]int{}, map[string]int{}, make([]int32, len(data.Products))
	for p := range data.Products {
		numbers[data.Products[p].ID] = p
	}
	for c := range data.Customers {
		if !data.Customers[c].Guest {
			rows[data.Customers[c].ID] = c
		}
	}
	for i := range v.Items {
		item[numbers[v.Items[i].Code]] = int32(i)
	}
	renumbered := func(list []modelversion.Neighbour) (all []modelversion.Neighbour) {
		for _, x := range list {
			if x.Weight > 0 { // times the scale it may be too small for a float32
				all = append(all, modelversion.Neighbour{Item: item[x.Item], Weight: x.Weight})
			}
		}
		slices.SortFunc(all, func(a, b modelversion.Neighbour) int { return cmp.Compare(a.Item, b.Item) })
		return all
	}
	v.Near = &modelversion.Near{}
	for i := range v.Items {
		v.Near.Items = append(v.Near.Items, renumbered(n.products[numbers[v.Items[i].Code]]))
	}
	for i := range v.Customers {
		v.Near.Customers = append(v.Near.Customers, renumbered(n.customers[rows[v.Customers[i].ID]]))
	}
	v.Solver.Neighbours, v.Solver.NearWeight, v.Solver.SimilarWeight = used.Neighbours, used.Session, float64(n.similar)
}

// reportParts measures the vectors and the neighbours of a model apart; nil: it has vectors alone.
func (t *Trainer) reportParts(ctx context.Context, model *fitted, task *evaluation.Task) (*modelversion.Part, error) {
	if model.near == nil {
		return nil, nil
	}
	part := &modelversion.Part{What: "what each part of the model ranks like alone", Customers: len(task.Cases)}
	return part, t.measure(ctx, part, task, []contestant{
		{modelversion.RowModel, model.rank()},
		{RowVectors, ranker(model.model)},
		{RowNeighbours, evaluation.Listed(model.near.customers).Each},
	})
}

// The rows of the parts.
const (
	RowVectors    = "vectors"
	RowNeighbours = "neighbours"
)

// sentence is what tuning chose, for people.
func (u *UsedNear) sentence() string {
	if u == nil {
		return "The validation data ask for no neighbours.\n"
	}
	text := fmt.Sprintf("It adds the weights of a product's %d nearest neighbours, %.3g of the vectors' spread: on the "+
		"validation data the mean of NDCG@20 and Recall@20 gains %s.\n", u.Neighbours, u.Weight, u.text())
	if u.Similar != nil {
		text += fmt.Sprintf("Similar products are found by neighbours too, %.3g of the cosine's spread: the gain is %s.\n",
			u.Similar.Weight, u.Similar.text())
	}
	return text
}

// text is the gain with its interval.
func (g Gained) text() string { return fmt.Sprintf("%.4f (%.4f to %.4f)", g.Gain, g.Low, g.High) }
