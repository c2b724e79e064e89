package integration

import (
	"errors"
	"strings"
	"testing"

	"kindred/internal/job/publish"
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/vectorstore"
)

// TestUncomparedVersionsGoLiveWhereNothingBetterIsKnown: a small shop gets its first version, and a
// version that nobody could judge does not replace one that was judged good.
func TestUncomparedVersionsGoLiveWhereNothingBetterIsKnown(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	unknown := modelversion.NewVerdict(modelversion.OutcomeUncompared, modelversion.WithBaselines, "nobody to test with")
	first, second := randomVersion("m210000000000000", 1, 20, 3, 4), randomVersion("m210000000000001", 2, 20, 3, 4)
	first.Report.Verdict, second.Report.Verdict = unknown, unknown
	mustGoLive(t, store, first)
	mustGoLive(t, store, second)
	good, later := randomVersion("m210000000000002", 3, 20, 3, 4), randomVersion("m210000000000003", 4, 20, 3, 4)
	good.Report.Verdict = modelversion.NewVerdict(modelversion.OutcomePassed, modelversion.WithBaselines)
	mustGoLive(t, store, good)
	later.Report.Verdict = good.Report.Verdict.And(modelversion.NewVerdict(modelversion.OutcomeUncompared,
		modelversion.WithLive, "nothing is newer"))
	mustGoLive(t, store, later)
	last := randomVersion("m210000000000004", 5, 20, 3, 4)
	last.Report.Verdict = unknown
	_, err := publish.Run(t.Context(), publish.Database{Store: store}, trained{last}, "", byTest)
	var refusal *vectorstore.Refusal
	if !errors.As(err, &refusal) || len(refusal.Reasons) != 2 || mustLive(t, store) != later.ID {
		t.Errorf("an unknown version in place of a judged one: %v", err)
	}
	forced := vectorstore.PromoteOptions{Actor: "test", Force: true, Reason: "the shop is small now"}
	if err := store.Promote(t.Context(), last.ID, forced); err != nil {
		t.Error(err)
	}
	mustHistory(t, store, "promote >0", "promote 0>1", "promote 1>2", "promote 2>3", "refuse 3>4", "force 3>4")
}

// TestSameFactorsNeedNoVerdict: after a forced promotion, new stock follows without another --force;
// after a rollback it does not bring the factors back.
func TestSameFactorsNeedNoVerdict(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	before, bad := randomVersion("m220000000000000", 1, 20, 3, 4), randomVersion("m220000000000001", 2, 20, 3, 4)
	bad.Report.Verdict = modelversion.NewVerdict(modelversion.OutcomeRefused, modelversion.WithBaselines, "too close")
	mustGoLive(t, store, before)
	if _, err := store.Load(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	forced := vectorstore.PromoteOptions{Actor: "test", Force: true, Reason: "to see"}
	if err := store.Promote(t.Context(), bad.ID, forced); err != nil {
		t.Fatal(err)
	}
	carried := func(id string, from *modelversion.Version) *modelversion.Version {
		v := *from
		v.ID, v.Report.Verdict.CarriedFrom = id, bad.ID
		return &v
	}
	stock := carried("m220000000000002", bad)
	mustGoLive(t, store, stock)
	if _, err := store.Rollback(t.Context(), byTest); err != nil { // to other stock, not to other factors
		t.Fatal(err)
	}
	mustGoLive(t, store, carried("m220000000000003", bad))
	if _, err := store.Load(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if err := store.Promote(t.Context(), stock.ID, byTest); !errors.Is(err, vectorstore.ErrRefused) {
		t.Errorf("the stock that was rolled back: %v", err)
	}

	good := carried("m220000000000004", bad) // the same factors with a verdict that would pass
	good.Report.Verdict = modelversion.NewVerdict(modelversion.OutcomePassed, modelversion.WithBaselines)
	good.Report.Verdict.CarriedFrom = bad.ID
	if err := store.Promote(t.Context(), before.ID, byTest); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Rollback(t.Context(), byTest); err != nil { // before → bad's factors: before is bad
		t.Fatal(err)
	}
	against, err := store.Objections(t.Context(), before.ID, before.Report.Verdict)
	if err != nil || len(against) == 0 || !strings.Contains(against[len(against)-1], "rolled back by test") {
		t.Errorf("against other factors that were rolled back there is %q, %v", against, err)
	}
	if err := store.Promote(t.Context(), before.ID, byTest); !errors.Is(err, vectorstore.ErrRefused) {
		t.Errorf("other factors that were rolled back: %v", err)
	}
	mustGoLive(t, store, good) // those of bad are live: nobody rolled them back
}
