package integration

import (
	"slices"
	"testing"

	"kindred/internal/job/publish"
	"kindred/internal/job/train"
	"kindred/internal/lab/shopsystem"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// TestEveryPresetGoesLive takes a shop of each system from its tables to answers. Its customers have
// planted tastes: what they are shown must lie in the categories that they like at least four times
// as often as by chance.
func TestEveryPresetGoesLive(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	for _, system := range shopsystem.Systems() {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			dsn := stack.mustDatabase(t)
			versions := shopsystem.Versions(system)
			plan := mustLoadSystem(t, mustOpen(t, dsn), shopsystem.Config{System: system, Version: versions[len(versions)-1],
				Prefix: shopsystem.DefaultPrefix(system), Seed: 11, Orders: 3000})
			folder := t.TempDir()
			l := lake{stack: stack, location: "file://" + folder}
			l.mustEtl(t, dsn, "--preset", "auto")

			cfg := train.DefaultConfig()
			cfg.TuneBudget, cfg.Dim = 0.5, 32
			artifacts := objectstore.NewFolder(t.TempDir())
			job := train.Job{Lake: objectstore.NewFolder(folder), Artifacts: artifacts, Config: cfg, ScratchDir: t.TempDir()}
			result, err := job.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !result.Report.Verdict.Pass || result.Config.Signal == nil {
				t.Errorf("verdict %+v, signal %+v", result.Report.Verdict, result.Config.Signal)
			}
			if again, err := job.Run(t.Context()); err != nil || !again.NoOp {
				t.Errorf("the same set again: %+v, %v", again, err)
			}
			v, err := modelfile.Read(t.Context(), commit.NewRepository(artifacts, envconfig.ModelPrefix), "", t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			store := mustVectorStore(t, stack.mustVectorDatabase(t))
			if _, err := publish.Run(t.Context(), publish.Database{Store: store}, trained{v}, "", byTest); err != nil {
				t.Fatal(err)
			}
			wantPlantedTastes(t, plan.Truth(), v, recommend.New(store))
		})
	}
}

// wantPlantedTastes asks for a hundred customers with a history.
func wantPlantedTastes(t *testing.T, truth shopsystem.Truth, v *modelversion.Version, from *recommend.Recommender) {
	t.Helper()
	var events []*activity.Event
	var liked [][]string
	for _, c := range v.Customers {
		if likes, known := truth.Customers[c.ID]; known && c.Origin == modelversion.OriginTrained && len(events) < 100 {
			events = append(events, &activity.Event{SessionID: "s", CustomerID: new(activity.ID(c.ID))})
			liked = append(liked, likes)
		}
	}
	if len(events) < 50 {
		t.Fatalf("%d customers of the version are planted ones", len(events))
	}
	answers, err := from.Batch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	hits, shown, chance := 0, 0, 0.0
	for i, a := range answers {
		if a.Source != activity.SourceCustomer || len(a.Items) == 0 {
			t.Fatalf("customer %s: source %s, %d items", *events[i].CustomerID, a.Source, len(a.Items))
		}
		likes := func(product string) bool {
			return slices.ContainsFunc(truth.Products[product], func(c string) bool { return slices.Contains(liked[i], c) })
		}
		in := 0
		for product := range truth.Products {
			if likes(product) {
				in++
			}
		}
		chance += float64(in) / float64(len(truth.Products)) / float64(len(answers))
		for _, item := range a.Items {
			if shown++; likes(item.ID) {
				hits++
			}
		}
	}
	share := float64(hits) / float64(shown)
	t.Logf("%.0f %% of what is shown lies in a liked category, %.0f %% by chance", 100*share, 100*chance)
	if share < min(4*chance, 0.9) {
		t.Errorf("%.2f of what is shown lies in a liked category, %.2f by chance", share, chance)
	}
}
