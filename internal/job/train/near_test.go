package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	inmemory "kindred/internal/serving/recommend/memory"
	"kindred/internal/shop"
)

// setSize is how many products go together in a shop of sets.
const setSize = 4

// mustSets is a shop whose products are sold in many sets: a customer who likes one product of a set
// likes the others. Far fewer components than sets cannot tell the sets apart, and neighbours can.
func mustSets(t *testing.T, customers, sets int) *Data {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 9))
	var who []shop.Customer
	var what []shop.Product
	for i := range customers {
		who = append(who, shop.Customer{ID: fmt.Sprintf("c%04d", i), Country: "France"})
	}
	for i := range sets * setSize {
		what = append(what, shop.Product{Code: fmt.Sprintf("p%04d", i), Name: "name", Line: "line", QuantityInStock: 5})
	}
	data := NewData(who, what, nil)
	for c := range customers {
		times := rng.Perm(8 * 3) // the products of a set at different times
		for s, set := range rng.Perm(sets)[:8] {
			for i, n := range rng.Perm(setSize)[:3] {
				at := 1_700_000_000 + int64(times[3*s+i])*1000
				data.Ratings = append(data.Ratings, evaluation.Rating{Customer: int32(c), Product: int32(set*setSize + n), Stars: 5,
					RatedAt: at})
			}
		}
	}
	return data
}

func setsConfig() Config {
	cfg := quick()
	cfg.Dim, cfg.Parts, cfg.TuneBudget, cfg.Epochs = 8, PartsAuto, 0.02, 8
	return cfg
}

func TestNeighboursAreChosenWhereTheyHelp(t *testing.T) {
	t.Parallel()
	data := mustSets(t, 160, 50)
	v := mustTrain(t, Trainer{Config: setsConfig()}, data)
	var notes Notes
	if err := json.Unmarshal(v.Training, &notes); err != nil || notes.Near == nil || v.Near == nil ||
		v.Report.Parts == nil {
		t.Fatalf("no neighbours were chosen: %s, %v", v.Training, err)
	}
	if n := notes.Near; n.Low <= 0 || n.Gain < n.Low || n.Gain > n.High || v.Solver.NearWeight != n.Session ||
		v.Solver.Neighbours != nearMost ||
		(n.Similar != nil) != (v.Solver.SimilarWeight > 0) {
		t.Errorf("notes are %+v, the solver %+v", n, v.Solver)
	}
	rows := v.Report.Parts.Rows
	if len(rows) != 3 || rows[0] != v.Report.Rows[0] || rows[0].NDCG10 < 1.1*rows[1].NDCG10 ||
		rows[1].Name != RowVectors ||
		rows[2].Name != RowNeighbours {
		t.Errorf("the parts are %+v, the model %+v", rows, v.Report.Rows[0])
	}
	right := 0
	for i, list := range v.Near.Items { // the others of the set
		var near []int
		for _, n := range slices.SortedFunc(slices.Values(list), func(a, b modelversion.Neighbour) int {
			return cmp.Compare(b.Weight, a.Weight)
		}) {
			near = append(near, int(n.Item)/setSize)
		}
		if slices.Equal(near[:min(len(near), setSize-1)], slices.Repeat([]int{i / setSize}, setSize-1)) {
			right++
		}
	}
	if n := len(v.Near.Items); right < n*9/10 {
		t.Errorf("of %d products, %d have the others of their set for nearest neighbours", n, right)
	}
	rankersAgree(t, v)
	other := rename(rand.New(rand.NewPCG(1, 2)), data)
	w := mustTrain(t, Trainer{Config: setsConfig(), Threads: 1}, other.data)
	if diff := sameFigures(v, w); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff(listsByCode(v, v.Near.Items, itself, itself), listsByCode(w, w.Near.Items, byMap(other.products),
		byMap(other.products))); diff != "" {
		t.Errorf("the neighbours of products depend on names: %s", diff)
	}
	ofCustomers := 0
	for i, c := range w.Customers {
		at, _ := slices.BinarySearchFunc(v.Customers, other.customers[c.ID],
			func(x modelversion.Customer, id string) int { return text.CompareIDs(x.ID, id) })
		want, got := codes(v, v.Near.Customers[at], itself), codes(w, w.Near.Customers[i], byMap(other.products))
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("the neighbours of a customer depend on names: %s", diff)
		}
		ofCustomers += len(got)
	}
	if ofCustomers == 0 {
		t.Error("no customer has neighbours")
	}
}

func itself(code string) string { return code }

func byMap(m map[string]string) func(string) string {
	return func(code string) string { return m[code] }
}

// codes is a list by the products' codes.
func codes(v *modelversion.Version, list []modelversion.Neighbour, name func(string) string) map[string]float32 {
	all := map[string]float32{}
	for _, n := range list {
		all[name(v.Items[n.Item].Code)] = n.Weight
	}
	return all
}

func listsByCode(v *modelversion.Version, lists [][]modelversion.Neighbour, of,
	name func(string) string) map[string]map[string]float32 {
	all := map[string]map[string]float32{}
	for i, list := range lists {
		all[of(v.Items[i].Code)] = codes(v, list, name)
	}
	return all
}

// rankersAgree compares what serving answers to customers with what the gate measures, for a version
// that was compared with itself: liveBlock is the gate's ranker of a version.
func rankersAgree(t *testing.T, v *modelversion.Version) {
	t.Helper()
	served := inmemory.New(v)
	data := &Data{}
	users, owns := []float32(nil), map[string]int{}
	for i, c := range v.Customers {
		data.Customers = append(data.Customers, Customer{ID: c.ID})
		users, owns[c.ID] = append(users, c.Vector...), i
	}
	for _, it := range v.Items {
		data.Products = append(data.Products, Product{ID: it.Code})
	}
	rank := liveBlock(v, data, users, owns)
	for i := range v.Customers {
		scores := make([]float32, len(v.Items))
		rank([]int32{int32(i)}, scores)
		masked := make([]bool, len(v.Items))
		for n, it := range v.Items {
			masked[n] = slices.Contains(v.Customers[i].Rated, it.Code)
		}
		top := evaluation.Top(scores, masked, 10)
		found := served.Search(recommend.Search{Vector: v.Customers[i].Vector, Customer: &v.Customers[i].ID,
			Added: v.Near.Customers[i], Limit: 10})
		for n, c := range found {
			if diff := float64(c.Score - scores[top[n]]); diff > 1e-5 || diff < -1e-5 {
				t.Fatalf("customer %d, place %d: serving finds %+v, the gate %s of %g", i, n, c, v.Items[top[n]].Code,
					scores[top[n]])
			}
		}
	}
}

// TestSimilarProductsAreJudgedByTheNextOne: where customers buy a set at once, the neighbours of a product
// say what they buy next. Where the next product is any other, they say no more than the cosine.
func TestSimilarProductsAreJudgedByTheNextOne(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []bool{true, false} {
		data := mustSets(t, 160, 50)
		for i := range data.Ratings {
			const each = 8 * 3 // ratings of a customer; two are moved to the front, so that a session's halves share a set
			if r := &data.Ratings[i]; atOnce {
				r.RatedAt = 1_700_000_000 + int64((i+2)%each)
			} else {
				r.RatedAt = 1_700_000_000 + int64(evaluation.Mix(uint64(i))%1_000_000)
			}
		}
		data = data.ordered()
		trainer := Trainer{Config: setsConfig()}
		cut := trainer.split(data, data.Ratings)
		m := matrix(len(data.Customers), len(data.Products), trainer.Config.cells(cut.Train, nil))
		model, err := ials.Fit(t.Context(), m, ials.Config{Dim: 8, Alpha0: 0.1, Lambda: 0.01, Nu: 1, Epochs: 4, Seed: 1,
			Threads: 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
		used := &UsedNear{Neighbours: nearMost, Rarity: 0.5, Scale: 1}
		f := &fitted{model: model, matrix: m}
		f.addNear(used, 2)
		if err := trainer.tuneSimilar(t.Context(), data, f, used, cut.Train, cut.Held); err != nil {
			t.Fatal(err)
		}
		if (used.Similar != nil) != atOnce {
			t.Errorf("sets at once %t: similar products by %+v", atOnce, used.Similar)
		}
		if s := used.Similar; s != nil && (s.Low <= 0 || s.Gain < s.Low || s.Scale <= 0) {
			t.Errorf("neighbours gain %+v", s)
		}
	}
}

// TestTheGateKnowsTheLiveVersionsNeighbours: without them the live version looks worse than it is.
func TestTheGateKnowsTheLiveVersionsNeighbours(t *testing.T) {
	t.Parallel()
	data := mustSets(t, 400, 40)
	whole := data.Ratings
	var before []evaluation.Rating
	for i, r := range whole {
		if i%3 < 2 { // of each set the third is newer
			before = append(before, r)
		}
	}
	data.Ratings = before
	live := mustTrain(t, Trainer{Config: setsConfig()}, data)
	if live.Near == nil {
		t.Fatal("no neighbours were chosen")
	}
	data.Ratings = whole
	figure := func(live *modelversion.Version) float64 {
		v := mustTrain(t, Trainer{Config: setsConfig(), Previous: live}, data)
		if v.Report.Live == nil || v.Report.Live.Rows[1].Name != modelversion.RowLive {
			t.Fatalf("not compared with the live version: %+v", v.Report.Live)
		}
		return v.Report.Live.Rows[1].NDCG10
	}
	without := *live
	without.Near, without.Solver.Neighbours, without.Solver.NearWeight = nil, 0, 0
	if a, b := figure(live), figure(&without); a < 1.1*b {
		t.Errorf("NDCG@10 of the live version is %.3f, without its neighbours %.3f", a, b)
	}
}

// TestVectorsAloneAreAsTheyWere: where validation asks for neither neighbours nor weak likes, the version
// is the one that is made when they are not tried, with its notes.
func TestVectorsAloneAreAsTheyWere(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.05)
	cfg := quick()
	for i := range data.Ratings { // stars below a like say nothing here
		if r := &data.Ratings[i]; r.Stars < cfg.MinStars {
			r.Product = int32(evaluation.Mix(uint64(i)) % uint64(len(data.Products)))
		}
	}
	data.Ratings = onePerPair(data.Ratings)
	cfg.TuneBudget, cfg.Parts, cfg.Lukewarm = 0.05, "", ""
	plain := mustTrain(t, Trainer{Config: cfg}, data)
	cfg.Parts, cfg.Lukewarm = PartsAuto, LukewarmAuto
	tried := mustTrain(t, Trainer{Config: cfg}, data)
	if tried.Near != nil || mustNotes(t, tried).Lukewarm != nil {
		t.Fatal("neighbours were chosen for tastes of few dimensions, or weak likes for noise")
	}
	plain.TrainedAt = tried.TrainedAt
	if diff := gocmp.Diff(plain, tried); diff != "" {
		t.Error(diff)
	}
}

// mustSeedSets makes a shop of sets, in which neighbours help, the lake's current training set.
func mustSeedSets(t *testing.T, lake objectstore.Store, stock int16) {
	t.Helper()
	data := mustSets(t, 160, 50)
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{Customer: trainingset.Text})
	var customers []shop.Customer
	var products []shop.Product
	for _, c := range data.Customers {
		customers = append(customers, shop.Customer{ID: c.ID, Country: c.Country})
	}
	for _, p := range data.Products {
		products = append(products, shop.Product{Code: p.ID, Name: p.Name, Line: p.Line, QuantityInStock: stock})
	}
	err := errors.Join(w.Customers(customers), w.Products(products))
	for _, r := range data.Ratings {
		err = errors.Join(err, w.Rating(trainingset.Rating{Customer: r.Customer, Product: r.Product, Stars: r.Stars,
			RatedAt: 1000 * r.RatedAt}))
	}
	draft, closeErr := w.Close()
	if err = errors.Join(err, closeErr); err != nil {
		t.Fatal(err)
	}
	if _, _, err := commit.NewRepository(lake, envconfig.TrainingSetPrefix).Commit(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
}

// passingConfig is setsConfig with vectors that are long enough for the gate.
func passingConfig() Config {
	cfg := setsConfig()
	cfg.Dim = 24
	return cfg
}

// TestTheNameSaysWhetherThereAreNeighbours: what validation chooses decides the name. Without neighbours
// it is the name, and the version the bytes, of programs that knew none; a run on the same input changes
// nothing, whatever was chosen.
func TestTheNameSaysWhetherThereAreNeighbours(t *testing.T) {
	t.Parallel()
	for _, shop := range []struct {
		name string
		seed func(t *testing.T, lake objectstore.Store)
		near bool
	}{
		{"tastes", func(t *testing.T, lake objectstore.Store) { mustSeed(t, lake, 1) }, false},
		{"sets", func(t *testing.T, lake objectstore.Store) { mustSeedSets(t, lake, 5) }, true},
	} {
		t.Run(shop.name, func(t *testing.T) {
			t.Parallel()
			lake := objectstore.NewFolder(t.TempDir())
			shop.seed(t, lake)
			run := func(artifacts objectstore.Store, parts string) (*Result, commit.Manifest) {
				cfg := passingConfig()
				cfg.Parts = parts
				r, err := Job{Lake: lake, Artifacts: artifacts, Config: cfg, ScratchDir: t.TempDir()}.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				m, err := commit.NewRepository(artifacts, envconfig.ModelPrefix).Current(t.Context())
				if err != nil || m.Run != r.ModelVersion {
					t.Fatalf("%s is current, %v, not %s", m.Run, err, r.ModelVersion)
				}
				return r, m
			}
			once, before := objectstore.NewFolder(t.TempDir()), objectstore.NewFolder(t.TempDir())
			first, made := run(once, PartsAuto)
			again, _ := run(once, PartsAuto)
			if !again.NoOp || again.ModelVersion != first.ModelVersion {
				t.Errorf("the same input once more: %+v, not %s", again, first.ModelVersion)
			}
			old, plain := run(before, "")
			if shop.near != (first.Config.Near != nil) || shop.near == (old.ModelVersion == first.ModelVersion) {
				t.Fatalf("neighbours %+v, version %s; without trying them %s", first.Config.Near, first.ModelVersion,
					old.ModelVersion)
			}
			if !shop.near && plain.ContentHash != made.ContentHash {
				t.Error("without neighbours the files differ from those of earlier programs")
			}
			if up, _ := run(before, PartsAuto); !up.NoOp || up.ModelVersion != old.ModelVersion {
				t.Errorf("an earlier program's version of the same input is not taken: %+v", up)
			}
			chosen, _ := run(once, PartsVectors)
			if chosen.NoOp || chosen.Config.Near != nil || chosen.ModelVersion == first.ModelVersion {
				t.Errorf("vectors on request: %+v", chosen)
			}
			if back, _ := run(once, PartsAuto); !back.NoOp || back.ModelVersion != first.ModelVersion {
				t.Errorf("back to auto: %s, no-op %t, not %s", back.ModelVersion, back.NoOp, first.ModelVersion)
			}
			if err := once.Delete(t.Context(), envconfig.ModelPrefix+"/run="+first.ModelVersion+"/items.parquet"); err != nil {
				t.Fatal(err)
			}
			run(once, PartsVectors) // makes the other one current
			if repaired, m := run(once, PartsAuto); repaired.NoOp || m.ContentHash != made.ContentHash {
				t.Errorf("a version that lost a file: %s, no-op %t, not %s", repaired.ModelVersion, repaired.NoOp,
					first.ModelVersion)
			}
		})
	}
}

// TestNeighboursAreCarriedOver: where only stock has changed, the neighbours stay, and so does the kind
// of the name.
func TestNeighboursAreCarriedOver(t *testing.T) {
	t.Parallel()
	lake, artifacts := objectstore.NewFolder(t.TempDir()), objectstore.NewFolder(t.TempDir())
	run := func(stock int16) (*Result, *modelversion.Version) {
		mustSeedSets(t, lake, stock)
		r, err := Job{Lake: lake, Artifacts: artifacts, Config: passingConfig(), ScratchDir: t.TempDir()}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v, err := modelfile.Read(t.Context(), commit.NewRepository(artifacts, envconfig.ModelPrefix), "", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return r, v
	}
	_, first := run(5)
	carried, second := run(6)
	if carried.NoOp || second.Report.Verdict.CarriedFrom != first.ID || first.Near == nil || !reflect.DeepEqual(first.Near,
		second.Near) {
		t.Errorf("carried over from %q of %s: %+v", second.Report.Verdict.CarriedFrom, first.ID, carried)
	}
	if again, _ := run(6); !again.NoOp || again.ModelVersion != second.ID {
		t.Errorf("once more: %s, no-op %t", again.ModelVersion, again.NoOp)
	}
}

// TestNeighboursThatTakeTooLongAreNotTried: one visitor who has nearly everything costs more pairs of
// products than all of the rest does arithmetic.
func TestNeighboursThatTakeTooLongAreNotTried(t *testing.T) {
	t.Parallel()
	data := mustSets(t, 160, 50).ordered()
	cfg := setsConfig()
	m := matrix(len(data.Customers), len(data.Products), cfg.cells(data.Ratings, nil))
	search := nearSearch{matrix: m, solver: ials.Config{Dim: 8}}
	before, plain := search.cost(160), fitsCost(m, 8, cfg.Epochs)
	const many = 200_000
	wide := &ials.Matrix{Rows: m.Rows + 1, Cols: many, Col: slices.Clone(m.Col), Weight: slices.Repeat([]float32{1},
		len(m.Col)+many),
		Start: append(slices.Clone(m.Start), len(m.Col)+many)}
	for p := range int32(many) {
		wide.Col = append(wide.Col, p)
	}
	search.matrix = wide
	if after, rest := search.cost(160), fitsCost(wide, 8, cfg.Epochs); before > 2*plain || after < 10*rest {
		t.Errorf("neighbours cost %g beside %g, and with the visitor %g beside %g", before, plain, after, rest)
	}
	search.matrix, search.task = m, &evaluation.Task{Products: m.Cols, Cases: make([]evaluation.Case, fewestNear)}
	if used, err := search.search(t.Context()); used != nil || err != nil { // its budget is 0
		t.Errorf("beyond the budget: %+v, %v", used, err)
	}
}
