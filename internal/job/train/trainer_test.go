package train

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kindred/internal/lab/simulation"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// quick is DefaultConfig with less searching.
func quick() Config {
	cfg := DefaultConfig()
	cfg.TuneBudget, cfg.Dim, cfg.Epochs = 0.05, 24, 6
	return cfg
}

func mustShop(t *testing.T, scale float64) (*simulation.Shop, *Data) {
	t.Helper()
	s, err := simulation.New(simulation.DefaultConfig(scale))
	if err != nil {
		t.Fatal(err)
	}
	return s, newData(s.Customers(), s.Products(), slices.Collect(s.Ratings()))
}

// newData is what reading a training set gives.
func newData(customers []shop.Customer, products []shop.Product, ratings []shop.Rating) *Data {
	customers, products = slices.Clone(customers), slices.Clone(products)
	slices.SortFunc(customers, func(a, b shop.Customer) int { return text.CompareIDs(a.ID, b.ID) })
	slices.SortFunc(products, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) })
	who, what := map[string]int32{}, map[string]int32{}
	for i, c := range customers {
		who[c.ID] = int32(i)
	}
	for i, p := range products {
		what[p.Code] = int32(i)
	}
	data := NewData(customers, products, nil)
	for _, r := range ratings {
		rating := evaluation.Rating{Customer: who[r.CustomerID], Product: what[r.ProductCode], Stars: r.Stars}
		if r.RatedAt != nil {
			rating.RatedAt = r.RatedAt.Unix()
		}
		data.Ratings = append(data.Ratings, rating)
	}
	return data
}

func mustTrain(t *testing.T, trainer Trainer, data *Data) *modelversion.Version {
	t.Helper()
	v, err := trainer.Train(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	v.ID = "m0123456789abcde"
	if err := v.Validate(); err != nil {
		t.Fatal(err)
	}
	return v
}

func row(t *testing.T, r modelversion.Report, name string) modelversion.Row {
	t.Helper()
	i := slices.IndexFunc(r.Rows, func(row modelversion.Row) bool { return row.Name == name })
	if i < 0 {
		t.Fatalf("report has no row %q", name)
	}
	return r.Rows[i]
}

func TestQualityOnAGeneratedShop(t *testing.T) {
	t.Parallel()
	truth, data := mustShop(t, 0.3)
	v := mustTrain(t, Trainer{Config: quick(), Truth: truth.Affinity}, data)
	model, ceiling := row(t, v.Report, modelversion.RowModel), row(t, v.Report, modelversion.RowCeiling)
	popularity := row(t, v.Report, modelversion.RowPopularity)
	t.Logf("NDCG@10: model %.3f, popularity %.3f, ceiling %.3f; verdict %v", model.NDCG10, popularity.NDCG10,
		ceiling.NDCG10, v.Report.Verdict)
	if model.NDCG10 < 1.5*popularity.NDCG10 || model.NDCG10 < 0.65*ceiling.NDCG10 || model.NDCG10 > ceiling.NDCG10 {
		t.Errorf("NDCG@10 of the model is %.3f, of popularity %.3f, of the ceiling %.3f", model.NDCG10, popularity.NDCG10,
			ceiling.NDCG10)
	}
	if !v.Report.Verdict.Pass || v.Report.Rows[0].Name != modelversion.RowModel || len(v.Report.Verdict.Reasons) != 4 {
		t.Errorf("verdict is %+v", v.Report.Verdict)
	}
	var notes Notes
	if err := json.Unmarshal(v.Training, &notes); err != nil || notes.Used.Dim != v.Solver.Dim || len(notes.Tried) == 0 {
		t.Errorf("notes are %+v, %v", notes, err)
	}
	everyoneHasAVector(t, v, data)
	encoderSaysTheSame(t, v, data)
	customersSolveServingsEquations(t, v)
}

func everyoneHasAVector(t *testing.T, v *modelversion.Version, data *Data) {
	t.Helper()
	likes, products := make([]int32, len(data.Customers)), make([]int32, len(data.Products))
	for _, r := range data.Ratings {
		if r.Stars >= defaultMinStars {
			likes[r.Customer]++
			products[r.Product]++
		}
	}
	features := 0
	check := func(likes int32, origin modelversion.Origin, vector []float32) {
		if slices.Max(vector) == 0 && slices.Min(vector) == 0 {
			t.Error("somebody or something has a vector of zeros")
		}
		if (likes == 0) != (origin == modelversion.OriginFeatures) {
			t.Errorf("%d likes give a vector that is %s", likes, origin)
		}
		if likes == 0 {
			features++
		}
	}
	for i, c := range v.Customers {
		check(likes[i], c.Origin, c.Vector)
	}
	for i, item := range v.Items {
		check(products[i], item.Origin, item.Vector)
		if item.Positives != products[i] {
			t.Errorf("%s has %d positives, want %d", item.Code, item.Positives, products[i])
		}
	}
	if features == 0 {
		t.Error("nobody was without likes: the test tests nothing")
	}
}

// encoderSaysTheSame encodes the products without likes anew, as the vector database does with new ones.
func encoderSaysTheSame(t *testing.T, v *modelversion.Version, data *Data) {
	t.Helper()
	for i, features := range productFeatures(data.Products) {
		if v.Items[i].Origin != modelversion.OriginFeatures {
			continue
		}
		for j, x := range encoded(v.Products, features) {
			if math.Abs(float64(x-v.Items[i].Vector[j])) > 1e-5 {
				t.Fatalf("%s with %v has %v, and the encoder says otherwise: %v", v.Items[i].Code, features, v.Items[i].Vector,
					encoded(v.Products, features))
			}
		}
	}
	if edges := v.Products.Edges["price"]; len(edges) != buckets-1 || edges[0] <= 0 {
		t.Errorf("the edges of prices are %v", edges)
	}
}

// encoded is the vector of a product that has features.
func encoded(e *modelversion.ProductEncoder, features []string) []float32 {
	vector := slices.Clone(e.Bias)
	for _, f := range features {
		for j, x := range e.Weights[f] {
			vector[j] += x
		}
	}
	return vector
}

// TestPopularityEncodesDirections: the features of a new product give it the direction that a known one with
// these features has, and no popularity.
func TestPopularityEncodesDirections(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.3)
	vectors, encoder := popularityVectors(data, make([]int32, len(data.Products)))
	for i, features := range productFeatures(data.Products) {
		var both, one, other float64
		for j, x := range encoded(encoder, features) {
			y := vectors[i*len(encoder.Bias)+j]
			both, one, other = both+float64(x*y), one+float64(x*x), other+float64(y*y)
		}
		if cosine := both / math.Sqrt(one*other); cosine < 1-1e-5 || encoded(encoder, features)[0] != 0 {
			t.Fatalf("product %d: the cosine is %g", i, cosine)
		}
	}
}

// customersSolveServingsEquations folds every trained customer's likes anew, as serving would, and compares.
func customersSolveServingsEquations(t *testing.T, v *modelversion.Version) {
	t.Helper()
	folder, err := ials.NewFolder(v.Solver)
	if err != nil {
		t.Fatal(err)
	}
	_, data := mustShop(t, 0.3)
	likes := make([][]ials.Observation, len(v.Customers))
	for _, r := range data.Ratings {
		if r.Stars >= defaultMinStars {
			likes[r.Customer] = append(likes[r.Customer], ials.Observation{Vector: v.Items[r.Product].Vector, Weight: 1})
		}
	}
	for i, c := range v.Customers {
		if c.Origin != modelversion.OriginTrained {
			continue
		}
		q, err := folder.Fold(nil, likes[i])
		if err != nil {
			t.Fatal(err)
		}
		for j, x := range q.Vector() {
			if diff := x - c.Vector[j]; diff > 1e-3 || diff < -1e-3 {
				t.Fatalf("customer %s, component %d: trained %g, folded %g", c.ID, j, c.Vector[j], x)
			}
		}
	}
}

func TestTrainDoesNotDependOnThreads(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.05)
	cfg := quick()
	one := mustTrain(t, Trainer{Config: cfg, Threads: 1}, data)
	four := mustTrain(t, Trainer{Config: cfg, Threads: 4}, data)
	one.TrainedAt = four.TrainedAt
	if !reflect.DeepEqual(one, four) {
		t.Error("one thread and four give different versions")
	}
}

// TestGateRefusesNoise gives every rating a random product of the same popularity: nothing personal
// is left to learn.
func TestGateRefusesNoise(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.15)
	rng := rand.New(rand.NewPCG(3, 3))
	rng.Shuffle(len(data.Ratings), func(i, j int) {
		a, b := &data.Ratings[i], &data.Ratings[j]
		a.Product, b.Product = b.Product, a.Product
	})
	pairs := map[[2]int32]bool{}
	data.Ratings = slices.DeleteFunc(data.Ratings, func(r evaluation.Rating) bool {
		pair := [2]int32{r.Customer, r.Product}
		again := pairs[pair]
		pairs[pair] = true
		return again
	})
	v := mustTrain(t, Trainer{Config: quick()}, data)
	if v.Report.Verdict.Pass {
		t.Errorf("the gate lets noise pass: %+v", v.Report)
	}
}

func TestTrainOnDegenerateData(t *testing.T) {
	t.Parallel()
	customers := []shop.Customer{{ID: "1", Country: "France"}, {ID: "2"}}
	products := []shop.Product{{Code: "a", Line: "Cars"}, {Code: "b"}, {Code: "c"}}
	rated := func(customer, product int32, stars int8) evaluation.Rating {
		return evaluation.Rating{Customer: customer, Product: product, Stars: stars}
	}
	tests := map[string]struct {
		ratings []evaluation.Rating
		want    error
	}{
		"no ratings":               {nil, ials.ErrNoInteractions},
		"dislikes only":            {[]evaluation.Rating{rated(0, 0, 1), rated(1, 1, 3)}, ials.ErrNoInteractions},
		"one like":                 {[]evaluation.Rating{rated(0, 0, 5)}, nil},
		"a customer who likes all": {[]evaluation.Rating{rated(0, 0, 5), rated(0, 1, 4), rated(0, 2, 5)}, nil},
		"everyone likes everything": {[]evaluation.Rating{rated(0, 0, 5), rated(0, 1, 4), rated(0, 2, 5),
			rated(1, 0, 5), rated(1, 1, 5), rated(1, 2, 5)}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trainer := Trainer{Config: quick()}
			v, err := trainer.Train(t.Context(), NewData(customers, products, test.ratings))
			if !errors.Is(err, test.want) {
				t.Fatalf("got error %v, want %v", err, test.want)
			}
			if err != nil {
				return
			}
			v.ID = "m0123456789abcde"
			if err := v.Validate(); err != nil || v.Report.Verdict.Pass {
				t.Errorf("version is %v, verdict %+v; want a valid one that does not pass", err, v.Report.Verdict)
			}
		})
	}
}

func TestConfigReportsEveryProblem(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
	err := Config{Signal: Signal{MinStars: 9}, Dim: 1, TuneBudget: -1, ViewWeight: -1}.Validate()
	for _, word := range []string{"stars", "dimension", "budget", "epochs", "weights"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("error %v does not speak of %s", err, word)
		}
	}
}
