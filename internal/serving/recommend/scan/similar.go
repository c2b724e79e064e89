package scan

import (
	"math"
	"slices"

	"kindred/internal/serving/recommend"
)

// keptNear is how many of a product's nearest ones are kept once they are found: more than a page shows,
// so that enough of them can be bought.
const keptNear = 16

// nearest are the nearest ones of a product, whether or not they can be bought: they depend on the version
// alone.
type nearest struct {
	n      int // of them
	items  [keptNear]int32
	scores [keptNear]float32
}

// question is a neighbours question.
type question struct {
	code   string
	item   int32 // -1: the version does not know the product
	limit  int
	rules  *recommend.Rules
	near   *nearest // nil: not found yet, or more are asked for than are kept
	query  *query   // that finds near, or the answer; nil: near is known
	answer []recommend.Similar
}

func (x *Index) question(n recommend.Neighbours, fresh *NewItems, facts *Facts) *question {
	q := &question{code: n.Code, item: -1, limit: min(n.Limit, recommend.MaxLimit), answer: []recommend.Similar{},
		rules: n.Rules}
	i, ok := x.numbers[n.Code]
	if !ok {
		if direction := fresh.direction(n.Code); direction != nil {
			q.query = &query{vector: direction, cosine: true, limit: q.limit, length: math.Inf(1),
				floor: float32(math.Inf(-1)), ruled: facts.of(n.Rules)}
		}
		return q
	}
	q.item = i
	if q.limit > keptNear || n.Rules != nil {
		q.query = x.neighbours(i, q.limit)
		q.query.ruled = facts.of(n.Rules)
	} else if q.near = x.nearest[i].Load(); q.near == nil {
		q.query = x.neighbours(i, keptNear)
		q.query.all = true
	}
	return q
}

// similar answers questions whose queries have gone past all products. Where too few of the nearest ones can
// be bought, it goes past them again. Those that the version does not know are similar products too.
func (x *Index) similar(questions []*question, shown []bool, fresh *NewItems) [][]recommend.Similar {
	var again []*query
	for _, q := range questions {
		if q.item >= 0 && q.limit <= keptNear && q.rules == nil && !x.fromNearest(q, shown) {
			q.query = x.neighbours(q.item, q.limit)
			again = append(again, q.query)
		}
	}
	x.scan(again, shown)
	similar := make([][]recommend.Similar, len(questions))
	for i, q := range questions {
		if q.query != nil && !q.query.all {
			for _, s := range q.query.best {
				q.add(x, s.item, s.score)
			}
		}
		similar[i] = q.answer
		switch {
		case fresh == nil:
		case q.item >= 0:
			similar[i] = recommend.Nearest(q.answer, fresh.near(q.code, x.direction(q.item), q.rules), q.limit)
		case q.query != nil:
			similar[i] = recommend.Nearest(q.answer, fresh.near(q.code, q.query.vector, q.rules), q.limit)
		}
	}
	return similar
}

// fromNearest answers a question from the nearest products, and says whether they are enough.
func (x *Index) fromNearest(q *question, shown []bool) bool {
	if q.near == nil {
		q.near = &nearest{n: len(q.query.best)}
		for k, s := range q.query.best {
			q.near.items[k], q.near.scores[k] = s.item, s.score
		}
		x.nearest[q.item].Store(q.near)
	}
	for k := 0; k < q.near.n && len(q.answer) < q.limit; k++ {
		if item := q.near.items[k]; shown[item] {
			q.add(x, item, q.near.scores[k])
		}
	}
	if len(q.answer) == q.limit || q.near.n < keptNear {
		return true
	}
	q.answer = q.answer[:0]
	return false
}

func (q *question) add(x *Index, item int32, score float32) {
	q.answer = append(q.answer, recommend.Similar{Code: x.codes[item], Distance: float32(1 - float64(score))})
}

// neighbours asks for the products nearest to one.
func (x *Index) neighbours(i int32, limit int) *query {
	q := &query{vector: x.direction(i), cosine: true, left: []int32{i}, limit: limit, length: math.Inf(1),
		floor: float32(math.Inf(-1))}
	if weight := float32(x.solver.SimilarWeight); weight > 0 {
		q.added = x.placed(x.near.of(i))
		for k := range q.added {
			q.added[k].Weight *= weight
		}
	}
	return q
}

// direction is the vector of a product with the length one; not a number, if it has none.
func (x *Index) direction(i int32) []float32 {
	place := int(x.places[i])
	vector, scale := slices.Clone(x.vectors.At(place)), x.lengths[place]
	for c := range vector {
		vector[c] *= scale
	}
	return vector
}
