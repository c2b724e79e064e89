package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kindred/internal/job/publish"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/sequential"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

func experimentOf(name, treatment string, share float64) vectorstore.Experiment {
	return vectorstore.Experiment{Name: name, Treatment: treatment, Share: share, Outcome: vectorstore.OutcomeHits,
		Rule: sequential.Rule{Error: 0.05, MaxVisitors: 20_000}}
}

// threeVersions are loaded, and the first is live.
func threeVersions(t *testing.T, store *vectorstore.Store) (ids []string) {
	t.Helper()
	for i, id := range []string{"m740000000000000", "m740000000000001", "m740000000000002"} {
		v := randomVersion(id, uint64(i), 40, 5, 4)
		if _, err := store.Load(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := store.Promote(t.Context(), ids[0], byTest); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestAnExperimentDecides: it starts, holds up everything that would disturb it, and ends by its decision.
func TestAnExperimentDecides(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	ids := threeVersions(t, store)
	start := func(name, treatment string) error {
		_, err := store.StartExperiment(t.Context(), experimentOf(name, treatment, 0.5), byTest)
		return err
	}
	ended := func(name string, decision sequential.Decision, why string) {
		t.Helper()
		x, err := store.Experiment(t.Context(), name)
		if err != nil || x.Decision != decision || !strings.Contains(x.Why, why) || x.EndedAt == nil {
			t.Errorf("experiment %s: %+v, %v", name, x, err)
		}
		if traffic, err := store.Traffic(t.Context()); err != nil || traffic.Experiment != nil || traffic.Canary != nil {
			t.Errorf("after %s: %+v, %v", name, traffic, err)
		}
	}
	for name, x := range map[string]vectorstore.Experiment{"of the live version": experimentOf("a", ids[0], 0.5),
		"without a name": experimentOf("", ids[1], 0.5), "of all visitors": experimentOf("a", ids[1], 1)} {
		if _, err := store.StartExperiment(t.Context(), x, byTest); err == nil {
			t.Errorf("an experiment %s began", name)
		}
	}
	if err := start("worse", ids[1]); err != nil {
		t.Fatal(err)
	}
	if err := start("second", ids[2]); !errors.Is(err, vectorstore.ErrExperimentRuns) {
		t.Errorf("a second experiment: %v", err)
	}
	if err := store.Promote(t.Context(), ids[2], byTest); !errors.Is(err, vectorstore.ErrRefused) ||
		!strings.Contains(err.Error(), "experiment worse") {
		t.Errorf("promoted while an experiment runs: %v", err)
	}
	if err := store.StartCanary(t.Context(), ids[2], 0.1, byTest); !errors.Is(err, vectorstore.ErrRefused) {
		t.Errorf("a canary while an experiment runs: %v", err)
	}
	if err := store.EndExperiment(t.Context(), "other", sequential.RollBack, "", byTest); !errors.Is(err,
		vectorstore.ErrNoExperiment) {
		t.Errorf("ended another experiment: %v", err)
	}
	if err := store.EndExperiment(t.Context(), "worse", sequential.RollBack, "3 points worse", byTest); err != nil {
		t.Fatal(err)
	}
	ended("worse", sequential.RollBack, "3 points worse")
	if err := start("worse", ids[1]); !errors.Is(err, vectorstore.ErrExperimentNamed) {
		t.Errorf("a name is used again: %v", err)
	}
	if err := start("better", ids[1]); err != nil {
		t.Fatal(err)
	}
	if err := store.EndExperiment(t.Context(), "better", sequential.Promote, "3 points better", byTest); err != nil {
		t.Fatal(err)
	}
	ended("better", sequential.Promote, "3 points better")
	if live := mustLive(t, store); live != ids[1] {
		t.Errorf("after the promotion %s is live", live)
	}
	mustHistory(t, store, "promote >0", "canary 0>1", "refuse 0>2", "refuse 0>2", "canary-off 1>0", "canary 0>1",
		"promote 0>1")
}

// TestAnExperimentByRevenueKeepsItsCap: and no other one has a cap.
func TestAnExperimentByRevenueKeepsItsCap(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	ids := threeVersions(t, store)
	most := 200.0
	x := experimentOf("paid", ids[1], 0.5)
	x.Cap = &most
	if _, err := store.StartExperiment(t.Context(), x, byTest); err == nil {
		t.Error("an experiment by hits has a cap")
	}
	x.Outcome, x.Cap = vectorstore.OutcomeRevenue, nil
	if _, err := store.StartExperiment(t.Context(), x, byTest); err == nil {
		t.Error("an experiment by revenue has no cap")
	}
	x.Cap = &most
	if _, err := store.StartExperiment(t.Context(), x, byTest); err != nil {
		t.Fatal(err)
	}
	if err := store.EndExperiment(t.Context(), "paid", sequential.Inconclusive, "enough", byTest); err != nil {
		t.Fatal(err)
	}
	if _, err := store.StartExperiment(t.Context(), experimentOf("clicked", ids[1], 0.5), byTest); err != nil {
		t.Fatal(err)
	}
	all, err := store.Experiments(t.Context())
	if err != nil || len(all) != 2 || all[0].Cap == nil || *all[0].Cap != most || all[1].Cap != nil ||
		all[0].Outcome != vectorstore.OutcomeRevenue {
		t.Errorf("experiments %+v, %v", all, err)
	}
}

// TestAnExperimentEndsWithItsArms: by a rollback, and by a canary that cannot answer.
func TestAnExperimentEndsWithItsArms(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	ids := threeVersions(t, store)
	start := func(name, treatment string) {
		t.Helper()
		if _, err := store.StartExperiment(t.Context(), experimentOf(name, treatment, 0.5), byTest); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Promote(t.Context(), ids[1], byTest); err != nil {
		t.Fatal(err)
	}
	start("rolled", ids[2])
	if _, err := store.Rollback(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	if traffic, err := store.Traffic(t.Context()); err != nil || traffic.Experiment != nil { // the canary goes on, as ever
		t.Errorf("after a rollback: %+v, %v", traffic, err)
	}
	if _, err := store.StopCanary(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	start("broken", ids[2])
	for range recommend.CanaryErrors {
		if err := store.CanaryFailed(t.Context(), ids[2], errors.New("it is broken")); err != nil {
			t.Fatal(err)
		}
	}
	if traffic, err := store.Traffic(t.Context()); err != nil || traffic.Experiment != nil || traffic.Canary != nil {
		t.Errorf("after a canary that cannot answer: %+v, %v", traffic, err)
	}
	all, err := store.Experiments(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "rolled" || all[1].Name != "broken" {
		t.Fatalf("experiments: %+v, %v", all, err)
	}
	for _, x := range all {
		if x.Decision != vectorstore.DecisionStopped || x.EndedAt == nil || !strings.Contains(x.Why, "the history tells") {
			t.Errorf("experiment %s: %+v", x.Name, x)
		}
	}
	mustHistory(t, store, "promote >0", "promote 0>1", "canary 1>2", "rollback 1>0", "canary-off 2>0", "canary 0>2",
		"canary-off 2>0")
}

// TestArmsAreKeptByReadersAndForgotten: a role that may only read keeps arms; a customer who is forgotten
// has none any more, and neither have those of an experiment that has ended.
func TestArmsAreKeptByReadersAndForgotten(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := randomVersion("m740000000000009", 2, 40, 6, 4)
	if _, err := d.store.Load(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.StartExperiment(t.Context(), experimentOf("kept", second.ID, 0.5), byTest); err != nil {
		t.Fatal(err)
	}
	reader, err := vectorstore.Open(t.Context(), envconfig.PGVector{DSN: d.reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	customer := activity.ID("7")
	events := []*activity.Event{{SessionID: "s", CustomerID: &customer}, {SessionID: "t"}}
	if _, err := recommend.New(reader).Batch(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	names := []string{"session s", "customer 7", "session t"}
	kept, err := d.store.Arms(t.Context(), "kept", names)
	if err != nil || len(kept) != 3 {
		t.Fatalf("a reader kept %v, %v", kept, err)
	}
	execPostgres(t, t.Context(), d.owner, `INSERT INTO kindred.customer_state (customer, field, written)
		VALUES ('7', 'forgotten', '[9000000000000000, 1, 0]')`)
	if kept, err = d.store.Arms(t.Context(), "kept", names); err != nil || len(kept) != 2 || kept["customer 7"] != "" {
		t.Errorf("after the customer was forgotten: %v, %v", kept, err)
	}
	if err := d.store.PruneState(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept, err = d.store.Arms(t.Context(), "kept", names); err != nil || len(kept) != 2 {
		t.Errorf("the arms of an experiment that runs were deleted: %v, %v", kept, err)
	}
	if err := d.store.EndExperiment(t.Context(), "kept", vectorstore.DecisionStopped, "enough", byTest); err != nil {
		t.Fatal(err)
	}
	if err := d.store.PruneState(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept, err = d.store.Arms(t.Context(), "kept", names); err != nil || len(kept) > 0 {
		t.Errorf("of an experiment that has ended: %v, %v", kept, err)
	}
}

// placementsTrial starts experiments of placements, each a file with one placement and a limit.
type placementsTrial struct {
	store  publish.Database
	reader *vectorstore.Store
	lake   objectstore.Store
	owner  string // of the database
}

func (p placementsTrial) file(limit int) string {
	return fmt.Sprintf("format: 1\nplacements:\n  home: {limit: %d}\n", limit)
}

func (p placementsTrial) start(t *testing.T, name, file string) error {
	t.Helper()
	x := experimentOf(name, "", 0.5)
	_, err := publish.ComparePlacements(t.Context(), p.store, p.lake, "placements.yaml", []byte(file), x, byTest)
	return err
}

// mustShow is what a reader sees: the live placement's limit, and that of the treatment, if an experiment runs.
func (p placementsTrial) mustShow(t *testing.T, limit int, experiment string, treated int) {
	t.Helper()
	traffic, err := p.reader.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	home, _ := traffic.Placements.Of("home")
	if x := traffic.Experiment; *home.Limit != limit || (x != nil) != (experiment != "") {
		t.Fatalf("live: %+v, experiment %+v, want limit %d", home, x, limit)
	}
	if experiment != "" {
		x := traffic.Experiment
		home, known := x.Placements.Of("home")
		if x.Name != experiment || x.Share != 0.5 || !known || *home.Limit != treated {
			t.Fatalf("experiment %+v, treatment %+v", x, home)
		}
	}
}

func (p placementsTrial) mustHaveEnded(t *testing.T, name string, decision sequential.Decision, limit int) {
	t.Helper()
	x, err := p.store.Experiment(t.Context(), name)
	if err != nil || x.Decision != decision || x.EndedAt == nil || x.Compares != vectorstore.ComparesPlacements {
		t.Errorf("experiment %s: %+v, %v", name, x, err)
	}
	p.mustShow(t, limit, "", 0)
}

func (p placementsTrial) mustEnd(t *testing.T, name string, decision sequential.Decision) {
	t.Helper()
	if err := p.store.EndExperiment(t.Context(), name, decision, "by the test", byTest); err != nil {
		t.Fatal(err)
	}
}

func mustPlacementsTrial(t *testing.T) placementsTrial {
	t.Helper()
	d, drop := mustStack(t).serving(t.Context(), t)
	t.Cleanup(drop)
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	return placementsTrial{publish.Database{Store: d.store}, mustReader(t, d), objectstore.NewFolder(t.TempDir()), d.owner}
}

// TestPlacementsAreArmsInTheDatabase: an experiment of placements begins only with the same names, and ends by its
// decision, or when the live ones are changed. A reader sees both arms with the pointer.
func TestPlacementsAreArmsInTheDatabase(t *testing.T) {
	t.Parallel()
	p := mustPlacementsTrial(t)
	if err := p.start(t, "early", p.file(3)); err == nil || !strings.Contains(err.Error(), "no placements are live") {
		t.Errorf("without a control: %v", err)
	}
	mustPlace(t, p.store.Store, p.lake, p.file(3))
	for _, wrong := range []string{p.file(3), "format: 1\nplacements:\n  shelf: {limit: 3}\n"} {
		if err := p.start(t, "wrong", wrong); err == nil {
			t.Errorf("an experiment with %q began", wrong)
		}
	}
	p.mustShow(t, 3, "", 0)
	if err := p.start(t, "worse", p.file(4)); err != nil {
		t.Fatal(err)
	}
	p.mustShow(t, 3, "worse", 4)
	kept, err := p.reader.KeepArms(t.Context(), "worse", map[string]recommend.Arm{"session s": recommend.ArmTreatment})
	if err != nil || kept["session s"] != recommend.ArmTreatment {
		t.Errorf("a reader kept %v, %v", kept, err)
	}
	p.mustEnd(t, "worse", sequential.RollBack)
	p.mustHaveEnded(t, "worse", sequential.RollBack, 3)
	if err := p.start(t, "better", p.file(4)); err != nil {
		t.Fatal(err)
	}
	p.mustEnd(t, "better", sequential.Promote)
	p.mustHaveEnded(t, "better", sequential.Promote, 4)
	if history, err := p.store.PlacementsHistory(t.Context()); err != nil || len(history) != 2 ||
		!strings.Contains(history[1].Reason, "experiment better: promote") {
		t.Errorf("history %+v, %v", history, err)
	}
	if err := p.start(t, "rolled", p.file(5)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.store.RollbackPlacements(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	p.mustHaveEnded(t, "rolled", vectorstore.DecisionStopped, 3)
	if err := p.store.EndExperiment(t.Context(), "rolled", sequential.Promote, "", byTest); !errors.Is(err,
		vectorstore.ErrNoExperiment) {
		t.Errorf("ended twice: %v", err)
	}
}

// TestAnExperimentOfPlacementsHoldsUp other placements and other experiments, but no model version, which both arms
// get.
func TestAnExperimentOfPlacementsHoldsUp(t *testing.T) {
	t.Parallel()
	p := mustPlacementsTrial(t)
	mustPlace(t, p.store.Store, p.lake, p.file(3))
	if err := p.start(t, "first", p.file(4)); err != nil {
		t.Fatal(err)
	}
	if err := p.start(t, "second", p.file(5)); !errors.Is(err, vectorstore.ErrExperimentRuns) {
		t.Errorf("a second experiment: %v", err)
	}
	if _, err := publish.PublishPlacements(t.Context(), p.store, p.lake, "placements.yaml", []byte(p.file(6)),
		byTest); !errors.Is(err, vectorstore.ErrExperimentRuns) {
		t.Errorf("other placements: %v", err)
	}
	version := randomVersion("m740000000000008", 2, 40, 6, 4)
	if _, err := p.store.Load(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if _, err := p.store.StartExperiment(t.Context(), experimentOf("third", version.ID, 0.5), byTest); !errors.Is(err,
		vectorstore.ErrExperimentRuns) {
		t.Errorf("an experiment of versions: %v", err)
	}
	if err := p.store.Promote(t.Context(), version.ID, byTest); err != nil {
		t.Error(err)
	}
	p.mustShow(t, 3, "first", 4)
}

// TestExperimentsOfPlacementsMeetPrograms of commit ea4b6da. Its functions see no experiment, also beside a canary. Its
// publish starts no experiment beside it, and ends it when it makes other placements live. A function of today answers
// in its database.
func TestExperimentsOfPlacementsMeetPrograms(t *testing.T) {
	t.Parallel()
	p := mustPlacementsTrial(t)
	first := mustPlace(t, p.store.Store, p.lake, p.file(2))
	mustPlace(t, p.store.Store, p.lake, p.file(3))
	version := randomVersion("m740000000000007", 2, 40, 6, 4)
	if _, err := p.store.Load(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if err := p.store.StartCanary(t.Context(), version.ID, 0.5, byTest); err != nil {
		t.Fatal(err)
	}
	if err := p.start(t, "first", p.file(4)); err != nil {
		t.Fatal(err)
	}
	p.mustShow(t, 3, "first", 4)
	conn := mustVectorConn(t, p.owner)
	var canary, experiment string // as its functions ask
	err := conn.QueryRow(t.Context(), `SELECT canary, coalesce(to_jsonb(live) ->> 'experiment', '') FROM kindred.live`).
		Scan(&canary, &experiment)
	if err != nil || canary != version.ID || experiment != "" {
		t.Errorf("its functions see the canary %s and the experiment %q: %v", canary, experiment, err)
	}
	_, err = conn.Exec(t.Context(), `INSERT INTO kindred.experiment (name, control, treatment, share, outcome, error_rate,
		max_visitors, revenue_cap, actor, reason) VALUES ('old', 'a', 'b', 0.5, 'hits', 0.05, 100, NULL, 'a', '')`)
	if err == nil {
		t.Error("its publish started an experiment beside")
	}
	if _, err := conn.Exec(t.Context(), `UPDATE kindred.live SET placements = $1`, first); err != nil {
		t.Fatal(err)
	}
	p.mustHaveEnded(t, "first", vectorstore.DecisionStopped, 2)
	execPostgres(t, t.Context(), p.owner, beforePlacementsExperiments)
	p.mustShow(t, 2, "", 0)
	if all, err := p.store.Experiments(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("its experiments: %+v, %v", all, err)
	}
	e := &activity.Event{SessionID: "s", Control: &activity.Control{Placement: "home"}}
	answers, err := recommend.New(p.reader).Batch(t.Context(), []*activity.Event{e})
	if err != nil || len(answers[0].Items) != 2 || answers[0].Arm != "" {
		t.Errorf("an answer in its database: %+v, %v", answers, err)
	}
	if _, err := p.reader.Check(t.Context()); err != nil {
		t.Errorf("check its database: %v", err)
	}
}
