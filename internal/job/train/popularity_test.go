package train

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/lab/plantedshop"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/shop"
)

// mustSeedNoise makes a shop current whose customers rate products at random, with these stars.
func mustSeedNoise(t *testing.T, lake objectstore.Store, seed uint64, stars func(*rand.Rand) int8) {
	t.Helper()
	mustSeedNoiseStock(t, lake, seed, 5, stars)
}

// mustSeedNoiseStock is mustSeedNoise with so many pieces of each product.
func mustSeedNoiseStock(t *testing.T, lake objectstore.Store, seed uint64, stock int16, stars func(*rand.Rand) int8) {
	t.Helper()
	const customers, products, each = 80, 30, 8
	draw := rand.New(rand.NewPCG(seed, 1))
	var people []shop.Customer
	var goods []shop.Product
	for i := range customers {
		people = append(people, shop.Customer{ID: fmt.Sprint(1000 + i), City: "Nantes", Country: "France"})
	}
	for i := range products {
		goods = append(goods, shop.Product{Code: fmt.Sprintf("P%02d", i), Name: "Product", Line: fmt.Sprintf("Line %d", i%3),
			Scale: "1:10", Vendor: "V", QuantityInStock: stock, MSRP: 100})
	}
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{})
	err := errors.Join(w.Customers(people), w.Products(goods))
	for c := range customers {
		own := draw.Perm(products)[:each]
		slices.Sort(own)
		for _, p := range own {
			at := time.Date(2026, 1, 1, 0, draw.IntN(100_000), 0, 0, time.UTC)
			err = errors.Join(err, w.Rating(trainingset.Rating{Customer: int32(c), Product: int32(p), Stars: stars(draw),
				RatedAt: at.UnixMilli()}))
		}
	}
	draft, closeErr := w.Close()
	if err := errors.Join(err, closeErr); err != nil {
		t.Fatal(err)
	}
	if _, _, err := commit.NewRepository(lake, envconfig.TrainingSetPrefix).Commit(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
}

func anyStars(draw *rand.Rand) int8 { return int8(1 + draw.IntN(5)) }

// nights runs train on a lake, one night after the other.
type nights struct {
	lake, artifacts objectstore.Store
	models          *commit.Repository
}

func newNights(t *testing.T) nights {
	n := nights{lake: objectstore.NewFolder(t.TempDir()), artifacts: objectstore.NewFolder(t.TempDir())}
	n.models = commit.NewRepository(n.artifacts, envconfig.ModelPrefix)
	return n
}

// run is a night: the result, and the version that is current afterwards.
func (n nights) run(t *testing.T) (*Result, *modelversion.Version) {
	t.Helper()
	r, err := Job{Planted: plantedshop.Source{}, Lake: n.lake, Artifacts: n.artifacts, Config: quick(),
		ScratchDir: t.TempDir()}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v, err := modelfile.Read(t.Context(), n.models, "", t.TempDir())
	if err != nil || v.ID != r.ModelVersion {
		t.Fatalf("current is %v, %v, want %s", v, err, r.ModelVersion)
	}
	return r, v
}

// TestPopularityAnswersUntilAModelPasses: a shop of noise gets a version that answers by popularity,
// each night anew, until there is a model that the gate does not refuse.
func TestPopularityAnswersUntilAModelPasses(t *testing.T) {
	t.Parallel()
	n := newNights(t)
	mustSeedNoise(t, n.lake, 1, anyStars)
	first, v := n.run(t)
	if first.Refused == nil || first.Refused.Report.Verdict.Decision() != modelversion.OutcomeRefused ||
		first.Refused.ModelVersion == first.ModelVersion || first.NoOp {
		t.Fatalf("a shop of noise: %+v", first)
	}
	verdict := v.Report.Verdict
	if v.Solver.Kind != modelversion.KindPopularity || !verdict.Popularity ||
		verdict.InsteadOf != first.Refused.ModelVersion ||
		verdict.Judged() || v.Report.Own().Name != modelversion.RowPopularity ||
		!strings.HasPrefix(verdict.Reasons[0], "No model has passed the gate") {
		t.Errorf("its version is %+v, %+v", v.Solver, v.Report)
	}
	wantPopularityOrder(t, v)
	for _, want := range []string{"Trained model version " + first.Refused.ModelVersion, "refuses",
		"version " + first.ModelVersion + ", which answers by popularity"} {
		if !strings.Contains(first.sentence(), want) {
			t.Errorf("%q is not in: %s", want, first.sentence())
		}
	}
	if shown := (&Result{ModelVersion: v.ID, Report: v.Report}).table(); !strings.Contains(shown,
		"answers by popularity") {
		t.Errorf("train show: %s", shown)
	}
	if again, _ := n.run(t); !again.NoOp || again.ModelVersion != first.ModelVersion ||
		again.Refused.ModelVersion != first.Refused.ModelVersion {
		t.Errorf("the same once more: %+v", again)
	}

	mustSeedNoise(t, n.lake, 2, anyStars)
	second, v := n.run(t)
	if second.Refused == nil || second.ModelVersion == first.ModelVersion || v.Previous != first.ModelVersion {
		t.Errorf("noise once more: %+v, after %s", second, v.Previous)
	}

	mustSeed(t, n.lake, 1)
	good, v := n.run(t)
	if good.Refused != nil || v.Solver.Kind != modelversion.KindModel || v.Previous != second.ModelVersion ||
		v.Report.Verdict.Decision() == modelversion.OutcomeRefused {
		t.Fatalf("a shop with tastes: %+v", good.Report.Verdict)
	}
	if _, ok := v.Report.Verdict.MayReplace(&verdict); !ok {
		t.Error("the good model may not replace popularity")
	}
	if v.Report.Verdict.Judged() {
		if whyNot, ok := verdict.MayReplace(&v.Report.Verdict); ok || whyNot == "" {
			t.Error("popularity may replace a good model")
		}
	}
}

// wantPopularityOrder: the inner products that old functions answer by, with a customer or without,
// put the products into the order of popularity.
func wantPopularityOrder(t *testing.T, v *modelversion.Version) {
	t.Helper()
	for _, vector := range [][]float32{v.Encoder.Bias, v.Customers[0].Vector} {
		for _, a := range v.Items {
			for _, b := range v.Items {
				if a.Positives > b.Positives && dot(vector, a.Vector) <= dot(vector, b.Vector) {
					t.Fatalf("%s with %d likes is not before %s with %d", a.Code, a.Positives, b.Code, b.Positives)
				}
			}
		}
	}
	if len(v.Customers[0].Rated) == 0 {
		t.Error("nobody has anything")
	}
	if (&recommend.Model{Solver: v.Solver}).ByPopularity() != true {
		t.Error("serving takes it for a model")
	}
}

func dot(a, b []float32) (sum float32) {
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// TestAShopWithoutLikesHasAVersion: nobody gave enough stars; what people rated is shown all the same.
func TestAShopWithoutLikesHasAVersion(t *testing.T) {
	t.Parallel()
	n := newNights(t)
	mustSeedNoise(t, n.lake, 1, func(*rand.Rand) int8 { return 2 })
	r, v := n.run(t)
	if r.Refused != nil || r.NoOp || !v.Report.Verdict.Popularity || v.Items[0].Positives == 0 {
		t.Fatalf("%+v", r)
	}
	wantPopularityOrder(t, v)
	if !strings.Contains(r.sentence(), "Nobody likes anything yet") {
		t.Errorf("it says: %s", r.sentence())
	}
	if again, _ := n.run(t); !again.NoOp || again.ModelVersion != r.ModelVersion {
		t.Errorf("once more: %+v", again)
	}
}

// TestAPassedModelIsRememberedBehindManyRefusals: popularity never follows a model that passed.
func TestAPassedModelIsRememberedBehindManyRefusals(t *testing.T) {
	t.Parallel()
	n := newNights(t)
	mustSeed(t, n.lake, 1)
	good, v := n.run(t)
	if !v.Report.Verdict.Judged() {
		t.Fatal("the model of this shop did not pass")
	}
	refused := *v
	refused.Report.Verdict = modelversion.NewVerdict(modelversion.OutcomeRefused, modelversion.WithBaselines, "bad")
	refused.Previous = good.ModelVersion
	for i := range longestHistory + 1 {
		refused.ID, refused.Input, refused.Learned = fmt.Sprintf("m%015x", i), fmt.Sprint(i), fmt.Sprint(i)
		if _, err := modelfile.Write(t.Context(), n.models, &refused, t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	past, err := Job{Lake: n.lake, Artifacts: n.artifacts, ScratchDir: t.TempDir()}.history(t.Context(), n.models,
		[]string{"another"}, "")
	if err != nil || past.previous != good.ModelVersion || !past.judged {
		t.Errorf("the last good model is %q (judged %t), %v", past.previous, past.judged, err)
	}
}
