package memory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// newItems are the products of which something was said and that the version does not know, by code. The
// caller holds the lock.
func (s *Store) newItems(v *Version) (all []recommend.NewItem) {
	if v.version.Products == nil {
		return nil
	}
	for _, code := range slices.Sorted(maps.Keys(s.said)) {
		if _, known := v.items[code]; known {
			continue
		}
		it := recommend.NewItem{Code: code, Vector: encode(v.version.Products, s.said[code]), Shown: s.state[code],
			FirstSeen: s.firstSeen[code], Facts: s.ruleFacts(code, nil, s.state[code])}
		all = append(all, it)
	}
	return all
}

// encode is the vector of a product of which this is said.
func encode(e *modelversion.ProductEncoder, said map[activity.Field]saidOf) []float32 {
	features := map[string]bool{}
	categories, _ := said[activity.FieldCategories].value.([]string)
	for _, c := range categories {
		features["category="+c] = true
	}
	number := func(name string, value float64) {
		if edges, known := e.Edges[name]; known {
			bucket, _ := slices.BinarySearch(edges, value)
			features[name+"="+strconv.Itoa(bucket)] = true
		}
	}
	if brand, ok := said[activity.FieldBrand].value.(string); ok {
		features["brand="+brand] = true
	}
	if price, err := strconv.ParseFloat(fmt.Sprint(said[activity.FieldPrice].value), 64); err == nil {
		number("price", price)
	}
	attributes, _ := said[activity.FieldAttributes].value.(map[string]any)
	for name, value := range attributes {
		if x, ok := value.(float64); ok {
			number("attribute "+name, x)
		} else {
			features[fmt.Sprintf("attribute %s=%v", name, value)] = true
		}
	}
	vector := slices.Clone(e.Bias)
	for f := range features {
		for i, x := range e.Weights[f] {
			vector[i] += x
		}
	}
	return vector
}

// searchNew finds the new products that a search asks for.
func searchNew(fresh []recommend.NewItem, q recommend.Search) []recommend.Candidate {
	if q.New == 0 {
		return nil
	}
	if q.Vector == nil {
		fresh = slices.Clone(fresh)
		slices.SortStableFunc(fresh, func(a, b recommend.NewItem) int { return b.FirstSeen.Compare(a.FirstSeen) })
	}
	var found []recommend.Candidate
	for _, it := range fresh {
		if !it.Shown || slices.Contains(q.Exclude, it.Code) || !q.SeenBy.IsZero() && it.FirstSeen.After(q.SeenBy) ||
			!q.Rules.Allows(it.Facts) {
			continue
		}
		c := recommend.Candidate{Item: recommend.NoItem, Code: it.Code, Vector: it.Vector}
		if q.Vector != nil {
			c.Score = q.Rules.Score(dot(q.Vector, it.Vector), it.Facts)
		}
		q.Rules.Mark(&c, it.Facts)
		found = append(found, c)
	}
	slices.SortStableFunc(found, func(a, b recommend.Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return found[:min(q.New, len(found))]
}
