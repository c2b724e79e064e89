package publish

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/vectorstore"
)

// memory is a store and the artifacts, and notes what was asked.
type memory struct {
	calls    []string
	versions []vectorstore.Version
	refuse   bool
	damage   []string             // of versions that are ready, until they are loaded again
	broken   error                // of CheckVersion
	shop     string               // of the versions in the artifacts
	verdict  modelversion.Verdict // of the newest version
}

func (m *memory) note(call string) { m.calls = append(m.calls, call) }

func (m *memory) Migrate(context.Context) error { m.note("migrate"); return nil }

func (m *memory) Versions(context.Context) ([]vectorstore.Version, error) { return m.versions, nil }

func (m *memory) Load(_ context.Context, v *modelversion.Version) ([]vectorstore.Step, error) {
	m.note("load " + v.ID)
	if m.damage != nil {
		m.damage = nil
		return nil, nil
	}
	m.versions = append(m.versions, vectorstore.Version{ID: v.ID, State: vectorstore.StateReady, Items: len(v.Items)})
	return nil, nil
}

func (m *memory) Damage(_ context.Context, v vectorstore.Version) ([]string, error) {
	if v.State != vectorstore.StateReady {
		return nil, nil
	}
	return m.damage, nil
}

func (m *memory) CheckVersion(_ context.Context, version string) error {
	m.note("check " + version)
	return m.broken
}

func (m *memory) ShowViews(context.Context) error { m.note("views"); return nil }

func (m *memory) Promote(_ context.Context, version string, _ vectorstore.PromoteOptions) error {
	m.note("promote " + version)
	if m.refuse {
		return &vectorstore.Refusal{Version: version, Reasons: []string{"no better than random"}}
	}
	return nil
}

func (m *memory) StartCanary(_ context.Context, version string, share float64, _ vectorstore.PromoteOptions) error {
	m.note(fmt.Sprintf("canary %s %g", version, share))
	return nil
}

func (m *memory) Prune(context.Context, int) ([]string, error) { m.note("prune"); return nil, nil }

func (m *memory) PruneState(context.Context) error { m.note("prune state"); return nil }

func (m *memory) Current(context.Context) (string, modelversion.Verdict, error) {
	return "m2", m.verdict, nil
}

func (m *memory) Read(_ context.Context, id string) (*modelversion.Version, error) {
	m.note("read " + id)
	return &modelversion.Version{ID: id, Shop: m.shop, Items: make([]modelversion.Item, 7)}, nil
}

func TestRunDoesOnlyWhatIsLeftToDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		versions []vectorstore.Version
		version  string
		refuse   bool
		damage   []string
		broken   error
		calls    string
		promoted bool
	}{
		"new":          {calls: "migrate, read m2, load m2, promote m2, prune, prune state", promoted: true},
		"an older one": {version: "m1", calls: "migrate, read m1, load m1, promote m1, prune, prune state", promoted: true},
		"live already": {versions: []vectorstore.Version{{ID: "m2", State: vectorstore.StateReady, Live: true}},
			calls: "migrate, views, check m2, prune state"},
		"live, but damaged": {versions: []vectorstore.Version{{ID: "m2", State: vectorstore.StateReady, Live: true}},
			damage: []string{"table item is missing"}, calls: "migrate, read m2, load m2, views, check m2, prune state"},
		"live, but nobody may read it": {versions: []vectorstore.Version{{ID: "m2", State: vectorstore.StateReady,
			Live: true}},
			broken: vectorstore.ErrCannotAnswer, calls: "migrate, views, check m2, prune state"},
		"loaded before": {versions: []vectorstore.Version{{ID: "m2", State: vectorstore.StateReady}},
			calls: "migrate, promote m2, prune, prune state", promoted: true},
		"refused": {refuse: true, calls: "migrate, read m2, load m2, promote m2, prune state"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &memory{versions: test.versions, refuse: test.refuse, damage: test.damage, broken: test.broken}
			result, err := Run(t.Context(), m, m, test.version, vectorstore.PromoteOptions{})
			if want := test.refuse || test.broken != nil; errors.Is(err, vectorstore.ErrRefused) != test.refuse ||
				test.broken != nil && !errors.Is(err, test.broken) || (err != nil) != want {
				t.Errorf("error %v", err)
			}
			if got := strings.Join(m.calls, ", "); got != test.calls {
				t.Errorf("it did %q, want %q", got, test.calls)
			}
			did := test.promoted || test.refuse || test.damage != nil || test.broken != nil
			if result.Promoted != test.promoted || result.NoOp == did || len(result.Repaired) != len(test.damage) {
				t.Errorf("result %+v", result)
			}
		})
	}
}

// TestAnotherShopsVersionIsNotLoaded: it is refused by both names before anything of it is written,
// unless it is meant.
func TestAnotherShopsVersionIsNotLoaded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		live, shop string
		replace    bool
		refused    bool
	}{
		{live: "a", shop: "b", refused: true}, {live: "a", shop: "b", replace: true}, {live: "a", shop: "a"},
		{live: "", shop: "b"}, {live: "a", shop: ""},
	} {
		m := &memory{shop: test.shop,
			versions: []vectorstore.Version{{ID: "m1", State: vectorstore.StateReady, Live: true, Shop: test.live}}}
		_, err := Run(t.Context(), m, m, "m2", vectorstore.PromoteOptions{ReplaceShop: test.replace})
		if errors.Is(err, vectorstore.ErrOtherShop) != test.refused || (err != nil) != test.refused {
			t.Errorf("%+v: %v", test, err)
		}
		if loaded := strings.Contains(strings.Join(m.calls, " "), "load"); loaded == test.refused {
			t.Errorf("%+v: it did %v", test, m.calls)
		}
		if test.refused && (!strings.Contains(err.Error(), "shop a") || !strings.Contains(err.Error(), "shop b")) {
			t.Errorf("%v does not name both shops", err)
		}
	}
}

// TestPopularityLeavesModelsLive: the newest version answers by popularity. Where a model is live that it
// may not replace, the model that it answers instead of is judged.
func TestPopularityLeavesModelsLive(t *testing.T) {
	t.Parallel()
	live := func(v modelversion.Verdict) []vectorstore.Version {
		return []vectorstore.Version{{ID: "m0", State: vectorstore.StateReady, Live: true,
			Report: modelversion.Report{Verdict: v}}}
	}
	newest := modelversion.PopularityVerdict("m1")
	for name, test := range map[string]struct {
		versions []vectorstore.Version
		want     string
	}{
		"nothing":    {nil, "m2"},
		"popularity": {live(modelversion.PopularityVerdict("m8")), "m2"},
		"unjudged":   {live(modelversion.NewVerdict(modelversion.OutcomeUncompared, modelversion.WithBaselines)), "m2"},
		"passed":     {live(modelversion.NewVerdict(modelversion.OutcomePassed, modelversion.WithBaselines)), "m1"},
		"forced":     {live(modelversion.NewVerdict(modelversion.OutcomeRefused, modelversion.WithBaselines)), "m1"},
	} {
		m := &memory{versions: test.versions, verdict: newest}
		result, err := Run(t.Context(), m, m, "", vectorstore.PromoteOptions{})
		if err != nil || result.ModelVersion != test.want {
			t.Errorf("%s is live: published %s, %v, want %s", name, result.ModelVersion, err, test.want)
		}
		if _, err := Run(t.Context(), m, m, "m2", vectorstore.PromoteOptions{}); err != nil ||
			!strings.Contains(strings.Join(m.calls, ", "), "promote m2") {
			t.Errorf("%s is live: did %v, %v", name, m.calls, err)
		}
	}
}

func TestPopularityIsListedAndExplained(t *testing.T) {
	t.Parallel()
	v := vectorstore.Version{ID: "m1", State: vectorstore.StateReady, Live: true, Report: modelversion.Report{
		Rows:    []modelversion.Row{{Name: "popularity", NDCG10: 0.15}, {Name: "random", NDCG10: 0.1}},
		Verdict: modelversion.PopularityVerdict("m0", "The gate refused version m0:", "too close")}}
	if text := table([]Listed{{Version: v}}, nil); !strings.Contains(text, "popularity") ||
		!strings.Contains(text, "0.150") {
		t.Errorf("listed as %s", text)
	}
	text := Explain(v, nil)
	for _, want := range []string{"is live", "No model has passed the gate: popularity answers", "- too close",
		"NDCG@10, is 0.150", "Against random: 1.5 times"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

func TestCanaryIsLoadedFirst(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"": "migrate, read m2, load m2, canary m2 0.2",
		"m1": "migrate, canary m1 0.2"} {
		m := &memory{versions: []vectorstore.Version{{ID: "m1", State: vectorstore.StateReady}}}
		result, err := Canary(t.Context(), m, m, version, 0.2, vectorstore.PromoteOptions{})
		if got := strings.Join(m.calls, ", "); err != nil || got != want || result.Share != 0.2 || result.ModelVersion == "" {
			t.Errorf("canary %q: did %q, want %q; %+v, %v", version, got, want, result, err)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	recall, similar := 0.99, 0.95
	v := vectorstore.Version{ID: "m1", State: vectorstore.StateReady, Previous: true, Items: 800, Customers: 2000,
		Recall: &recall, Similar: &similar, Report: modelversion.Report{
			Split: "each customer's last purchases", TestCustomers: 500,
			Rows: []modelversion.Row{{Name: "model", NDCG10: 0.3, Recall10: 0.25, Low: 0.28, High: 0.32},
				{Name: "popularity", NDCG10: 0.15},
				{Name: "random"}, {Name: "ceiling", NDCG10: 0.4}},
			Verdict: modelversion.Verdict{Reasons: []string{"popularity is too close"}},
		}}
	want := []string{
		"Version m1 knows 800 products and 2000 customers and was live before: `publish rollback` brings it back.",
		"The gate refuses it: it is not certain that customers find what they like sooner than by simpler ways to " +
			"recommend. What is live stays live.",
		"- popularity is too close",
		"It was tried on what 500 customers liked and it had not seen (each customer's last purchases). Its ranking " +
			"quality, NDCG@10, is 0.300 (likely 0.280 to 0.320), and 25 % of what they liked was among its first ten.",
		"Against popularity: 2.0 times as good (0.150).",
		"Against random: that found nothing.",
		"It reaches 75 % of the best that is possible on this shop (0.400).",
		"A search uses an index, which finds 9.9 of the 10 best products and 9.5 of the 10 most similar ones.",
		"2026-03-01 12:00:00  ann: rollback, from m1 to m0 (socks)",
	}
	history := []vectorstore.Promotion{{Actor: "ann", Action: vectorstore.ActionPromote, From: "m0", To: "m2"},
		{Actor: "ann",
			Action: vectorstore.ActionRollback, From: "m1", To: "m0", Reason: "socks", At: time.Date(2026, 3, 1, 12, 0, 0, 0,
				time.UTC)}}
	if got := strings.Split(Explain(v, history), "\n"); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}
