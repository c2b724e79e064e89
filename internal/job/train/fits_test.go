package train

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/fitfile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
)

// mustFitElsewhere fits a part with the solver, as another program would, and gives the products' vectors by
// number.
func mustFitElsewhere(t *testing.T, data *Data, cells []cell, cfg ials.Config) *Named {
	t.Helper()
	m := matrix(len(data.Customers), len(data.Products), cells)
	model, err := ials.Fit(t.Context(), m, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, columns := &Named{Dim: cfg.Dim}, m.Transposed()
	for i := range m.Cols {
		if !columns.Empty(i) {
			n.IDs, n.Values = append(n.IDs, strconv.Itoa(i)), append(n.Values, model.Item(i)...)
		}
	}
	return n
}

// vectorsAlone is quick without neighbours, which another program does not fit.
func vectorsAlone() Config {
	cfg := quick()
	cfg.Parts, cfg.Lukewarm = PartsVectors, LukewarmNone
	return cfg
}

// TestFitsOfAnotherProgramAreMeasuredAsOurOwn: if another program fits the exported parts as train does,
// the report has train's figures, in every part, and the verdict is as certain. Vectors that knew what is
// held out would reach 0.1 more. Train's own fits take one more half-step, if a product has no likes.
func TestFitsOfAnotherProgramAreMeasuredAsOurOwn(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.1)
	until := data.Ratings[len(data.Ratings)/2].RatedAt
	old := *data
	old.Ratings = slices.DeleteFunc(slices.Clone(data.Ratings), func(r evaluation.Rating) bool {
		return r.RatedAt > until
	})
	live := mustTrain(t, Trainer{Config: vectorsAlone()}, &old)
	own := mustTrain(t, Trainer{Config: vectorsAlone(), Previous: live}, data)
	var notes Notes
	if err := json.Unmarshal(own.Training, &notes); err != nil {
		t.Fatal(err)
	}
	used := ials.Config{Dim: notes.Used.Dim, Alpha0: notes.Used.Alpha0, Lambda: notes.Used.Lambda, Nu: notes.Used.Nu,
		Epochs: notes.Used.Epochs, Seed: 1, Threads: 1}
	exporter := Trainer{Config: vectorsAlone(), Previous: live}
	ordered, err := exporter.prepare(data)
	if err != nil {
		t.Fatal(err)
	}
	cells := map[part][]cell{}
	parts, questions := exporter.exported(ordered)
	for name, part := range parts {
		cells[name] = part
	}
	if len(cells) != 5 || len(questions.Cases) == 0 {
		t.Fatalf("%d parts and %d questions were exported", len(cells), len(questions.Cases))
	}
	asked := map[string]int{}
	fits := &Fits{Rows: rowsHash(ordered), Read: func(_ context.Context, name string) (*Named, error) {
		asked[name]++
		return mustFitElsewhere(t, ordered, cells[part(name)], used), nil
	}}
	other := mustTrain(t, Trainer{Config: vectorsAlone(), Previous: live, Given: &Given{Fits: fits}}, data)
	if len(asked) != 5 {
		t.Errorf("the parts %v were asked for", asked)
	}
	near := func(what string, a, b float64) {
		if math.Abs(a-b) > 0.01 {
			t.Errorf("%s: NDCG@10 %.5f, train's own %.5f", what, a, b)
		}
	}
	near("report", other.Report.Own().NDCG10, own.Report.Own().NDCG10)
	near("new products", other.Report.ColdStart.Rows[0].NDCG10, own.Report.ColdStart.Rows[0].NDCG10)
	near("beside the live version", other.Report.Live.Rows[0].NDCG10, own.Report.Live.Rows[0].NDCG10)
	a, b := other.Report.Verdict, own.Report.Verdict
	if a.Decision() != b.Decision() || a.Decision() != modelversion.OutcomePassed || len(a.Reasons) != len(b.Reasons) {
		t.Errorf("verdict %v %v, train's own %v %v", a.Decision(), a.Reasons, b.Decision(), b.Reasons)
	}
	fits.Rows = "another order"
	if _, err := (&Trainer{Config: vectorsAlone(), Given: &Given{Fits: fits}}).Train(t.Context(), data); err == nil ||
		!strings.Contains(err.Error(), "run train export again") {
		t.Errorf("another order of rows: %v", err)
	}
}

// TestExportAndImport goes the way of the launcher on Spark: what is exported, what is refused, and that one
// version is made of an export, whatever happens twice.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := objectstore.NewFolder(folder)
	mustSeed(t, store, 1)
	run := func(words ...string) (code int, r struct {
		NoOp   bool `json:"no_op"`
		Result struct {
			Exported
			Config Notes
			Report modelversion.Report
		}
	}, stderr string) {
		t.Helper()
		code, stdout, stderr := runTrain(t, append(words, "--json", "--lake", "file://"+folder, "--artifacts",
			"file://"+folder, "--tune-budget", "1", "--scratch-dir", t.TempDir())...)
		if code == 0 {
			if err := json.Unmarshal([]byte(stdout), &r); err != nil {
				t.Fatal(err)
			}
		}
		return code, r, stderr
	}
	export := []string{"export", "--method", "a solver"}
	code, exported, stderr := run(export...)
	id := exported.Result.ModelVersion
	// no version before
	if code != 0 || exported.NoOp || len(exported.Result.Files) != 5 || exported.Result.Attempt != "" {
		t.Fatalf("export: exit %d, %+v, %s", code, exported, stderr)
	}
	if _, other, _ := run("export", "--method", "another solver"); other.Result.ModelVersion == id {
		t.Error("two methods make the same version")
	}
	importing := []string{"import", "--export", id, "--attempt", "first", "--name", "a solver, tuned"}
	for _, test := range [][]string{
		{"is not whole", "1"}, {"want --items, or --export", "2", "--items", "x.csv"},
		{"--learned-until", "2", "--learned-until", "2026-01-01"},
	} {
		code, _, stderr := run(append(importing, test[2:]...)...)
		if strconv.Itoa(code) != test[1] || !strings.Contains(stderr, test[0]) {
			t.Errorf("import %v: exit %d, %s", test[2:], code, stderr)
		}
	}
	for _, attempt := range []string{"first", "second"} {
		mustAttempt(t, store, id, attempt)
	}
	if code, _, stderr := run(append(importing, "--min-stars", "5")...); code != 1 || !strings.Contains(stderr,
		"the flags of train export") {
		t.Errorf("other flags: exit %d, %s", code, stderr)
	}
	_, again, _ := run(append(export, "--dim", "2")...) // which is for the estimate alone
	if again.NoOp || again.Result.Attempt != "first" {
		t.Errorf("export after an import that failed: %+v", again)
	}
	code, imported, stderr := run(importing...)
	if notes := imported.Result.Config; code != 0 || imported.NoOp || imported.Result.ModelVersion != id ||
		notes.Import == nil ||
		notes.Import.Name != "a solver, tuned" || notes.Used.Dim != 24 {
		t.Fatalf("import: exit %d, %+v, %s", code, imported, stderr)
	}
	if v := imported.Result.Report.Verdict; v.Decision() != modelversion.OutcomePassed ||
		strings.Contains(strings.Join(v.Reasons, " "), "too high") {
		t.Errorf("the verdict is %+v", v)
	}
	for _, words := range [][]string{export, importing, {"import", "--export", id, "--attempt", "second"}} {
		if code, r, stderr := run(words...); code != 0 || !r.NoOp || r.Result.ModelVersion != id {
			t.Errorf("%v once more: exit %d, %+v, %s", words, code, r, stderr)
		}
	}
	mustSeed(t, store, 2)
	if code, _, stderr := run(importing...); code != 1 || !strings.Contains(stderr, "run train export again") {
		t.Errorf("after another etl: exit %d, %s", code, stderr)
	}
	_, next, _ := run(export...)
	if next.NoOp || next.Result.ModelVersion == id || next.Result.Files[string(partComparison)] == nil {
		t.Errorf("export of another set: %+v", next)
	}
}

// TestExportAsksForTheMemoryOfTheImport: before it writes anything.
func TestExportAsksForTheMemoryOfTheImport(t *testing.T) {
	t.Parallel()
	lake, artifacts := t.TempDir(), t.TempDir()
	mustSeed(t, objectstore.NewFolder(lake), 1)
	const enough = "20000000"
	for _, test := range []struct {
		code    int
		problem string
		args    []string
	}{{3, "train import would need up to", []string{"--memory", "1000000"}},
		{3, "at dimension 1024", []string{"--memory", enough, "--dim", "1024"}},
		{2, "--dim is 1,", []string{"--dim", "1"}}, {0, "", []string{"--memory", enough, "--dim", "24"}}} {
		if left, err := os.ReadDir(artifacts); err != nil || len(left) > 0 {
			t.Fatalf("before %v there is %v, %v", test.args, left, err)
		}
		code, _, stderr := runTrain(t, append([]string{"export", "--method", "a solver", "--lake", "file://" + lake,
			"--artifacts", "file://" + artifacts, "--threads", "2"}, test.args...)...)
		if code != test.code || !strings.Contains(stderr, test.problem) {
			t.Errorf("export %v: exit %d, %s", test.args, code, stderr)
		}
	}
}

// TestOldExportsAreDeleted: by the next export, whether they were imported or not. The same is exported again
// afterwards.
func TestOldExportsAreDeleted(t *testing.T) {
	t.Parallel()
	lake, artifacts := t.TempDir(), t.TempDir()
	export := func(method string) string {
		t.Helper()
		code, stdout, stderr := runTrain(t, "export", "--json", "--method", method, "--lake", "file://"+lake, "--artifacts",
			"file://"+artifacts)
		var r struct{ Result Exported }
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 || r.Result.Attempt != "" {
			t.Fatalf("export: exit %d, %v, %s%s", code, err, stdout, stderr)
		}
		return r.Result.ModelVersion
	}
	runs := func() (names []string) {
		found, err := filepath.Glob(filepath.Join(artifacts, "fits", "run=*", "*", "part-00000.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			names = append(names, strings.TrimPrefix(filepath.Base(filepath.Dir(filepath.Dir(file))), "run="))
		}
		return slices.Compact(names)
	}
	mustSeed(t, objectstore.NewFolder(lake), 1)
	old := export("old")
	at := time.Now().Add(-(envconfig.FitsDays*24 + 1) * time.Hour)
	if err := os.Chtimes(filepath.Join(artifacts, "fits", "run="+old, "manifest.json"), at, at); err != nil {
		t.Fatal(err)
	}
	if err := fitfile.Repository(objectstore.NewFolder(artifacts)).PutRecord(t.Context(), old, "attempt",
		[]byte("one")); err != nil {
		t.Fatal(err)
	}
	if young := export("young"); !slices.Equal(runs(), []string{young}) {
		t.Errorf("exports %v, want %s", runs(), young)
	}
	if again := export("old"); again != old || len(runs()) != 2 {
		t.Errorf("exported %s again, want %s, among %v", again, old, runs())
	}
}

// stopping is a store whose Put fails for keys with this text.
type stopping struct {
	objectstore.Store
	at string
}

var errStopped = errors.New("stopped")

func (s stopping) Put(ctx context.Context, key string, body io.ReadSeeker, size int64,
	cond objectstore.Condition) (objectstore.Info, error) {
	if strings.Contains(key, s.at) {
		return objectstore.Info{}, errStopped
	}
	return s.Store.Put(ctx, key, body, size, cond)
}

// TestExportMakesPopularityWhereTrainWould: without likes, after an import that died before popularity was
// there, and where a refusal is carried over. It does so once.
func TestExportMakesPopularityWhereTrainWould(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	job := func() Job {
		return Job{Lake: store, Artifacts: store, Config: vectorsAlone(), ScratchDir: t.TempDir(),
			Given: &Given{Fits: &Fits{Method: "a solver"}}}
	}
	mustSettle := func(what string) *Result {
		t.Helper()
		var results [2]*Result
		for i := range results {
			exported, settled, err := job().Export(t.Context())
			if err != nil || exported != nil || settled == nil || settled.NoOp != (i > 0) {
				t.Fatalf("%s, export %d: exported %+v, settled %+v, %v", what, i, exported, settled, err)
			}
			results[i] = settled
		}
		current, err := modelfile.Read(t.Context(), commit.NewRepository(store, envconfig.ModelPrefix), "", t.TempDir())
		if err != nil || current.ID != results[0].ModelVersion || current.ID != results[1].ModelVersion ||
			!current.Report.Verdict.Popularity {
			t.Fatalf("%s: current is %+v, %v", what, current, err)
		}
		return results[0]
	}
	mustSeedNoise(t, store, 1, func(*rand.Rand) int8 { return 2 })
	if r := mustSettle("nobody likes anything"); r.Refused != nil {
		t.Errorf("without likes: %+v", r)
	}

	store = objectstore.NewFolder(t.TempDir()) // a shop without a version before
	mustSeedNoise(t, store, 1, anyStars)
	exported, settled, err := job().Export(t.Context())
	if err != nil || settled != nil {
		t.Fatalf("a shop of noise: settled %+v, %v", settled, err)
	}
	mustAttempt(t, store, exported.ModelVersion, "one")
	importing := job()
	_, _, names, err := importing.identify(t.Context(), commit.NewRepository(store, envconfig.ModelPrefix))
	if err != nil {
		t.Fatal(err)
	}
	if importing.Given.Fits, err = importing.fitsOf(t.Context(), exported.ModelVersion, "one"); err != nil {
		t.Fatal(err)
	}
	importing.Artifacts = stopping{store, standInID(names[0].Input, names[0].ID)}
	if _, err := importing.Run(t.Context()); !errors.Is(err, errStopped) {
		t.Fatalf("the import did not die before popularity was there: %v", err)
	}
	if r := mustSettle("the import died"); r.Refused == nil || r.Refused.ModelVersion != exported.ModelVersion {
		t.Errorf("after the import died: %+v", r)
	}

	mustSeedNoiseStock(t, store, 1, 6, anyStars)
	if r := mustSettle("a refusal is carried over"); r.Refused == nil ||
		r.Refused.Report.Verdict.CarriedFrom != exported.ModelVersion {
		t.Errorf("carried over: %+v", r)
	}
}

// mustAttempt fits an export's parts, as they are in memory, and puts the vectors where they belong.
func mustAttempt(t *testing.T, store objectstore.Store, run, attempt string) {
	t.Helper()
	job := Job{Lake: store, Artifacts: store, Config: DefaultConfig()}
	from, err := job.sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in, err := job.read(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	trainer := Trainer{Config: job.Config}
	data, err := trainer.prepare(in.Data)
	if err != nil {
		t.Fatal(err)
	}
	parts, _ := trainer.exported(data)
	for name, cells := range parts {
		vectors := mustFitElsewhere(t, data, cells, ials.Config{Dim: 24, Alpha0: 1.2, Lambda: 0.025, Nu: nu, Seed: 1,
			Epochs: 6, Threads: 1})
		key := path.Join("fits", "run="+run, "attempt="+attempt, string(name), fitfile.Products)
		for file, content := range map[string]string{"part-00000.csv": csvOf(t, *vectors), "_SUCCESS": ""} {
			_, err := store.Put(t.Context(), path.Join(key, file), strings.NewReader(content), int64(len(content)),
				objectstore.Condition{})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
