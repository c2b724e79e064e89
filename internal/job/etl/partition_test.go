package etl

import (
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop/mysqlsource"
)

// mustParts runs the partitions of a job, each with its own source.
func mustParts(t *testing.T, repo *commit.Repository, job string, sources ...*table) {
	t.Helper()
	for i, s := range sources {
		if _, _, err := RunPartition(t.Context(), s, repo, Job{Name: job, Partitions: len(sources)}, i,
			Options{ScratchDir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
	}
}

func mustSet(t *testing.T, repo *commit.Repository) *trainingset.Set {
	t.Helper()
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := trainingset.Read(t.Context(), repo, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	set.Run, set.ContentHash = "", ""
	return set
}

func TestPartitionsAreOneSetWithTheSameContentEachTime(t *testing.T) {
	t.Parallel()
	single := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	mustRun(t, small(), single)
	var hashes []string
	for range 2 {
		repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
		mustParts(t, repo, "j", small(), small(), small()) // the third has no customers
		out, err := CommitParts(t.Context(), repo, "j", Options{Limits: few}, PartsOptions{MaxSpread: time.Hour})
		if err != nil || !out.Changed || out.Details.Counts.Read != 200 {
			t.Fatalf("%+v, error %v", out, err)
		}
		if diff := gocmp.Diff(mustSet(t, single), mustSet(t, repo)); diff != "" {
			t.Errorf("rows (-single +partitions):\n%s", diff)
		}
		hashes = append(hashes, out.Manifest.ContentHash)
	}
	if hashes[0] != hashes[1] {
		t.Errorf("content %s and %s of the same rows in the same partitions", hashes[0], hashes[1])
	}
}

// Two attempts of one task read different moments: the first to finish counts, and the other's
// files hurt nobody.
func TestOfTwoAttemptsOfATaskTheFirstToFinishCounts(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	job := Job{Name: "j", Partitions: 1}
	slow := small()
	var fast Part
	slow.after = func() { // when the slow one has read everything
		later := small()
		later.ratings[0].Stars = 5
		var err error
		if fast, _, err = RunPartition(t.Context(), later, repo, job, 0, Options{ScratchDir: t.TempDir()}); err != nil {
			t.Error(err)
		}
	}
	part, done, err := RunPartition(t.Context(), slow, repo, job, 0, Options{ScratchDir: t.TempDir()})
	if err != nil || !done {
		t.Fatalf("done %v, error %v, want the other attempt's part", done, err)
	}
	if diff := gocmp.Diff(fast.Files, part.Files); diff != "" {
		t.Errorf("files (-first +second):\n%s", diff)
	}
	if _, err := CommitParts(t.Context(), repo, "j", Options{Limits: few},
		PartsOptions{MaxSpread: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if set := mustSet(t, repo); len(set.Interactions) != 200 {
		t.Errorf("%d ratings, want 200", len(set.Interactions))
	}
}

func TestPartitionsOfDifferentMomentsAreToldApart(t *testing.T) {
	t.Parallel()
	at := func(position int64, exact bool) *table {
		s := small()
		s.position = mysqlsource.Position{Database: "test", BinlogFile: "b.1", BinlogPosition: position, Exact: exact}
		return s
	}
	tests := []struct {
		name    string
		sources []*table
		same    bool
	}{
		{"the same place, exact", []*table{at(7, true), at(7, true)}, true},
		{"the same place, not exact", []*table{at(7, false), at(7, false)}, false},
		{"another place", []*table{at(7, true), at(8, true)}, false},
	}
	for _, test := range tests {
		repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
		mustParts(t, repo, "j", test.sources...)
		_, err := CommitParts(t.Context(), repo, "j", Options{Limits: few},
			PartsOptions{MaxSpread: time.Hour, SameMoment: true})
		if (err == nil) != test.same || err != nil && !errors.Is(err, ErrPartition) {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
}

func TestPartitionsTooFarApartAreRefused(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	start := time.Now()
	for i := range 2 {
		o := Options{ScratchDir: t.TempDir(), Now: func() time.Time { return start.Add(time.Duration(i) * 90 * time.Minute) }}
		if _, _, err := RunPartition(t.Context(), small(), repo, Job{Name: "j", Partitions: 2}, i, o); err != nil {
			t.Fatal(err)
		}
	}
	_, err := CommitParts(t.Context(), repo, "j", Options{Limits: few}, PartsOptions{MaxSpread: time.Hour})
	if !errors.Is(err, ErrPartition) || !strings.Contains(err.Error(), "1h30m0s apart, at most 1h0m0s") {
		t.Errorf("error %v", err)
	}
	out, err := CommitParts(t.Context(), repo, "j", Options{Limits: few},
		PartsOptions{MaxSpread: 2 * time.Hour, TrustSizes: true})
	if err != nil || out.Details.Partitions.spread() != 90*time.Minute {
		t.Errorf("%+v, error %v", out.Details.Partitions, err)
	}
}

func TestNoPartitionIsReadAgainOrUnderAnotherRunsName(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	old, _ := mustRun(t, small(), repo)
	o := Options{ScratchDir: t.TempDir()}
	if _, _, err := RunPartition(t.Context(), small(), repo, Job{Name: old.Run, Partitions: 1}, 0, o); !errors.Is(err,
		ErrPartition) {
		t.Errorf("a job named as a run: error %v", err)
	}
	job := Job{Name: "j", Partitions: 1}
	if _, done, err := RunPartition(t.Context(), small(), repo, job, 0, o); done || err != nil {
		t.Fatalf("done %v, error %v", done, err)
	}
	broken := small()
	broken.err = errors.New("read again")
	if _, done, err := RunPartition(t.Context(), broken, repo, job, 0, o); !done || err != nil {
		t.Errorf("done %v, error %v", done, err)
	}
}
