package train

import (
	"encoding/json"
	"strings"
	"testing"

	"kindred/internal/lake/objectstore"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
)

func mustNotes(t *testing.T, v *modelversion.Version) (notes Notes) {
	t.Helper()
	if err := json.Unmarshal(v.Training, &notes); err != nil {
		t.Fatal(err)
	}
	return notes
}

// onePerPair keeps the first rating of each customer and product.
func onePerPair(ratings []evaluation.Rating) (kept []evaluation.Rating) {
	seen := map[[2]int32]bool{}
	for _, r := range ratings {
		if pair := [2]int32{r.Customer, r.Product}; !seen[pair] {
			seen[pair] = true
			kept = append(kept, r)
		}
	}
	return kept
}

// TestConfidenceOfStars: a like counts whole, each star less half of the one above, and what was seen
// without stars nothing.
func TestConfidenceOfStars(t *testing.T) {
	t.Parallel()
	s := Signal{MinStars: 4, Lukewarm: 0.5}
	for stars, want := range []float32{0, 0.125, 0.25, 0.5, 1, 1} {
		if got := s.confidence(int8(stars)); got != want {
			t.Errorf("%d stars: %g, want %g", stars, got, want)
		}
	}
	if s.Lukewarm = 0; s.confidence(3) != 0 {
		t.Errorf("without weak likes three stars count %g", s.confidence(3))
	}
}

// TestWeakLikesAreChosenWhereTheyHelp: in the generated shop people choose by taste what they rate. The
// chosen version has a name of its own, a second run changes nothing, and it says what it gained.
func TestWeakLikesAreChosenWhereTheyHelp(t *testing.T) {
	t.Parallel()
	lake, artifacts := objectstore.NewFolder(t.TempDir()), objectstore.NewFolder(t.TempDir())
	mustSeed(t, lake, 1)
	run := func(lukewarm string) *Result {
		cfg := quick()
		cfg.Lukewarm = lukewarm
		r, err := Job{Lake: lake, Artifacts: artifacts, Config: cfg, ScratchDir: t.TempDir()}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first, again, without := run(LukewarmAuto), run(LukewarmAuto), run("")
	used := first.Config.Lukewarm
	if used == nil || used.Low <= 0 || used.Gain < used.Low || used.Gain > used.High || used.Weight <= 0 ||
		first.Config.Config.Lukewarm != LukewarmAuto {
		t.Fatalf("weak likes %+v", first.Config)
	}
	if !again.NoOp || again.ModelVersion != first.ModelVersion {
		t.Errorf("the same input once more: %+v, not %s", again, first.ModelVersion)
	}
	if without.Config.Lukewarm != nil || without.ModelVersion == first.ModelVersion {
		t.Errorf("without weak likes: %+v, version %s", without.Config, without.ModelVersion)
	}
	var text strings.Builder
	first.configuration(&text)
	if !strings.Contains(text.String(), "Stars below a like are weak likes") {
		t.Errorf("it says: %s", text.String())
	}
}

// TestOutcomesAreDistinct: each is the name of another version, and the last one has nothing besides vectors.
func TestOutcomesAreDistinct(t *testing.T) {
	t.Parallel()
	for parts, outcomes := range map[string]int{PartsAuto: 4, PartsVectors: 2, "": 2} {
		cfg := DefaultConfig()
		cfg.Parts = parts
		all := cfg.outcomes()
		if len(all) != outcomes {
			t.Errorf("parts %q: %d outcomes, want %d", parts, len(all), outcomes)
		}
		if last := all[len(all)-1]; last.Lukewarm != "" || last.Parts == PartsAuto {
			t.Errorf("the last outcome of parts %q is %+v", parts, last)
		}
	}
}

// TestEvaluateLearnsFromWeakLikes: the row kindred is as without them but for what it must not rank.
func TestEvaluateLearnsFromWeakLikes(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.4)
	trainer, signal := Trainer{Config: quick()}, DefaultConfig().Signal
	cut := trainer.split(data, data.Ratings)
	pairs := func(ratings []evaluation.Rating, liked bool) *evaluation.Pairs {
		var kept []evaluation.Rating
		for _, r := range ratings {
			if liked && signal.Preference(r.Stars) > 0 || !liked && r.Stars == signal.MinStars-1 {
				kept = append(kept, r)
			}
		}
		return evaluation.NewPairs(len(data.Customers), len(data.Products), kept)
	}
	e := &Evaluation{Train: pairs(cut.Train, true), Test: pairs(cut.Held, true), Lukewarm: pairs(cut.Train, false),
		Rows: []string{RowNear}, LargestDim: 16, TuneBudget: 1, Epochs: 8, Seed: 1, Threads: 2,
		Progress: func(string, int64, int64) {}, Measured: func(EvaluationRow) {}}
	result, err := e.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	row := result.Rows[len(result.Rows)-1]
	used, _ := row.Options["lukewarm"].(*UsedLukewarm)
	if used == nil || row.OverKindred == nil || row.OverKindred.NDCG20.High <= 0 {
		t.Fatalf("weak likes %+v, over kindred %+v", used, row.OverKindred)
	}
	if !strings.Contains(result.table(), "Stars below a like are weak likes") {
		t.Errorf("the table says: %s", result.table())
	}
}
