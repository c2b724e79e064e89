package train

import (
	"encoding/json"
	"strings"
	"testing"

	"kindred/internal/lake/interaction"
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
	s := Signal{MinStars: 4, WeakLike: 0.5}
	for stars, want := range []float32{0, 0.125, 0.25, 0.5, 1, 1} {
		if got := s.confidence(int8(stars)); got != want {
			t.Errorf("%d stars: %g, want %g", stars, got, want)
		}
	}
	if s.WeakLike = 0; s.confidence(3) != 0 {
		t.Errorf("without weak likes three stars count %g", s.confidence(3))
	}
}

// TestWeakLikesAreNoSurerForBeingBoughtAgain: a disliked product does not become a like.
func TestWeakLikesAreNoSurerForBeingBoughtAgain(t *testing.T) {
	t.Parallel()
	repeat := 1.0
	s := Signal{MinStars: 4, WeakLike: 0.8, FeedbackPurchase: 1, Repeat: &repeat}
	var again []Feedback
	for product := range int32(2) {
		for range 7 {
			again = append(again, Feedback{0, product, interaction.Purchase, 1})
		}
	}
	cells := s.cells([]evaluation.Rating{{Product: 0, Stars: 3}, {Product: 1, Stars: 4}}, again)
	if len(cells) != 2 || cells[0].weight != 0.8 || cells[1].weight != 4 {
		t.Errorf("three and four stars, bought eight times: %+v", cells)
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
	first, again, without, none := run(LukewarmAuto), run(LukewarmAuto), run(""), run(LukewarmNone)
	used := first.Config.Lukewarm
	if used == nil || used.Low <= 0 || used.Gain < used.Low || used.Gain > used.High || used.Weight <= 0 ||
		first.Config.Config.Lukewarm != LukewarmAuto {
		t.Fatalf("weak likes %+v", first.Config)
	}
	if !again.NoOp || again.ModelVersion != first.ModelVersion {
		t.Errorf("the same input once more: %+v, not %s", again, first.ModelVersion)
	}
	if !none.NoOp || none.ModelVersion != without.ModelVersion {
		t.Errorf("not tried: version %s, before weak likes there were it was %s", none.ModelVersion, without.ModelVersion)
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

// TestOutcomesAreDistinct: each names another version, and the last one has nothing besides vectors. Its
// name is the one from before there were parts and weak likes.
func TestOutcomesAreDistinct(t *testing.T) {
	t.Parallel()
	plain := DefaultConfig()
	plain.Parts, plain.Lukewarm = "", ""
	before, err := inputHash("set", "", plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	for parts, outcomes := range map[string]int{PartsAuto: 4, PartsVectors: 2, "": 2} {
		cfg := DefaultConfig()
		cfg.Parts = parts
		all := cfg.outcomes()
		if len(all) != outcomes {
			t.Errorf("parts %q: %d outcomes, want %d", parts, len(all), outcomes)
		}
		names := map[string]bool{}
		for _, c := range all {
			name, err := inputHash("set", "", c, nil)
			if err != nil {
				t.Fatal(err)
			}
			names[name] = true
		}
		if len(names) != outcomes || names[before] != (parts != PartsVectors) {
			t.Errorf("parts %q: names %v, want %d, and %s unless parts are given", parts, names, outcomes, before)
		}
		if last := all[len(all)-1]; last.Lukewarm != "" || last.Parts == PartsAuto {
			t.Errorf("the last outcome of parts %q is %+v", parts, last)
		}
	}
}

// TestEvaluateLearnsFromWeakLikes: they are chosen on the training file, and rank the test file better.
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
	used, _ := row.Options["lukewarm"].(*UsedWeight)
	if used == nil || row.NDCG20 <= result.Rows[0].NDCG20 {
		t.Fatalf("weak likes %+v, rows %+v", used, result.Rows)
	}
	if !strings.Contains(result.table(), "Stars below a like are weak likes") {
		t.Errorf("the table says: %s", result.table())
	}
}
