package integration

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/train"
	"kindred/internal/lab/shopsystem"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/stream/activity"
)

// TestWhatWasBoughtIsShownByTheRule takes a shop whose customers buy again from MySQL to answers, with
// the rule that shows everything. The database knows when and how often each product was bought, it
// answers as the version in memory does, and customers see products that they have.
func TestWhatWasBoughtIsShownByTheRule(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn := stack.mustDatabase(t)
	mustLoadSystem(t, mustOpen(t, dsn), shopsystem.Config{System: "classicmodels",
		Version: shopsystem.Versions("classicmodels")[0],
		Prefix:  shopsystem.DefaultPrefix("classicmodels"), Seed: 3, Orders: 400})
	env := mustConnectEnv(t, stack, dsn)
	p := mustPrograms(t, env, "etl", "train", "publish")
	p.mustRun(t, nil, "etl")
	var made train.Result
	p.mustRun(t, &made, "train", "--repeat", "show", "--tune-budget", "1")
	p.mustRun(t, nil, "publish", "--force", "--reason", "test")
	artifacts := objectstore.NewFolder(env["ARTIFACTS_BUCKET"][len("file://"):])
	v, err := modelfile.Read(t.Context(), commit.NewRepository(artifacts, envconfig.ModelPrefix), "", t.TempDir())
	if err != nil || v.ID != made.ModelVersion || v.Repeats == nil {
		t.Fatalf("%+v, %v", v, err)
	}
	var rows, known, again, shown, pairs, twice int
	for _, c := range v.Customers {
		pairs += len(c.Rated)
		for _, n := range c.Count {
			if n > 1 {
				twice++
			}
		}
	}
	err = mustVectorConn(t, env["PGVECTOR_DSN"]).QueryRow(t.Context(), `SELECT count(*), count(last), count(*) FILTER (WHERE count > 1),
		count(*) FILTER (WHERE until = '-infinity') FROM model_`+v.ID+`.rated`).Scan(&rows, &known, &again, &shown)
	if err != nil || rows != pairs || known != rows || again != twice || twice == 0 || shown != rows {
		t.Errorf("%d pairs, of which %d have a time, %d were bought again (want %d) and %d are shown: %v", rows, known,
			again, twice, shown, err)
	}
	var events []*activity.Event
	owns := map[string]map[string]bool{}
	for i := 0; i < len(v.Customers) && len(events) < 40; i++ {
		c := &v.Customers[i]
		id := activity.ID(c.ID)
		events = append(events, &activity.Event{SessionID: "s" + c.ID, CustomerID: &id})
		owns[c.ID] = map[string]bool{}
		for _, code := range c.Rated {
			owns[c.ID][code] = true
		}
	}
	want, err := recommend.New(memory.NewStore(memory.New(v))).Batch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	got, err := recommend.New(mustVectorStore(t, env["PGVECTOR_DSN"])).Batch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	owned := 0
	for i, a := range got {
		if diff := cmp.Diff(codesOf(want[i]), codesOf(a)); diff != "" {
			t.Errorf("event %d: %s", i, diff)
		}
		for _, item := range a.Items {
			if owns[string(*events[i].CustomerID)][item.ID] {
				owned++
			}
		}
	}
	if owned == 0 {
		t.Error("no customer sees a product that they have, although the rule shows them")
	}
}
