package infer

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/inferred"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// listed are a version's customers.
type listed []string

func (l listed) Customers(_ context.Context, _, after string, most int) (ids []string, err error) {
	at, found := slices.BinarySearch(l, after)
	if found {
		at++
	}
	return l[at:min(len(l), at+most)], nil
}

// everybody are more than are answered at once: those of the test version, and many whom it does not know.
func everybody() listed {
	all := listed{recommendtest.CustomerOfLine1, recommendtest.CustomerFeatures, recommendtest.CustomerOfAll, `a "b", c`}
	for i := range 2 * together {
		all = append(all, fmt.Sprintf("stranger %04d", i))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// mustRead returns the rows of the current run's files, which must agree.
func mustRead(t *testing.T, lake objectstore.Store) (rows []inferred.Row, m commit.Manifest) {
	t.Helper()
	repo := commit.NewRepository(lake, envconfig.InferredPrefix)
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range m.Files {
		if err := repo.Fetch(t.Context(), m, f, filepath.Join(dir, f.Path)); err != nil {
			t.Fatal(err)
		}
	}
	if rows, err = parquet.ReadFile[inferred.Row](filepath.Join(dir, "recommendations.parquet")); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(dir, "recommendations.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(file).ReadAll()
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		want := []string{r.CustomerID, strconv.Itoa(int(r.Place)), r.ProductID,
			strconv.FormatFloat(float64(r.Score), 'g', -1, 32), r.Source}
		if i+1 >= len(lines) || !slices.Equal(lines[i+1], want) {
			t.Fatalf("row %d of the CSV file is not %v", i, want)
		}
	}
	if len(lines) != len(rows)+1 {
		t.Fatalf("%d lines of CSV for %d rows", len(lines), len(rows))
	}
	return rows, m
}

// TestEveryCustomerGetsTheAnswerOfServe: with rules and without, also where a canary runs, and a second run of the same
// changes nothing.
func TestEveryCustomerGetsTheAnswerOfServe(t *testing.T) {
	t.Parallel()
	for name, control := range map[string]*activity.Control{"bare": nil, "ruled": {Limit: new(7),
		Filter: `!product.id.startsWith("L1")`, Boost: []activity.Boost{{Where: `product.id == "L2_03"`, Factor: 10}},
		Exclude: []activity.ID{"L0_05"}}} {
		store := recommendtest.NewStore(recommendtest.Version("m1"))
		all, lake := everybody(), objectstore.NewFolder(t.TempDir())
		alone := recommend.New(store)
		var want []inferred.Row
		for _, id := range all {
			answers, err := alone.Batch(t.Context(), []*activity.Event{{CustomerID: (*activity.ID)(&id), Control: control}})
			if err != nil {
				t.Fatal(err)
			}
			for i, it := range answers[0].Items {
				want = append(want, inferred.Row{CustomerID: id, Place: int32(i + 1), ProductID: it.ID, Score: it.Score,
					Source: string(answers[0].Source)})
			}
		}
		store.Canary(recommendtest.Version("m2"), 0.5)
		run := func() *Result {
			r, err := Job{Recommender: recommend.New(store), Customers: all, Control: control, Lake: lake,
				ScratchDir: t.TempDir(), Progress: func(string, int64, int64) {}}.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := run()
		got, m := mustRead(t, lake)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", name, diff)
		}
		if r.NoOp || r.ModelVersion != "m1" || r.Customers != int64(len(all)) || r.Rows != int64(len(got)) || m.Run != r.Run {
			t.Errorf("%s: %+v", name, r)
		}
		if again := run(); !again.NoOp || again.Run != r.Run {
			t.Errorf("%s: the second run: %+v", name, again)
		}
	}
}

// TestNothingIsCurrentAfterAFailure: not even when most customers were answered.
func TestNothingIsCurrentAfterAFailure(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	lake, calls := objectstore.NewFolder(t.TempDir()), 0
	job := Job{Recommender: recommend.New(store), Customers: everybody(), Lake: lake, ScratchDir: t.TempDir(),
		Progress: func(string, int64, int64) {
			if calls++; calls == 2 {
				store.Fail(func(context.Context) error { return errors.New("down") })
			}
		}}
	if r, err := job.Run(t.Context()); err == nil {
		t.Errorf("%+v", r)
	}
	if m, err := commit.NewRepository(lake, envconfig.InferredPrefix).Current(t.Context()); !errors.Is(err,
		commit.ErrNoCurrent) {
		t.Errorf("%+v, %v", m, err)
	}
	if left, err := os.ReadDir(job.ScratchDir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}

// TestWrongRulesAreNamed before anything is asked.
func TestWrongRulesAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []Command{{Limit: 101}, {Limit: 10, Boost: []string{"x"}}, {Limit: 10, Diversity: "price:1"},
		{Limit: 10, MinShare: []string{"2:product.available"}}} {
		if control, err := c.control(); err == nil {
			t.Errorf("%+v: %+v", c, control)
		}
	}
	control := &activity.Control{Filter: "product.colour"}
	var wrong *recommend.QueryError
	if r, err := (Job{Recommender: recommend.New(recommendtest.NewStore(recommendtest.Version("m1"))),
		Control: control}).Run(t.Context()); !errors.As(err, &wrong) {
		t.Errorf("%+v, %v", r, err)
	}
}
