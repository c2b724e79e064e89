package console

import (
	"bytes"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/job/console/plot"
	"kindred/internal/job/feedback"
	"kindred/internal/job/publish"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/outcome"
	"kindred/internal/model/sequential"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
)

// TestTheOutcomeSumsTheHitRates of two runs of feedback.
func TestTheOutcomeSumsTheHitRates(t *testing.T) {
	t.Parallel()
	c := folders(t)
	b := mustShow(t, c)
	if page := b.mustPage(t, "/outcome", http.StatusOK); !strings.Contains(page, "run make feedback") {
		t.Errorf("without feedback: %s", page)
	}
	store, err := objectstore.Open(t.Context(), c.Lake.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	for run, rates := range [][]feedback.HitRate{
		{{ModelVersion: "m1", Source: "session", Place: 1, Shown: 50, Viewed: 5, HitRate: 0.1}},
		{{ModelVersion: "m1", Source: "session", Place: 1, Shown: 1000, Viewed: 300, Carted: 20, Bought: 10, HitRate: 0.3},
			{ModelVersion: "m1", Source: "session", Place: 2, Shown: 1000, Viewed: 100, Carted: 5, HitRate: 0.1},
			{ModelVersion: "m2", Source: "popularity", Place: 1, Shown: 3000, Viewed: 30, HitRate: 0.01},
			{ModelVersion: "m1", Source: "session", Placement: "home", Place: 1, Shown: 200, Viewed: 100, HitRate: 0.5}},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, interaction.File), bytes.Repeat([]byte("x"), run+1), 0o600); err != nil {
			t.Fatal(err)
		}
		details := map[string][]feedback.HitRate{"hit_rates": rates}
		_, _, err := commit.NewRepository(store, envconfig.FeedbackPrefix).Commit(t.Context(), commit.Draft{
			Kind: interaction.Kind, SchemaFingerprint: interaction.SchemaFingerprint, Dir: dir, Details: details,
			Files: []commit.File{{Path: interaction.File, DataSet: interaction.DataSet, Rows: 1}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	page := b.mustPage(t, "/outcome", http.StatusOK)
	for _, want := range []string{"m1 session none 2,000 400 20 % 25 10",
		"m2 popularity none 3,000 30 1 % 0 0", "m1 session home 200 100 50 % 0 0", "m2, by popularity", "UTC 10.00",
		"UTC 10.19", "PGVECTOR_DSN is not set"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in %s", want, page)
		}
	}
	if i, j := strings.Index(page, "UTC 10.00"), strings.Index(page, "UTC 10.19"); i > j {
		t.Error("the older run is not first")
	}
}

// TestExperimentsAreShown with the outcome that decides, and without an interval where it is too early.
func TestExperimentsAreShown(t *testing.T) {
	t.Parallel()
	b := mustShow(t, folders(t))
	x := vectorstore.Experiment{Name: "new-model", Control: "m1", Treatment: "m2", Share: 0.5,
		Outcome: vectorstore.OutcomeHits, Rule: sequential.Rule{Error: 0.05, MaxVisitors: 1000}}
	view := viewOf(publish.ExperimentResult{Experiment: x, Pages: 900,
		Visitors: map[outcome.Part]int64{outcome.Control: 200, outcome.Treatment: 300, outcome.Both: 7},
		Now:      sequential.Promote,
		Compared: []publish.Comparison{
			{Outcome: vectorstore.OutcomeHits, Control: 0.1, Treatment: 0.2,
				Interval: &sequential.Interval{Difference: 0.1, Low: 0.05, High: 0.15}},
			{Outcome: vectorstore.OutcomeCarts, Control: 0.01, Treatment: 0.02}}})
	var body bytes.Buffer
	err := b.server.templates["outcome.html"].ExecuteTemplate(&body, "layout", page{
		Body: outcomePage{Experiments: []experimentView{view}}})
	if err != nil {
		t.Fatal(err)
	}
	text := plain(body.String())
	for _, want := range []string{"Experiment new-model runs, may be decided", "Visitors of treatment 300",
		"Saw both arms 7",
		"hits decides 0.1000 0.2000 +0.1000 (+0.0500 to +0.1500)",
		"carts 0.0100 0.0200 too early for an interval"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

// TestWilson compares with values of the literature (Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20).
func TestWilson(t *testing.T) {
	t.Parallel()
	for _, want := range []struct {
		part, n   int64
		low, high float64
	}{{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {0, 0, 0, 0}} {
		got := wilson(want.part, want.n)
		if math.Abs(got.Low-want.low) > 5e-5 || math.Abs(got.High-want.high) > 5e-5 {
			t.Errorf("%d of %d: %+v", want.part, want.n, got)
		}
	}
	if svg := string(plot.Difference{}.SVG()); strings.Contains(svg, "NaN") {
		t.Error(svg)
	}
}
