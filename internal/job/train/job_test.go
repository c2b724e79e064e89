package train

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"kindred/internal/lab/plantedshop"
	"kindred/internal/lab/simulation"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelfile"
	"kindred/internal/platform/envconfig"
)

// mustSeed makes a generated shop the lake's current training set, with its planted truth.
func mustSeed(t *testing.T, lake objectstore.Store, seed uint64) {
	t.Helper()
	cfg := simulation.DefaultConfig(0.02)
	cfg.Seed = seed
	s, err := simulation.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := trainingset.NewWriter(t.TempDir())
	err = errors.Join(w.Customers(s.Customers()), w.Products(s.Products()))
	customers, products := map[int32]int32{}, map[string]int32{}
	for i := range s.Customers() {
		customers[s.Customers()[i].Number] = int32(i)
	}
	for i := range s.Products() {
		products[s.Products()[i].Code] = int32(i)
	}
	for r := range s.Ratings() {
		err = errors.Join(err, w.Rating(trainingset.Rating{Customer: customers[r.CustomerNumber],
			Product: products[r.ProductCode],
			Stars:   r.Stars, RatedAt: r.RatedAt.UnixMilli()}))
	}
	draft, closeErr := w.Close()
	truth, jsonErr := json.Marshal(cfg)
	if err = errors.Join(err, closeErr, jsonErr); err != nil {
		t.Fatal(err)
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
