package modelfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/golden"
)

func version() *modelversion.Version {
	return &modelversion.Version{
		ID: "m0123456789abcde", TrainingRun: "run1", Input: "ab12", Learned: "cd34", Previous: "m0123456789abcdd",
		TrainerVersion: "7",
		TrainedAt:      time.Now(),
		Items: []modelversion.Item{
			{Code: "S10", Name: "Ford", Line: "Cars", QuantityInStock: 12, Positives: 3, Origin: modelversion.OriginTrained,
				Vector: []float32{1, 2}},
			{Code: "S9", Name: "Été", Line: "Planes", QuantityInStock: -1, Origin: modelversion.OriginFeatures,
				Vector: []float32{0.5, -1}},
		},
		Customers: []modelversion.Customer{
			{ID: "7", Origin: modelversion.OriginTrained, Vector: []float32{0.1, 0.2}, Rated: []string{"S10", "S9"}},
			{ID: "8", Origin: modelversion.OriginFeatures, Vector: []float32{0, 0}},
		},
		Solver: modelversion.Solver{Dim: 2, Alpha0: 0.1, Lambda: 0.01, Nu: 1, ViewWeight: 1, CartWeight: 3, Items: 2,
			Gram: []float32{1.25, 1.5, 1.5, 5}},
		Encoder: modelversion.Encoder{Bias: []float32{0, 1}, Weights: map[string][]float32{"country=France": {1, 0}},
			CreditEdges: []float64{100.5}},
		Report: modelversion.Report{Split: "time", TestCustomers: 2, TestPositives: 3,
			Rows: []modelversion.Row{{Name: "model", NDCG10: 0.5, MRR: 0.4}},
			Live: &modelversion.Part{What: "newer", Customers: 2, Rows: []modelversion.Row{{Name: "live", NDCG20: 0.3}}},
			Ties: 0.25,
			Verdict: modelversion.Verdict{Outcome: modelversion.OutcomeUncompared, CarriedFrom: "m0123456789abcdc",
				Missing: []modelversion.Comparison{modelversion.WithLive}, Reasons: []string{"good"}}},
		Training: json.RawMessage(`{"config":{"dim":2}}`),
	}
}

func repository(t *testing.T) *commit.Repository {
	t.Helper()
	return commit.NewRepository(objectstore.NewFolder(t.TempDir()), "model")
}

func TestWriteThenRead(t *testing.T) {
	t.Parallel()
	repo, want := repository(t), version()
	if changed, err := modelfile.Write(t.Context(), repo, want, t.TempDir()); err != nil || !changed {
		t.Fatalf("first write: changed %t, %v", changed, err)
	}
	want.TrainedAt = want.TrainedAt.Add(time.Hour) // a later training of the same model is the same model
	if changed, err := modelfile.Write(t.Context(), repo, want, t.TempDir()); err != nil || changed {
		t.Fatalf("second write of the same: changed %t, %v", changed, err)
	}
	for _, id := range []string{"", want.ID} {
		got, err := modelfile.Read(t.Context(), repo, id, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(),
			cmpopts.IgnoreFields(modelversion.Version{}, "TrainedAt")); diff != "" {
			t.Errorf("read %q differs:\n%s", id, diff)
		}
		if age := time.Since(got.TrainedAt); age < 0 || age > time.Minute {
			t.Errorf("trained at %v", got.TrainedAt)
		}
	}
	got, items, customers, err := modelfile.ReadSummary(t.Context(), repo, "", t.TempDir())
	if err != nil || items != 2 || customers != 2 || got.ID != want.ID || got.Report.Rows[0].NDCG10 != 0.5 ||
		got.Solver.Alpha0 != 0.1 {
		t.Errorf("summary is %+v with %d items, %d customers, %v", got, items, customers, err)
	}
}

func TestReadBeforeAnythingIsCommitted(t *testing.T) {
	t.Parallel()
	if _, err := modelfile.Read(t.Context(), repository(t), "", t.TempDir()); !errors.Is(err, commit.ErrNoCurrent) {
		t.Errorf("got %v, want ErrNoCurrent", err)
	}
}

func TestReadRefusesAnotherKind(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	if _, _, err := repo.Commit(t.Context(), commit.Draft{Kind: "training-set", Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if _, err := modelfile.Read(t.Context(), repo, "", t.TempDir()); !errors.Is(err, modelfile.ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
}

func TestFaultyVersionsAreNotWritten(t *testing.T) {
	t.Parallel()
	repo, v := repository(t), version()
	v.Solver.Gram[0] = 1.3
	if _, err := modelfile.Write(t.Context(), repo, v, t.TempDir()); !errors.Is(err, modelversion.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if _, err := repo.Current(t.Context()); !errors.Is(err, commit.ErrNoCurrent) {
		t.Errorf("something was committed: %v", err)
	}
}

// TestReadRefusesAnotherModelsGram commits what a faulty writer might: files that are whole, each,
// but do not belong together.
func TestReadRefusesAnotherModelsGram(t *testing.T) {
	t.Parallel()
	repo, dir := repository(t), t.TempDir()
	if _, err := modelfile.Write(t.Context(), repo, version(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	draft := commit.Draft{Kind: m.Kind, Run: "m0123456789abcdf", SchemaFingerprint: m.SchemaFingerprint, Dir: dir}
	for _, f := range m.Files {
		name := filepath.Join(dir, f.Path)
		if err := repo.Fetch(t.Context(), m, f, name); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch f.Path {
		case "gram.f32":
			data = make([]byte, len(data))
		case "version.json":
			data = bytes.ReplaceAll(data, []byte(m.Run), []byte(draft.Run))
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		draft.Files = append(draft.Files, commit.File{Path: f.Path, DataSet: f.DataSet, Rows: f.Rows})
	}
	if _, _, err := repo.Commit(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
	_, err = modelfile.Read(t.Context(), repo, "", t.TempDir())
	if !errors.Is(err, modelversion.ErrInvalid) || !strings.Contains(err.Error(), "Gram") {
		t.Errorf("got %v, want ErrInvalid that names the Gram matrix", err)
	}
}

func TestAncestorsGoBackInTime(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	ancestors := func(limit int) (all []modelfile.Ancestor) {
		t.Helper()
		for a, err := range modelfile.Ancestors(t.Context(), repo, limit) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, a)
		}
		return all
	}
	if got := ancestors(9); got != nil {
		t.Errorf("before any version: %v", got)
	}
	var want []modelfile.Ancestor
	for i, id := range []string{"m0123456789abcd0", "m0123456789abcd1", "m0123456789abcd2"} {
		v := version()
		v.ID, v.Input = id, strings.Repeat("f", i+1)
		if _, err := modelfile.Write(t.Context(), repo, v, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		want = append([]modelfile.Ancestor{{ID: id, Input: v.Input, Learned: v.Learned}}, want...)
	}
	if diff := cmp.Diff(want, ancestors(9)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[:2], ancestors(2)); diff != "" {
		t.Error(diff)
	}
}

// TestRulesForWhatWasBoughtAreKept: a version with rules has two files more, which hold the times; one
// without has the files that it always had. The shop's name is in no file.
func TestRulesForWhatWasBoughtAreKept(t *testing.T) {
	t.Parallel()
	plain, want := version(), version()
	want.Shop = "books"
	want.Repeats = &modelversion.Repeats{Rule: 30 * 24 * 3600,
		Categories: map[string]modelversion.Repeat{"Planes": modelversion.RepeatShow}}
	want.Items[0].Repeat, want.Items[1].Repeat = want.Repeats.Rule, modelversion.RepeatShow
	want.Customers[0].Last, want.Customers[0].Count = []int64{1_770_000_000, 0}, []int32{2, 1}
	hashes := map[string]string{}
	for _, v := range []*modelversion.Version{plain, want} {
		repo := repository(t)
		if _, err := modelfile.Write(t.Context(), repo, v, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		m, err := repo.Current(t.Context())
		if err != nil || len(m.Files) != 7+2*len(v.Shop)/len("books") {
			t.Fatalf("%d files, %v", len(m.Files), err)
		}
		for _, f := range m.Files {
			if before, both := hashes[f.Path]; both && before != f.SHA256 {
				t.Errorf("%s is another file", f.Path)
			}
			hashes[f.Path] = f.SHA256
		}
		got, err := modelfile.Read(t.Context(), repo, "", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(modelversion.Version{},
			"TrainedAt")); diff != "" {
			t.Error(diff)
		}
	}
	want.Customers[0].Last = nil
	if _, err := modelfile.Write(t.Context(), repository(t), want, t.TempDir()); !errors.Is(err, modelversion.ErrInvalid) {
		t.Errorf("a version that lost its times: %v", err)
	}
}

// withNeighbours is a version whose first product and second customer have a neighbour.
func withNeighbours() *modelversion.Version {
	v := version()
	v.Solver.Neighbours, v.Solver.NearWeight, v.Solver.SimilarWeight = 100, 0.5, 0.2
	v.Near = &modelversion.Near{Items: [][]modelversion.Neighbour{{{Item: 1, Weight: 0.25}}, nil},
		Customers: [][]modelversion.Neighbour{nil, {{Item: 0, Weight: 0.125}, {Item: 1, Weight: 2}}}}
	return v
}

// withClicks is a version of sessions, without customers.
func withClicks() *modelversion.Version {
	v := withNeighbours()
	v.Customers, v.Near.Customers = nil, nil
	v.Solver.SimilarWeight = 0
	v.Solver.Clicks = &modelversion.Clicks{Recency: 0.7, Fading: 0.5, Again: 0.2, Memory: 0.85, Last: -1}
	return v
}

// TestNeighboursAreKept: a version with neighbours has two files more and a format that earlier
// programs refuse, because they would leave the neighbours out. Its other files of rows are those of
// the version without.
func TestNeighboursAreKept(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, of := range []struct {
		v      *modelversion.Version
		format string
		files  int
	}{{version(), "model-version-1", 7}, {withNeighbours(), "model-version-3", 9}} {
		repo := repository(t)
		if _, err := modelfile.Write(t.Context(), repo, of.v, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		m, err := repo.Current(t.Context())
		if err != nil || len(m.Files) != of.files || m.SchemaFingerprint != of.format {
			t.Fatalf("%d files of %s, %v", len(m.Files), m.SchemaFingerprint, err)
		}
		for _, f := range m.Files {
			if before, both := files[f.Path]; both && before != f.SHA256 && strings.HasSuffix(f.Path, ".parquet") {
				t.Errorf("%s is another file", f.Path)
			}
			files[f.Path] = f.SHA256
		}
		got, err := modelfile.Read(t.Context(), repo, "", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(of.v, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(modelversion.Version{},
			"TrainedAt")); diff != "" {
			t.Error(diff)
		}
	}
	text := withNeighbours()
	text.Customers[1].ID = "x"
	text.Solver.SimilarWeight = 0 // as in versions of commit dca65ef
	repo := repository(t)
	if _, err := modelfile.Write(t.Context(), repo, text, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if m, err := repo.Current(t.Context()); err != nil || m.SchemaFingerprint != "model-version-4" {
		t.Errorf("ids that are text have %s, %v", m.SchemaFingerprint, err)
	}
	if got, err := modelfile.Read(t.Context(), repo, "", t.TempDir()); err != nil || len(got.Near.Customers[1]) != 2 ||
		got.Solver.SimilarWeight != 0 {
		t.Errorf("ids that are text: %v", err)
	}
}

// TestClicksAreKept: a version that reads the order of clicks has a format that earlier programs refuse.
func TestClicksAreKept(t *testing.T) {
	t.Parallel()
	text := withNeighbours()
	text.Customers[1].ID = "x"
	text.Solver.Clicks = &modelversion.Clicks{Last: 0.5}
	for format, want := range map[string]*modelversion.Version{"model-version-5": withClicks(), "model-version-6": text} {
		repo := repository(t)
		if _, err := modelfile.Write(t.Context(), repo, want, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		if m, err := repo.Current(t.Context()); err != nil || m.SchemaFingerprint != format {
			t.Errorf("the format is %s, not %s: %v", m.SchemaFingerprint, format, err)
		}
		got, err := modelfile.Read(t.Context(), repo, "", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(modelversion.Version{},
			"TrainedAt")); diff != "" {
			t.Error(diff)
		}
	}
	broken := withClicks()
	for _, clicks := range []modelversion.Clicks{{Recency: 1.1}, {Fading: -0.1}, {Memory: math.NaN()}, {Again: -1},
		{Last: math.Inf(1)}} {
		broken.Solver.Clicks = &clicks
		if err := broken.Validate(); !errors.Is(err, modelversion.ErrInvalid) {
			t.Errorf("clicks %+v: %v", clicks, err)
		}
	}
	broken.Near, broken.Solver.Neighbours, broken.Solver.NearWeight = nil, 0, 0
	if broken.Solver.Clicks = (&modelversion.Clicks{}); !errors.Is(broken.Validate(), modelversion.ErrInvalid) {
		t.Error("clicks without neighbours are valid")
	}
}

// TestTheEncoderOfProductsIsKept: a version with one has a file more; the other files are those of a version
// without, and so is the format: an earlier program reads all but it.
func TestTheEncoderOfProductsIsKept(t *testing.T) {
	t.Parallel()
	v, without := withProductEncoder(), version()
	read, before := readFiles(t, v), readFiles(t, without)
	golden.Equal(t, "product-encoder.json", read("product-encoder.json"))
	for _, name := range []string{"version.json", "serving.json", "encoder.json", "items.parquet", "customers.parquet"} {
		if !bytes.Equal(read(name), before(name)) {
			t.Errorf("%s is another file", name)
		}
	}
	repo := repository(t)
	if _, err := modelfile.Write(t.Context(), repo, v, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	got, err := modelfile.Read(t.Context(), repo, "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v.Products, got.Products); diff != "" {
		t.Error(diff)
	}
	v.Products.Edges["price"] = []float64{2, 1}
	if _, err := modelfile.Write(t.Context(), repository(t), v, t.TempDir()); !errors.Is(err, modelversion.ErrInvalid) {
		t.Errorf("edges that do not ascend: %v", err)
	}
}

// withProductEncoder is a version that can say what the vector of another product is.
func withProductEncoder() *modelversion.Version {
	v := version()
	v.Products = &modelversion.ProductEncoder{Bias: v.Items[0].Vector,
		Weights: map[string][]float32{"brand=Min Lin": v.Items[1].Vector, "price=1": v.Items[0].Vector},
		Edges:   map[string][]float64{"price": {10, 25.5}}}
	return v
}
