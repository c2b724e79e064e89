package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/train"
	"kindred/internal/lab/plantedshop"
	"kindred/internal/lab/simulation"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// mustTrainingSet commits a generated shop as the current training set of the lake.
func mustTrainingSet(t *testing.T, lake objectstore.Store, cfg simulation.Config) {
	t.Helper()
	s, err := simulation.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	customers, products := map[string]int32{}, map[string]int32{}
	for i := range s.Customers() {
		customers[s.Customers()[i].ID] = int32(i)
	}
	for i := range s.Products() {
		products[s.Products()[i].Code] = int32(i)
	}
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{})
	err = errors.Join(w.Customers(s.Customers()), w.Products(s.Products()))
	for r := range s.Ratings() {
		err = errors.Join(err, w.Rating(trainingset.Rating{Customer: customers[r.CustomerID],
			Product: products[r.ProductCode],
			Stars:   r.Stars, RatedAt: r.RatedAt.UnixMilli()}))
	}
	draft, closeErr := w.Close()
	if err = errors.Join(err, closeErr); err != nil {
		t.Fatal(err)
	}
	if _, _, err := commit.NewRepository(lake, envconfig.TrainingSetPrefix).Commit(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
}

func TestTrainingSetOnS3BecomesAModelVersion(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	client := awsclient.S3(stack.AWS)
	lake, artifacts := objectstore.NewS3(client, stack.mustBucket(t),
		""), objectstore.NewS3(client, stack.mustBucket(t), "")
	cfg := train.DefaultConfig()
	cfg.TuneBudget = 0.2
	job := train.Job{Planted: plantedshop.Source{}, Lake: lake, Artifacts: artifacts, Config: cfg, ScratchDir: t.TempDir()}
	if _, err := job.Run(t.Context()); !errors.Is(err, train.ErrNoTrainingSet) {
		t.Fatalf("before etl: %v, want ErrNoTrainingSet", err)
	}

	planted := simulation.DefaultConfig(0.1)
	mustTrainingSet(t, lake, planted)
	first, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.NoOp || first.Customers != 200 || first.Interactions == 0 || !first.Report.Verdict.Pass {
		t.Errorf("first run: %+v", first)
	}
	v, err := modelfile.Read(t.Context(), commit.NewRepository(artifacts, envconfig.ModelPrefix), "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if v.ID != first.ModelVersion || v.TrainingRun != first.TrainingRun || int64(len(v.Items)) != first.Items {
		t.Errorf("version %s of run %s with %d items; the run said %+v", v.ID, v.TrainingRun, len(v.Items), first)
	}

	before := objects(t, artifacts)
	second, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !second.NoOp || second.ModelVersion != first.ModelVersion || len(second.Report.Rows) != len(first.Report.Rows) {
		t.Errorf("second run: %+v", second)
	}
	if after := objects(t, artifacts); !equalTimes(before, after) {
		t.Errorf("the second run wrote: before %v, after %v", before, after)
	}

	// The planted truth is part of the report, so it makes another version, with a ceiling.
	truth, err := json.Marshal(planted)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lake.Put(t.Context(), envconfig.PlantedShopKey, bytes.NewReader(truth), int64(len(truth)),
		objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	third, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hasCeiling := slices.ContainsFunc(third.Report.Rows,
		func(r modelversion.Row) bool { return r.Name == modelversion.RowCeiling })
	if third.NoOp || third.ModelVersion == first.ModelVersion || !hasCeiling {
		t.Errorf("with the planted truth: %+v", third)
	}
	later, _, _, err := modelfile.ReadSummary(t.Context(), commit.NewRepository(artifacts, envconfig.ModelPrefix), "",
		t.TempDir())
	if err != nil || later.ID != third.ModelVersion || later.Previous != first.ModelVersion {
		t.Errorf("version %s was compared with %q, want %s (%v)", later.ID, later.Previous, first.ModelVersion, err)
	}
}

func equalTimes(a, b map[string]time.Time) bool {
	for key, at := range a {
		if !b[key].Equal(at) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestTrainSaysWhatItDid(t *testing.T) {
	t.Parallel()
	folder := "file://" + t.TempDir()
	lake, err := objectstore.Open(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (code int, stdout, stderr string) {
		var out, problems bytes.Buffer
		code = program.Run(t.Context(), "train", train.Description, &train.Command{}, args, &out, &problems)
		return code, out.String(), problems.String()
	}
	places := []string{"--lake", folder, "--artifacts", folder, "--tune-budget", "0.1"}
	if code, _, stderr := run(places...); code != 1 || !strings.Contains(stderr, "run etl first") {
		t.Errorf("before etl: exit %d, %s", code, stderr)
	}
	if code, _, stderr := run(append(places, "--min-stars", "7")...); code != 2 || !strings.Contains(stderr, "stars") {
		t.Errorf("seven stars: exit %d, %s", code, stderr)
	}
	mustTrainingSet(t, lake, simulation.DefaultConfig(0.1))
	code, stdout, stderr := run(append(places, "--json")...)
	var result struct {
		ModelVersion string `json:"model_version"`
		NoOp         bool   `json:"no_op"`
		Report       struct{ Rows []map[string]any }
	}
	if err := readResult(stdout, &result); err != nil || code != 0 || result.NoOp ||
		len(result.Report.Rows) < 3 {
		t.Fatalf("train: exit %d, %v, %s%s", code, err, stdout, stderr)
	}
	if row := result.Report.Rows[0]; row["name"] != "model" || row["ndcg@10"] == nil || row["recall@10"] == nil {
		t.Errorf("first row is %v", row)
	}
	if code, stdout, _ := run(places...); code != 0 ||
		!strings.Contains(stdout, result.ModelVersion+" was trained already") {
		t.Errorf("second train: exit %d, %s", code, stdout)
	}
	if code, stdout, _ := run("show", "--artifacts", folder); code != 0 || !strings.Contains(stdout, "popularity") {
		t.Errorf("show: exit %d, %s", code, stdout)
	}
}
