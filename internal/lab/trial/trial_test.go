package trial

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/train"
	"kindred/internal/lab/simulation"
	"kindred/internal/lab/visitor"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
)

// mustModel trains on a generated shop.
func mustModel(t *testing.T, s *simulation.Shop) *modelversion.Version {
	t.Helper()
	data := train.NewData(s.Customers(), s.Products(), nil)
	who, what := map[string]int32{}, map[string]int32{}
	for i, c := range data.Customers {
		who[c.ID] = int32(i)
	}
	for i, p := range data.Products {
		what[p.ID] = int32(i)
	}
	for r := range s.Ratings() {
		data.Ratings = append(data.Ratings,
			evaluation.Rating{Customer: who[r.CustomerID], Product: what[r.ProductCode], Stars: r.Stars,
				RatedAt: r.RatedAt.Unix()})
	}
	cfg := train.DefaultConfig()
	cfg.Dim, cfg.TuneBudget, cfg.Epochs = 8, 0.05, 6
	job := train.Trainer{Config: cfg, Threads: 2}
	v, err := job.Train(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	v.ID = "m0123456789abcde"
	return v
}

// TestKindredBeatsPopularityAndStaysBelowTheCeiling runs the comparison of `replay compare` on a small shop.
func TestKindredBeatsPopularityAndStaysBelowTheCeiling(t *testing.T) {
	t.Parallel()
	s, err := simulation.New(simulation.DefaultConfig(0.1))
	if err != nil {
		t.Fatal(err)
	}
	v := mustModel(t, s)
	deaf := *v
	deaf.ID, deaf.Solver.ViewWeight, deaf.Solver.CartWeight = "m0000000000000001", 0, 0 // hears nothing of the session
	crowd, err := visitor.New(visitor.Config{Seed: 3}, s.Products(), visitor.NewPlanted(s))
	if err != nil {
		t.Fatal(err)
	}
	run := func(threads int) *Result {
		t.Helper()
		r, err := Trial{Crowd: crowd, Sessions: 400, Versions: []*modelversion.Version{v, &deaf},
			Threads: threads}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := (Trial{Crowd: crowd, Sessions: 400, Versions: []*modelversion.Version{v}}).Run(stopped); !errors.Is(err,
		context.Canceled) {
		t.Errorf("a trial that was stopped says %v", err)
	}
	r := run(2)
	if diff := cmp.Diff(r, run(1)); diff != "" {
		t.Errorf("threads change the figures:\n%s", diff)
	}
	differences := map[string]Difference{}
	for _, d := range r.Groups[0].Differences {
		differences[d.Of+" - "+d.Minus] = d
	}
	for _, want := range []string{"kindred - popularity", "ceiling - kindred"} {
		if d := differences[want]; d.Low <= 0 || d.Better <= d.Worse {
			t.Errorf("%s: %+v", want, d)
		}
	}
	sessions := 0
	for _, g := range r.Groups[1:] {
		sessions += g.Sessions
		for _, d := range g.Differences {
			// For somebody whom the model knows, no weight on the session is last night's vector.
			if g.Who == "customer" && d.Of == "kindred "+deaf.ID {
				rows := map[string]Row{}
				for _, row := range g.Rows {
					rows[row.Name] = row
				}
				if a, b := rows[d.Of].HitRate, rows[RowLastNight].HitRate; math.Abs(a-b) > 1e-12 {
					t.Errorf("hit rate without weight on the session %v, of last night %v", a, b)
				}
			}
		}
	}
	if sessions != 400 || r.Groups[0].Sessions != 400 || len(r.Groups) != 4 {
		t.Errorf("groups have %d sessions: %+v", sessions, r.Groups)
	}
	if table := r.Table(); !strings.Contains(table, "kindred - last night") || !strings.Contains(table, "anonymous") {
		t.Errorf("table:\n%s", table)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestAShopWithoutPlantedTastesIsRefused(t *testing.T) {
	t.Parallel()
	_, err := crowd(t.Context(), objectstore.NewFolder(t.TempDir()), []*modelversion.Version{{}}, 1)
	if !errors.Is(err, ErrNoTruth) {
		t.Errorf("error %v", err)
	}
}
