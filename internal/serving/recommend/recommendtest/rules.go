package recommendtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// expressions are rules over what saidProduct says, and the version.
var expressions = []string{`product.brand == "b=c"`, `"a" in product.categories`, `product.price < 10.5`,
	`product.price >= 10.0001 && product.price <= 20.5`, `!(product.brand == "b=c")`, `product.available`,
	`product.attributes.colour == "red" || product.price > 20.0`, `product.attributes["weight"] < 0.0`,
	`product.name == "name"`, `product.name != "said"`, `"line" in product.categories`,
	`product.id in ["new 1", "S03 ü\"'", "S04 ü\"'"]`, `product.id.startsWith("S1")`, `product.stock > 0`,
	`!("ü'\"" in product.categories) && product.attributes.new == true`}

// facts are what a test knows of a product.
type facts struct {
	values    map[activity.Field]any
	firstSeen time.Time
}

// product are the facts as rules see them; it is the version's product, or nil.
func (f facts) product(code string, it *modelversion.Item) *rule.Product {
	available, said := f.values[activity.FieldAvailable].(bool)
	switch {
	case f.values[activity.FieldHidden] == true:
		available = false
	case !said:
		available = it != nil && it.QuantityInStock > 0
	}
	p := recommend.FactsOf(code, f.values, available, f.firstSeen)
	if it != nil && p.Name == nil {
		p.Name = &it.Name
	}
	if it != nil && it.Line != "" && f.values[activity.FieldCategories] == nil {
		p.Categories = []string{it.Line}
	}
	return p
}

// itemOf is the version's product of a code; nil: it does not have it.
func itemOf(v *modelversion.Version, code string) *modelversion.Item {
	if i := slices.IndexFunc(v.Items, func(it modelversion.Item) bool { return it.Code == code }); i >= 0 {
		return &v.Items[i]
	}
	return nil
}

// testRules says something of products again and again, and asks with rules: a search and similar products find
// what matches, and nothing else, in the order of the boosted scores.
func testRules(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	t.Parallel()
	v := gridVersion(4)
	AddProductEncoder(v, 1)
	for i := range v.Items {
		if i%3 == 0 {
			v.Items[i].Name, v.Items[i].Line = "other", ""
		}
	}
	v.Together = make([][]modelversion.Neighbour, len(v.Items))
	for i := range int32(40) {
		v.Together[5] = append(v.Together[5], modelversion.Neighbour{Item: i + 10, Weight: float32(1 + (i*7)%40)})
	}
	s := open(t, Setup{Live: v})
	said := map[string]facts{}
	number := 0
	rapid.Check(t, func(rt *rapid.T) {
		var state recommend.State
		for range rapid.IntRange(1, 4).Draw(rt, "writes") {
			number++
			code := rapid.OneOf(rapid.Map(rapid.SampledFrom(v.Items), func(it modelversion.Item) string { return it.Code }),
				rapid.SampledFrom([]string{"new 1", "new 2", "ü'\""})).Draw(rt, "product")
			values, _ := saidProduct(rt)
			if name := rapid.SampledFrom([]string{"", "said", "name"}).Draw(rt, "name"); name != "" {
				values[activity.FieldName] = name
			}
			if values[activity.FieldCategories] == nil && rapid.Bool().Draw(rt, "no category") {
				values[activity.FieldCategories] = []string{}
			}
			for _, f := range []activity.Field{activity.FieldBrand, activity.FieldPrice, activity.FieldCategories,
				activity.FieldAttributes, activity.FieldStock, activity.FieldName} {
				if _, known := values[f]; !known {
					values[f] = nil
				}
			}
			at := bought.Add(time.Duration(number) * time.Second)
			state.Products = append(state.Products, activity.ProductWrite{ID: code, Values: values,
				Order: activity.Order{At: at}})
			if before, known := said[code]; known {
				at = before.firstSeen
			}
			said[code] = facts{values, at}
		}
		if err := s.WriteState(rt.Context(), state); err != nil {
			rt.Fatal(err)
		}
		traffic, err := s.Traffic(rt.Context())
		if err != nil {
			rt.Fatal(err)
		}
		rules := drawRules(rt)
		q := recommend.Search{Limit: rapid.IntRange(1, 70).Draw(rt, "limit"), At: bought, New: rapid.IntRange(0, 3).
			Draw(rt, "new"), Exclude: []string{"new 2", v.Items[7].Code}, Rules: rules}
		if rapid.Bool().Draw(rt, "by vector") {
			q.Vector = []float32{1, -2, float32(rapid.IntRange(-2, 2).Draw(rt, "component"))}
			q.Added = []modelversion.Neighbour{{Item: 3, Weight: 2}, {Item: 40, Weight: 9}}
		}
		near := recommend.Neighbours{Code: rapid.SampledFrom([]string{v.Items[1].Code, "new 1", "unknown"}).Draw(rt, "near"),
			Limit: rapid.IntRange(1, 70).Draw(rt, "near limit"), Rules: rules}
		candidates, similar, err := s.Retrieve(rt.Context(), traffic.Live, []recommend.Search{q},
			[]recommend.Neighbours{near})
		if err != nil {
			rt.Fatal(err)
		}
		if got, want := found(candidates[0]), found(ruledSearch(v, q, said)); got != want {
			rt.Fatalf("search %s\nfound %s\nwant  %s", ruleText(q.Rules), got, want)
		}
		compareNeighbours(rt, near, similar[0], ruledNeighbours(v, near, said))
		compareLists(rt, s, traffic.Live, v, said)
	})
}

// compareLists asks for each list with rules: it has what a look at each of its products finds.
func compareLists(t *rapid.T, s Conformer, live *recommend.Model, v *modelversion.Version, said map[string]facts) {
	q := recommend.ListQuery{Limit: rapid.IntRange(1, 70).Draw(t, "list limit"),
		Exclude: []string{"new 2", v.Items[12].Code}, Rules: drawRules(t)}
	lists := map[string][]recommend.Listed{}
	for _, n := range v.Together[5] {
		lists["together"] = append(lists["together"], recommend.Listed{Code: v.Items[n.Item].Code, Score: n.Weight})
	}
	lists["new"] = newest(said)
	for i, at := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(v.Items)-1), 0, 30, rapid.ID[int]).Draw(t, "given") {
		lists["given"] = append(lists["given"], recommend.Listed{Code: v.Items[at].Code, Score: float32(i - 9)})
	}
	lists["given"] = append(lists["given"], recommend.Listed{Code: "new 1", Score: 0.5}, recommend.Listed{Code: "unknown"})
	for name, list := range lists {
		ask := q
		switch name {
		case "together":
			ask.List, ask.Product = activity.SourceTogether, v.Items[5].Code
		case "new":
			ask.List = activity.SourceNew
		default:
			ask.Given, ask.GivenWhole = list, rapid.Bool().Draw(t, "whole")
		}
		got, err := s.List(t.Context(), live, ask)
		if err != nil {
			t.Fatal(err)
		}
		var all, want []recommend.Candidate
		for _, it := range got {
			all = append(all, recommend.Candidate{Code: it.Code, Score: it.Score, Marks: it.Marks, Labels: it.Labels})
		}
		for _, it := range list {
			p := said[it.Code].product(it.Code, itemOf(v, it.Code))
			if slices.Contains(q.Exclude, it.Code) || !p.Available && !ask.GivenWhole {
				continue
			}
			if q.Rules.Allows(p) {
				c := recommend.Candidate{Code: it.Code, Score: float32(boostedBy(q.Rules, float64(it.Score), p))}
				q.Rules.Mark(&c, p)
				want = append(want, c)
			}
		}
		slices.SortFunc(want, func(a, b recommend.Candidate) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Code, b.Code))
		})
		if got, want := found(all), found(want[:min(q.Limit, len(want))]); got != want {
			t.Fatalf("list %s %s\nfound %s\nwant  %s", name, ruleText(q.Rules), got, want)
		}
	}
}

// newest are the products that were seen after the first ones, with the scores of their places.
func newest(said map[string]facts) (all []recommend.Listed) {
	var first time.Time
	for _, f := range said {
		if first.IsZero() || f.firstSeen.Before(first) {
			first = f.firstSeen
		}
	}
	for code, f := range said {
		if f.firstSeen.After(first) {
			all = append(all, recommend.Listed{Code: code})
		}
	}
	slices.SortFunc(all, func(a, b recommend.Listed) int {
		return cmp.Or(said[b.Code].firstSeen.Compare(said[a.Code].firstSeen), strings.Compare(a.Code, b.Code))
	})
	for i := range all {
		all[i].Score = 1 / float32(i+1)
	}
	return all
}

func drawRules(t *rapid.T) *recommend.Rules {
	expression := rapid.Map(rapid.SampledFrom(expressions), func(text string) *rule.Expr {
		e, err := rule.Compile(text)
		if err != nil {
			panic(err) // they are sound
		}
		return e
	})
	r := &recommend.Rules{Filters: rapid.SliceOfN(expression, 0, 2).Draw(t, "filters"),
		Marks: rapid.SliceOfN(expression, 0, 2).Draw(t, "marks"),
		By: rapid.SampledFrom([]recommend.Label{recommend.ByNothing, recommend.ByCategory, recommend.ByBrand}).
			Draw(t, "by")}
	for range rapid.IntRange(0, 2).Draw(t, "boosts") {
		r.Boosts = append(r.Boosts, rule.Boost{Where: expression.Draw(t, "boosted"),
			Factor: rapid.SampledFrom([]float64{0.25, 0.5, 2, 8}).Draw(t, "factor")})
	}
	return r
}

func ruleText(r *recommend.Rules) (text string) {
	for _, e := range r.Filters {
		text += " filter " + e.String()
	}
	for _, b := range r.Boosts {
		text += fmt.Sprint(" boost ", b.Factor, ":", b.Where)
	}
	return text
}

// found is what candidates say. A store may hold no labels as nil or as an empty list.
func found(all []recommend.Candidate) (text string) {
	for _, c := range all {
		text += fmt.Sprintf("%d %s %.5g %v %v %q\n", c.Item, c.Code, c.Score, c.Vector, c.Marks, c.Labels)
	}
	return text
}

// boostedBy is a score with the boosts that apply, in other words than the stores'.
func boostedBy(r *recommend.Rules, score float64, p *rule.Product) float64 {
	factor := 1.0
	for _, b := range r.Boosts {
		if b.Where.Match(p) {
			factor *= b.Factor
		}
	}
	factor = math.Max(0.1, math.Min(10, factor))
	if score < 0 {
		return score / factor
	}
	return score * factor
}

func matches(r *recommend.Rules, p *rule.Product) bool {
	for _, e := range r.Filters {
		if !e.Match(p) {
			return false
		}
	}
	return p.Available
}

// ruledSearch finds by sorting.
func ruledSearch(v *modelversion.Version, q recommend.Search, said map[string]facts) []recommend.Candidate {
	var known, fresh []recommend.Candidate
	add := func(to *[]recommend.Candidate, c recommend.Candidate, score float32, p *rule.Product) {
		if !matches(q.Rules, p) || slices.Contains(q.Exclude, c.Code) {
			return
		}
		c.Score = float32(boostedBy(q.Rules, float64(score), p))
		for _, e := range q.Rules.Marks {
			c.Marks = append(c.Marks, e.Match(p))
		}
		switch {
		case q.Rules.By == recommend.ByCategory:
			c.Labels = p.Categories
		case q.Rules.By == recommend.ByBrand && p.Brand != nil:
			c.Labels = []string{*p.Brand}
		}
		*to = append(*to, c)
	}
	items := map[string]bool{}
	for i, it := range v.Items {
		items[it.Code] = true
		score := float32(it.Positives)
		if q.Vector != nil {
			score = product(q.Vector, it.Vector)
			for _, n := range q.Added {
				if int(n.Item) == i {
					score += n.Weight
				}
			}
		}
		add(&known, recommend.Candidate{Item: int32(i), Code: it.Code, Vector: it.Vector}, score,
			said[it.Code].product(it.Code, &it))
	}
	for code, f := range said {
		if items[code] {
			continue
		}
		vector, score := newVector(v, f), float32(0)
		if q.Vector != nil {
			score = product(q.Vector, vector)
		}
		add(&fresh, recommend.Candidate{Item: recommend.NoItem, Code: code, Vector: vector}, score, f.product(code, nil))
	}
	slices.SortFunc(known, func(a, b recommend.Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Code, b.Code))
	})
	slices.SortFunc(fresh, func(a, b recommend.Candidate) int {
		newest := said[b.Code].firstSeen.Compare(said[a.Code].firstSeen)
		if q.Vector != nil {
			newest = 0
		}
		return cmp.Or(cmp.Compare(b.Score, a.Score), newest, strings.Compare(a.Code, b.Code))
	})
	return append(known[:min(q.Limit, len(known))], fresh[:min(q.New, len(fresh))]...)
}

// newVector is the vector of a product that the version does not know.
func newVector(v *modelversion.Version, f facts) []float32 {
	vector := slices.Clone(v.Products.Bias)
	for _, feature := range featuresOf(f.values) {
		for i, x := range v.Products.Weights[feature] {
			vector[i] += x
		}
	}
	return vector
}

// featuresOf are the features of what saidProduct says.
func featuresOf(values map[activity.Field]any) (features []string) {
	if categories, _ := values[activity.FieldCategories].([]string); len(categories) > 0 {
		features = append(features, "category=a", "category=ü'\"")
	}
	if values[activity.FieldBrand] != nil {
		features = append(features, "brand=b=c")
	}
	if price, known := values[activity.FieldPrice].(string); known {
		features = append(features, map[string]string{"9.99": "price=0", "10": "price=0", "10.0001": "price=1",
			"20.5": "price=1", "21": "price=2"}[price])
	}
	if attributes, known := values[activity.FieldAttributes].(map[string]any); known {
		features = append(features, "attribute colour=red", "attribute new=true",
			"attribute weight="+map[float64]string{-2: "0", -1: "0", 0.5: "1"}[attributes["weight"].(float64)])
	}
	return features
}

// ruledNeighbours finds by sorting.
func ruledNeighbours(v *modelversion.Version, q recommend.Neighbours,
	said map[string]facts) (found []recommend.Similar) {
	at := slices.IndexFunc(v.Items, func(it modelversion.Item) bool { return it.Code == q.Code })
	var origin []float32
	switch f, isNew := said[q.Code]; {
	case at >= 0:
		origin = v.Items[at].Vector
	case isNew:
		origin = newVector(v, f)
	default:
		return nil
	}
	add := func(code string, vector []float32, added float64, p *rule.Product) {
		cosine := float64(product(origin, vector)) /
			math.Sqrt(float64(product(origin, origin))*float64(product(vector, vector)))
		if code != q.Code && !math.IsNaN(cosine) && matches(q.Rules, p) {
			found = append(found, recommend.Similar{Code: code, Distance: float32(1 - boostedBy(q.Rules, cosine+added, p))})
		}
	}
	items := map[string]bool{}
	for i, it := range v.Items {
		items[it.Code] = true
		added := 0.0
		if at >= 0 && v.Near != nil {
			for _, n := range v.Near.Items[at] {
				if int(n.Item) == i {
					added += v.Solver.SimilarWeight * float64(n.Weight)
				}
			}
		}
		add(it.Code, it.Vector, added, said[it.Code].product(it.Code, &it))
	}
	for code, f := range said {
		if !items[code] {
			add(code, newVector(v, f), 0, f.product(code, nil))
		}
	}
	slices.SortFunc(found, func(a, b recommend.Similar) int { return cmp.Compare(a.Distance, b.Distance) })
	return found[:min(q.Limit, len(found))]
}
