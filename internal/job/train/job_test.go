package train

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kindred/internal/lab/plantedshop"
	"kindred/internal/lab/simulation"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop"
)

// mustSeed makes a generated shop the lake's current training set, with its planted truth.
func mustSeed(t *testing.T, lake objectstore.Store, seed uint64) {
	t.Helper()
	mustSeedStock(t, lake, seed, func(p *shop.Product) {})
}

// mustSeedStock is mustSeed with changed products.
func mustSeedStock(t *testing.T, lake objectstore.Store, seed uint64, change func(p *shop.Product)) {
	t.Helper()
	mustSeedShop(t, lake, seed, "", change)
}

// mustSeedShop is mustSeedStock of a shop that has a name.
func mustSeedShop(t *testing.T, lake objectstore.Store, seed uint64, name string, change func(p *shop.Product)) {
	t.Helper()
	cfg := simulation.DefaultConfig(0.05) // large enough for a model that passes
	cfg.Seed = seed
	s, err := simulation.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{})
	stock := slices.Clone(s.Products())
	for i := range stock {
		change(&stock[i])
	}
	err = errors.Join(w.Customers(s.Customers()), w.Products(stock))
	customers, products := map[string]int32{}, map[string]int32{}
	for i := range s.Customers() {
		customers[s.Customers()[i].ID] = int32(i)
	}
	for i := range s.Products() {
		products[s.Products()[i].Code] = int32(i)
	}
	for r := range s.Ratings() {
		err = errors.Join(err, w.Rating(trainingset.Rating{Customer: customers[r.CustomerID],
			Product: products[r.ProductCode],
			Stars:   r.Stars, RatedAt: r.RatedAt.UnixMilli()}))
	}
	draft, closeErr := w.Close()
	truth, jsonErr := json.Marshal(cfg)
	if err = errors.Join(err, closeErr, jsonErr); err != nil {
		t.Fatal(err)
	}
	if name != "" {
		draft.Details = map[string]string{"shop": name}
	}
	if _, _, err := commit.NewRepository(lake, envconfig.TrainingSetPrefix).Commit(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
	_, err = lake.Put(t.Context(), envconfig.PlantedShopKey, strings.NewReader(string(truth)), int64(len(truth)),
		objectstore.Condition{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAShopThatComesBackNeedsNoSecondTraining(t *testing.T) {
	t.Parallel()
	lake, artifacts := objectstore.NewFolder(t.TempDir()), objectstore.NewFolder(t.TempDir())
	models := commit.NewRepository(artifacts, envconfig.ModelPrefix)
	run := func(seed uint64) (r *Result, trained bool) {
		t.Helper()
		mustSeed(t, lake, seed)
		job := Job{Planted: plantedshop.Source{}, Lake: lake, Artifacts: artifacts, Config: quick(), ScratchDir: t.TempDir(),
			Progress: func(string, int64, int64) { trained = true }}
		r, err := job.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		current, err := models.Current(t.Context())
		if err != nil || current.Run != r.ModelVersion || r.NoOp == trained {
			t.Errorf("seed %d: version %s, current %s, error %v, trained %v, no-op %v", seed, r.ModelVersion, current.Run, err,
				trained, r.NoOp)
		}
		return r, trained
	}
	a, _ := run(1)
	b, _ := run(2)
	back, trained := run(1)
	if trained || back.ModelVersion != a.ModelVersion || b.ModelVersion == a.ModelVersion {
		t.Errorf("back to the first shop: trained %v, version %s, want %s", trained, back.ModelVersion, a.ModelVersion)
	}

	// A version that lost a file since is trained again, which puts the file back.
	lost := envconfig.ModelPrefix + "/run=" + b.ModelVersion + "/items.parquet"
	if err := artifacts.Delete(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if _, trained := run(2); !trained {
		t.Error("a version without its items was taken for whole")
	}
	if _, err := modelfile.Read(t.Context(), models, b.ModelVersion, t.TempDir()); err != nil {
		t.Errorf("after training again: %v", err)
	}
}

// TestArtifactsHoldOneShop: another shop's set is refused by both names, nothing is trained, and with
// ReplaceShop its version is compared with none of the other shop's, then and later.
func TestArtifactsHoldOneShop(t *testing.T) {
	t.Parallel()
	lakes := map[string]objectstore.Store{}
	artifacts := objectstore.NewFolder(t.TempDir())
	models := commit.NewRepository(artifacts, envconfig.ModelPrefix)
	run := func(shopName string, seed uint64, replace bool) (*Result, error) {
		t.Helper()
		if lakes[shopName] == nil {
			lakes[shopName] = objectstore.NewFolder(t.TempDir())
		}
		mustSeedShop(t, lakes[shopName], seed, shopName, func(*shop.Product) {})
		return Job{Lake: lakes[shopName], Artifacts: artifacts, Config: quick(), ScratchDir: t.TempDir(),
			ReplaceShop: replace}.Run(t.Context())
	}
	first, err := run("one", 1, false)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := modelfile.Read(t.Context(), models, "", t.TempDir()); err != nil || v.Shop != "one" {
		t.Fatalf("the version is of the shop %v, %v", v, err)
	}
	_, err = run("two", 2, false)
	if !errors.Is(err, ErrOtherShop) || !strings.Contains(err.Error(), "shop one") || !strings.Contains(err.Error(),
		"shop two") {
		t.Fatalf("another shop: %v", err)
	}
	if now, err := models.Current(t.Context()); err != nil || now.Run != first.ModelVersion {
		t.Fatalf("after the refusal %s is current, %v", now.Run, err)
	}
	if _, err := run("two", 2, true); err != nil {
		t.Fatal(err)
	}
	if _, err := run("two", 3, false); err != nil {
		t.Fatalf("the night after: %v", err)
	}
	v, _, _, err := modelfile.ReadSummary(t.Context(), models, "", t.TempDir())
	if err != nil || v.Shop != "two" || v.Previous == first.ModelVersion {
		t.Errorf("of the shop %s, compared with %s, %v", v.Shop, v.Previous, err)
	}
}

// TestStockAndNamesNeedNoTraining: what training does not read makes a version with the factors and
// the verdict of the one before.
func TestStockAndNamesNeedNoTraining(t *testing.T) {
	t.Parallel()
	lake, artifacts := objectstore.NewFolder(t.TempDir()), objectstore.NewFolder(t.TempDir())
	models := commit.NewRepository(artifacts, envconfig.ModelPrefix)
	run := func(change func(p *shop.Product)) (*modelversion.Version, *Result, bool) {
		t.Helper()
		mustSeedStock(t, lake, 1, change)
		trained := false
		r, err := Job{Lake: lake, Artifacts: artifacts, Config: quick(), ScratchDir: t.TempDir(),
			Progress: func(string, int64, int64) { trained = true }}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v, err := modelfile.Read(t.Context(), models, "", t.TempDir())
		if err != nil || v.ID != r.ModelVersion {
			t.Fatalf("current is %v, %v, want %s", v, err, r.ModelVersion)
		}
		return v, r, trained
	}
	sold := func(p *shop.Product) { p.QuantityInStock, p.Name = 7, "Renamed "+p.Code }
	first, _, _ := run(func(*shop.Product) {})
	second, result, trained := run(sold)
	if trained || second.ID == first.ID || result.NoOp || second.Report.Verdict.CarriedFrom != first.ID {
		t.Errorf("trained %t, %+v", trained, result)
	}
	if second.Items[3].QuantityInStock != 7 || second.Items[3].Name != "Renamed "+second.Items[3].Code {
		t.Errorf("product is %+v", second.Items[3])
	}
	for i := range first.Items {
		first.Items[i].Name, first.Items[i].QuantityInStock = second.Items[i].Name, 7
	}
	want := *first
	want.ID, want.Input, want.TrainingRun, want.TrainedAt = second.ID, second.Input, second.TrainingRun, second.TrainedAt
	want.Report.Verdict.CarriedFrom = first.ID
	if !reflect.DeepEqual(&want, second) {
		t.Error("more than names and stock differs")
	}
	if _, again, trained := run(sold); trained || !again.NoOp || again.ModelVersion != second.ID {
		t.Errorf("the same once more: trained %t, %+v", trained, again)
	}
	third, _, trained := run(func(p *shop.Product) { p.QuantityInStock = 8 })
	if trained || third.Report.Verdict.CarriedFrom != first.ID {
		t.Errorf("a third stock: trained %t, carried from %s, want %s", trained, third.Report.Verdict.CarriedFrom, first.ID)
	}
	if _, _, trained := run(func(p *shop.Product) { p.MSRP *= 3 }); !trained {
		t.Error("other prices, which training reads, were not trained on")
	}
	lost := envconfig.ModelPrefix + "/run=" + second.ID + "/items.parquet"
	if err := artifacts.Delete(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if back, _, trained := run(sold); trained || back.ID != second.ID {
		t.Errorf("a carried version that lost a file: trained %t, version %s, want %s", trained, back.ID, second.ID)
	}
}

// TestYesterdaysVersionsAreRead continues from what commit 5ebc858 wrote: testdata/5ebc858 is the
// second of two versions of a generated shop, with 8 components.
func TestYesterdaysVersionsAreRead(t *testing.T) {
	t.Parallel()
	const before = "m3f4fa1281f47452"
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/5ebc858")); err != nil {
		t.Fatal(err)
	}
	lake, artifacts := objectstore.NewFolder(t.TempDir()), objectstore.NewFolder(folder)
	models := commit.NewRepository(artifacts, envconfig.ModelPrefix)
	old, err := modelfile.Read(t.Context(), models, "", t.TempDir())
	if err != nil || old.ID != before || old.Report.Verdict.Decision() != modelversion.OutcomeRefused ||
		len(old.Report.Verdict.Reasons) != 4 || old.Learned != "" {
		t.Fatalf("read %+v, %v", old, err)
	}
	if shown := (&Result{ModelVersion: old.ID, Report: old.Report}).table(); !strings.Contains(shown, "refuses") {
		t.Errorf("its report is %s", shown)
	}
	mustSeed(t, lake, 2)
	job := Job{Planted: plantedshop.Source{}, Lake: lake, Artifacts: artifacts, Config: quick(), ScratchDir: t.TempDir()}
	r, err := job.Run(t.Context())
	if err != nil || r.NoOp || r.ModelVersion == before {
		t.Fatalf("training after it: %+v, %v", r, err)
	}
	if current, err := models.Current(t.Context()); err != nil || current.Parent != before {
		t.Errorf("the new version's parent is %s, %v", current.Parent, err)
	}
}
