package train

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/model/nextitem"
	"kindred/internal/platform/envconfig"
)

// ring is sessions that walk along a ring of items, or jump at random.
func ring(sessions int, atRandom bool) *nextitem.Log {
	const items = 60
	rng := rand.New(rand.NewPCG(3, 1))
	l := &nextitem.Log{}
	for i := range items {
		l.Items = append(l.Items, fmt.Sprint("p", i))
	}
	for s := range sessions {
		at, session := rng.IntN(items), nextitem.Session{}
		for i := range 2 + rng.IntN(5) {
			session.Items, session.Times = append(session.Items, int32(at)), append(session.Times, float64(100*s+i))
			if at = (at + 1 + rng.IntN(2)) % items; atRandom {
				at = rng.IntN(items)
			}
		}
		l.Sessions = append(l.Sessions, session)
	}
	return l
}

func mustClicksJob(t *testing.T, store objectstore.Store, l *nextitem.Log, hash string) *Result {
	t.Helper()
	result, err := clicksJob(store, l, hash).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func clicksJob(store objectstore.Store, l *nextitem.Log, hash string) ClicksJob {
	return ClicksJob{Artifacts: store, Log: l, Hash: hash, LargestDim: 8, Epochs: 3, Seed: 1, Threads: 2,
		Progress: func(string, int64, int64) {}}
}

// TestSessionsBecomeAVersion: what can be learned passes the gate, noise does not, a second run changes nothing, and a
// version of sessions is not what train compares with.
func TestSessionsBecomeAVersion(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	const first, second = "0123456789abcdef0", "1123456789abcdef0"
	result := mustClicksJob(t, store, ring(400, false), first)
	if v := result.Report.Verdict; result.NoOp || v.Decision() != modelversion.OutcomePassed ||
		len(result.Report.Rows) != 3 {
		t.Errorf("the first run: %+v", result)
	}
	models := commit.NewRepository(store, envconfig.ModelPrefix)
	v, err := modelfile.Read(t.Context(), models, "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if v.ID != result.ModelVersion || v.Solver.Clicks == nil || len(v.Customers) != 0 || len(v.Items) != 60 {
		t.Errorf("version %s has %d customers and %d items", v.ID, len(v.Customers), len(v.Items))
	}
	noise := mustClicksJob(t, store, ring(400, true), second)
	if noise.Report.Verdict.Decision() != modelversion.OutcomeRefused || noise.ModelVersion == result.ModelVersion {
		t.Errorf("of noise: %+v", noise.Report.Verdict)
	}
	again := mustClicksJob(t, store, ring(400, false), first)
	if !again.NoOp || again.ModelVersion != result.ModelVersion ||
		again.Config.Clicks.Options != result.Config.Clicks.Options {
		t.Errorf("again: %+v", again)
	}
	if m, err := models.Current(t.Context()); err != nil || m.Run != result.ModelVersion {
		t.Errorf("current is %s, %v", m.Run, err)
	}
	past, err := Job{Artifacts: store}.history(t.Context(), models, nil, "")
	if err != nil || past.previous != "" || past.judged {
		t.Errorf("train compares with %+v, %v", past, err)
	}
}

// TestFewSessionsAreRefused: nothing is committed.
func TestFewSessionsAreRefused(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	if _, err := clicksJob(store, ring(fewestSessions-1, false), "0123456789abcdef0").Run(t.Context()); !errors.Is(err,
		ErrFewSessions) {
		t.Errorf("error %v", err)
	}
	if _, err := commit.NewRepository(store, envconfig.ModelPrefix).Current(t.Context()); !errors.Is(err,
		commit.ErrNoCurrent) {
		t.Errorf("error %v", err)
	}
}
