package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/train"
	"kindred/internal/lake/interaction"
)

// clickPath is the products that a visitor clicks, one after the other: none twice in a row.
func clickPath(rng *rand.Rand, clicks int) (path []string) {
	at := rng.IntN(ringItems)
	for range clicks {
		path = append(path, ringItem(at))
		at += 1 + rng.IntN(2)
		if rng.IntN(4) == 0 && len(path) > 1 { // back to an earlier one
			at = rng.IntN(ringItems)
		}
		for ringItem(at) == path[len(path)-1] {
			at++
		}
	}
	return path
}

// mustTellWalks records walks in all ways in which a producer may tell them: the whole history with each click, its
// newest products, the new one alone, or events of views. Pages ask again, and for several lists.
func mustTellWalks(w *told, rng *rand.Rand, sessions int) (paths map[string][]string) {
	paths = map[string][]string{}
	for s := range sessions {
		session, path, customer := fmt.Sprint("walk-", s), clickPath(rng, 1+rng.IntN(8)), int32(0)
		paths[session] = path
		if s%3 == 0 {
			customer = int32(100 + s)
		}
		window := []int{len(path), 3, 1, 0}[rng.IntN(4)]
		start := rng.IntN(5000)
		for i, product := range path {
			if window == 0 {
				w.said(session, "", start+10*i, "view", product, "")
				continue
			}
			history := strings.Join(path[max(0, i+1-window):i+1], " ")
			for again := range 1 + rng.IntN(3) {
				w.answer(session, customer, start+10*i+again, "m", history, "ring-0")
			}
		}
	}
	return paths
}

// TestFeedbackFindsTheClicksOfSessions in their order and each once, in whatever way they were told. Then `train
// sessions` learns from them.
func TestFeedbackFindsTheClicksOfSessions(t *testing.T) {
	t.Parallel()
	w := &told{t: t, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	want := mustTellWalks(w, rand.New(rand.NewPCG(9, 9)), 400)
	job := w.mustJob()
	if _, err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	clicks, _, err := interaction.ReadClicks(t.Context(), job.Lake, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, c := range clicks {
		got[c.SessionID] = append(got[c.SessionID], c.ProductCode)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clicks by session (-want +got):\n%s", diff)
	}

	p := mustPrograms(t, map[string]string{"LAKE_BUCKET": job.Lake.String(), "ARTIFACTS_BUCKET": "file://" + t.TempDir()},
		"train")
	var made train.Result
	p.mustRun(t, &made, "train", "sessions", "--largest-dim", "16")
	learned := 0
	for _, path := range want {
		if len(path) > 1 {
			learned += len(path)
		}
	}
	if made.Config.Clicks == nil || made.Config.Clicks.Clicks != learned {
		t.Errorf("it learned from %+v, want %d clicks", made.Config.Clicks, learned)
	}
	none := mustPrograms(t, map[string]string{"LAKE_BUCKET": "file://" + t.TempDir(),
		"ARTIFACTS_BUCKET": "file://" + t.TempDir()}, "train")
	if code, says := none.run(t, nil, "train", "sessions"); code != 2 || !strings.Contains(says, "run feedback first") {
		t.Errorf("without clicks: exit %d, %s", code, says)
	}
}
