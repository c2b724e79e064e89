package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop"
)

// TestGateAsksTheLiveVersion trains a version on the older ratings, and then candidates on all: one
// as good, and one that is crippled.
func TestGateAsksTheLiveVersion(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.1)
	times := make([]int64, 0, len(data.Ratings))
	for _, r := range data.Ratings {
		times = append(times, r.RatedAt)
	}
	slices.Sort(times)
	old := *data
	old.Ratings = slices.DeleteFunc(slices.Clone(data.Ratings),
		func(r evaluation.Rating) bool { return r.RatedAt > times[len(times)*4/5] })
	live := mustTrain(t, Trainer{Config: quick()}, &old)
	if !live.Report.Verdict.Pass || live.Report.Live != nil {
		t.Fatalf("the first version's report is %+v", live.Report)
	}
	good := mustTrain(t, Trainer{Config: quick(), Previous: live}, data)
	if part := good.Report.Live; part == nil || part.Rows[1].Name != modelversion.RowLive || !good.Report.Verdict.Pass {
		t.Errorf("a candidate as good: %+v", good.Report)
	}
	bad := quick()
	bad.Dim, bad.Epochs, bad.TuneBudget = 2, 1, 0
	v := mustTrain(t, Trainer{Config: bad, Previous: live}, data)
	if v.Report.Verdict.Pass || !slices.ContainsFunc(v.Report.Verdict.Reasons,
		func(s string) bool { return strings.Contains(s, "is worse than") }) {
		t.Errorf("a crippled candidate: %+v", v.Report.Verdict)
	}
}

// TestReportAsksFurtherQuestions measures new products and sessions where tastes are planted.
func TestReportAsksFurtherQuestions(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.2)
	v := mustTrain(t, Trainer{Config: quick()}, data)
	cold, sessions := v.Report.ColdStart, v.Report.Sessions
	if cold == nil || sessions == nil {
		t.Fatalf("parts are missing: %+v", v.Report)
	}
	for _, part := range []*modelversion.Part{cold, sessions} {
		for _, r := range part.Rows {
			t.Logf("%s: %s NDCG@10 %.4f, recall@10 %.4f", part.What, r.Name, r.NDCG10, r.Recall10)
		}
	}
	if cold.Rows[0].Recall10 <= cold.Rows[2].Recall10 || cold.Rows[2].Name != modelversion.RowRandom {
		t.Errorf("new products: %+v", cold.Rows)
	}
	if sessions.Rows[0].NDCG10 <= sessions.Rows[4].NDCG10 || sessions.Rows[4].Name != modelversion.RowPopularity {
		t.Errorf("sessions: %+v", sessions.Rows)
	}
}

// TestNoTimesNoSessions: without times nothing is replayed.
func TestNoTimesNoSessions(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.03)
	for i := range data.Ratings {
		data.Ratings[i].RatedAt = 0
	}
	if v := mustTrain(t, Trainer{Config: quick()}, data); v.Report.Sessions != nil {
		t.Errorf("sessions without times: %+v", v.Report.Sessions)
	}
}

func TestATrainingThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.03)
	var said Estimate
	trainer := Trainer{Config: quick(), Memory: 1 << 20, Estimated: func(e Estimate) { said = e }}
	if _, err := trainer.Train(t.Context(), data); !errors.Is(err, ErrMemory) ||
		!strings.Contains(err.Error(), "dimension 16") {
		t.Errorf("with a megabyte: %v", err)
	}
	trainer.Memory = 1 << 40
	if _, err := trainer.Train(t.Context(), data); err != nil || said.Bytes < 1<<20 || said.Seconds <= 0 {
		t.Errorf("with plenty: %v, estimated %+v", err, said)
	}
}

func TestTheEstimateGrowsWithTheData(t *testing.T) {
	t.Parallel()
	small, large := memory(100_000, 20_000, 2_000_000, 64, 2), memory(100_000, 20_000, 20_000_000, 64, 2)
	if grown := large - small; grown < 18_000_000*100 || grown > 18_000_000*300 {
		t.Errorf("2 M interactions %d bytes, 20 M %d", small, large)
	}
}

// TestTheEstimateByRowsIsNeverBelowThatOfTheData: whoever did what.
func TestTheEstimateByRowsIsNeverBelowThatOfTheData(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		customers, products := rapid.IntRange(1, 60).Draw(t, "customers"), rapid.IntRange(1, 60).Draw(t, "products")
		busy := rapid.IntRange(1, customers).Draw(t, "busy customers")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var cells []cell
		for c := range busy {
			for p := range products {
				if rng.IntN(2) == 0 {
					cells = append(cells, cell{int32(c), int32(p), 1})
				}
			}
		}
		cfg := DefaultConfig()
		cfg.Dim = rapid.IntRange(2, 80).Draw(t, "dim")
		known := cfg.estimate(matrix(customers, products, cells), len(cells), 2)
		guess := cfg.estimateRows(customers, products, len(cells), 2)
		if guess.Bytes < known.Bytes || guess.Seconds < known.Seconds {
			t.Fatalf("by rows %+v, by data %+v", guess, known)
		}
	})
}

// mustSeedGuests makes a shop current in which customers and so many guests each buy two products. details
// are those of its manifest.
func mustSeedGuests(t *testing.T, lake objectstore.Store, guests int, details any) {
	t.Helper()
	h := &trainingset.History{Kinds: []string{shop.KindPurchase}}
	none := trainingset.NoNumber()
	for i := range 20 {
		h.Customers = append(h.Customers, shop.Shopper{ID: fmt.Sprintf("c%02d", i)})
		h.Products = append(h.Products, shop.Listing{ID: fmt.Sprintf("p%02d", i), Name: "Product", Available: true})
	}
	for i := range len(h.Customers) + guests {
		who := trainingset.Entry{Customer: int32(i), Session: trainingset.None}
		if i >= len(h.Customers) {
			who = trainingset.Entry{Customer: trainingset.None, Session: int32(len(h.Sessions))}
			h.Sessions = append(h.Sessions, fmt.Sprintf("s%06d", i))
		}
		for j := range 2 {
			who.At, who.Product, who.Order = int64(1e12+i*1000+j), int32((i+7*j)%len(h.Products)), trainingset.None
			who.Value, who.Quantity = none, none
			h.Entries = append(h.Entries, who)
		}
	}
	draft, err := trainingset.WriteHistory(t.TempDir(), h)
	if err != nil {
		t.Fatal(err)
	}
	draft.Details = details
	if _, _, err := commit.NewRepository(lake, envconfig.TrainingSetPrefix).Commit(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
}

// TestSizeCountsGuests: what train size says of a set of guests is not below what training then says. Where
// etl did not count the sessions, their interactions count.
func TestSizeCountsGuests(t *testing.T) {
	t.Parallel()
	const guests = 3000
	for _, test := range []struct {
		details string
		guests  int64
	}{{`{"interactions": {"guests": 6000, "guest_sessions": 3000}}`, guests},
		{`{"interactions": {"guests": 6000}}`, 2 * guests}, {`{}`, 0}} {
		folder := t.TempDir()
		store := objectstore.NewFolder(folder)
		mustSeedGuests(t, store, guests, json.RawMessage(test.details))
		code, stdout, stderr := runTrain(t, "size", "--json", "--lake", "file://"+folder, "--dim", "24", "--epochs", "6",
			"--threads", "2")
		var size struct{ Result Size }
		if err := json.Unmarshal([]byte(stdout), &size); err != nil || code != 0 || size.Result.Guests != test.guests {
			t.Fatalf("size with %s: exit %d, %v, %s%s", test.details, code, err, stdout, stderr)
		}
		var estimate Estimate
		job := Job{Lake: store, Artifacts: store, Config: vectorsAlone(), ScratchDir: t.TempDir(), Threads: 2,
			Estimated: func(e Estimate) { estimate = e }}
		if _, err := job.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if enough := size.Result.Bytes >= estimate.Bytes; enough != (test.guests > 0) {
			t.Errorf("with %s, size says %d bytes and training %d", test.details, size.Result.Bytes, estimate.Bytes)
		}
	}
}

// TestSizeSaysWhetherThisMachineIsEnough: by memory, and by time if asked.
func TestSizeSaysWhetherThisMachineIsEnough(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if code, _, stderr := runTrain(t, "size", "--lake", "file://"+folder); code != 1 || !strings.Contains(stderr,
		"run etl first") {
		t.Errorf("before etl: exit %d, %s", code, stderr)
	}
	mustSeed(t, objectstore.NewFolder(folder), 1)
	for _, test := range []struct {
		code int
		args []string
	}{{0, nil}, {0, []string{"--memory", "1000000000", "--most-hours", "1"}}, {3, []string{"--memory", "1000"}},
		{3, []string{"--most-hours", "0.001"}}, {2, []string{"--dim", "1"}}} {
		code, stdout, stderr := runTrain(t, append([]string{"size", "--lake", "file://" + folder}, test.args...)...)
		if code != test.code || code != 2 && !strings.Contains(stdout, "takes up to") ||
			(code == 3) != strings.Contains(stderr, "Spark") {
			t.Errorf("size %v: exit %d, want %d: %s%s", test.args, code, test.code, stdout, stderr)
		}
	}
}
