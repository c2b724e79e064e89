package integration

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/job/publish"
	"kindred/internal/job/train"
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// ringItems is how many products the visitors of mustWalks have.
const ringItems = 60

// mustWalks writes the clicks of sessions that walk around a ring of products: from each to the next, or to the one
// after it, forwards or backwards.
func mustWalks(t *testing.T, step int) (file string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, uint64(step+ringItems)))
	var b strings.Builder
	b.WriteString("SessionId\tItemId\tTime\n")
	for session := range 500 {
		at := rng.IntN(ringItems)
		for click := range 3 + rng.IntN(5) {
			fmt.Fprintf(&b, "%d\t%s\t%d\n", session, ringItem(at), 1_700_000_000+100*session+click)
			at += step * (1 + rng.IntN(2))
		}
	}
	file = filepath.Join(t.TempDir(), "clicks.txt")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func ringItem(at int) string { return fmt.Sprintf("ring-%d", (at%ringItems+ringItems)%ringItems) }

// TestVersionsOfSessionsGoLive takes two versions that read the order of clicks through publish, canary, promotion and
// rollback. The visitors of one walk forwards, those of the other backwards, so an answer tells which version gave it.
func TestVersionsOfSessionsGoLive(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	_, env := mustPlaces(t, stack, stack.mustDatabase(t))
	p := mustPrograms(t, env)
	makeVersion := func(step int) string {
		var made train.Result
		p.mustRun(t, &made, "train", "sessions", "--clicks", mustWalks(t, step), "--shop", "ring", "--largest-dim", "16")
		if made.Report.Verdict.Decision() == modelversion.OutcomeRefused {
			t.Fatalf("step %d: %v", step, made.Report.Verdict)
		}
		return made.ModelVersion
	}
	walks := map[string]int{} // of a version
	first := makeVersion(1)
	walks[first] = 1
	p.mustRun(t, nil, "publish")
	base, reader := mustServe(t, env["PGVECTOR_DSN"]), recommend.New(mustVectorStore(t, env["PGVECTOR_DSN"]))
	answered := func() map[string]int { return mustWalkOn(t, base, reader, walks) }
	if n := answered(); len(n) != 1 {
		t.Errorf("one version is live, and the answers are %v", n)
	}

	second := makeVersion(-1)
	walks[second] = -1
	var canary publish.CanaryResult
	if p.mustRun(t, &canary, "publish", "canary", "--share", "0.5"); canary.ModelVersion != second {
		t.Errorf("the canary is %+v, want %s", canary, second)
	}
	if n := answered(); n[first] == 0 || n[second] == 0 {
		t.Errorf("with a canary of one half the answers are %v", n)
	}
	p.mustRun(t, nil, "publish")
	if n := answered(); n[first] > 0 {
		t.Errorf("after the promotion of %s the answers are %v", second, n)
	}
	p.mustRun(t, nil, "publish", "rollback")
	if n := answered(); n[second] > 0 {
		t.Errorf("after the rollback to %s the answers are %v", first, n)
	}
}

// mustWalkOn asks serve and λ recommend's code for visitors that have clicked two distant products. They answer alike,
// in the same version. The best product follows on the last click in the direction of that version. It returns how
// many sessions each version answered.
func mustWalkOn(t *testing.T, base string, reader *recommend.Recommender, walks map[string]int) (n map[string]int) {
	t.Helper()
	n = map[string]int{}
	for visitor := range 40 {
		last := visitor
		event := activity.Event{SessionID: fmt.Sprint("visitor ", visitor), BrowseHistory: []activity.Browse{
			{ProductCode: activity.ID(ringItem(last + ringItems/2))}, {ProductCode: activity.ID(ringItem(last))}}}
		answers, err := reader.Batch(t.Context(), []*activity.Event{&event})
		if err != nil {
			t.Fatal(err)
		}
		got := answers[0]
		n[got.ModelVersion]++
		step := walks[got.ModelVersion]
		if best := got.Items[0].ID; best != ringItem(last+step) && best != ringItem(last+2*step) {
			t.Errorf("version %s, whose visitors step by %d, recommends %s after %s", got.ModelVersion, step, best,
				ringItem(last))
		}
		body := fmt.Sprintf(`{"session_id":%q,"browse_history":[{"product_code":%q},{"product_code":%q}]}`,
			event.SessionID, event.BrowseHistory[0].ProductCode, event.BrowseHistory[1].ProductCode)
		var over httpAnswer
		mustAskJSON(t, http.MethodPost, base+"/recommendations", body, &over)
		if over.Recommendation.ModelVersion != got.ModelVersion || len(over.RecommendedItems) == 0 ||
			over.RecommendedItems[0].ID != got.Items[0].ID {
			t.Errorf("serve answers %+v, and λ recommend %+v", over, got)
		}
	}
	return n
}
