package etl

import (
	"regexp"
	"testing"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/golden"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// TestGoldenTrainingSet holds the two JSON files of a training set. Only the time of creation
// depends on when the test runs.
func TestGoldenTrainingSet(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := small()
	s.schema = mysqlsource.Schema{
		Customers: []mysqlsource.Column{{Name: "customerNumber", Type: "integer", Length: 4, Contract: true}},
		Products: []mysqlsource.Column{{Name: "buyPrice", Type: "decimal", Length: 10, Decimals: 2, Contract: true},
			{Name: "productDescription", Type: "text", Length: 16383}},
		Ratings: []mysqlsource.Column{{Name: "productRating", Type: "integer", Length: 1, Contract: true}},
	}
	s.position = mysqlsource.Position{Server: "10.11.14-MariaDB", Database: "shop", BinlogFile: "binlog.000042",
		BinlogPosition: 1187, GTID: "0-1-96", Exact: true}
	s.ratings = append(s.ratings, shop.Rating{CustomerID: "99", ProductCode: "b", Stars: 4, RatedAt: &at})
	store := objectstore.NewFolder(t.TempDir())
	m, _ := mustRun(t, s, commit.NewRepository(store, "training-set"))
	for name, key := range map[string]string{
		"CURRENT.json":  "training-set/CURRENT",
		"manifest.json": "training-set/run=" + m.Run + "/manifest.json",
	} {
		data, _, err := objectstore.ReadAll(t.Context(), store, key)
		if err != nil {
			t.Fatal(err)
		}
		data = regexp.MustCompile(`"created_at": "[^"]+"`).ReplaceAll(data, []byte(`"created_at": "2026-03-01T12:00:07Z"`))
		data = regexp.MustCompile(`"manifest_sha256": ?"[0-9a-f]{64}"`).ReplaceAll(data,
			[]byte(`"manifest_sha256":"(64 hex digits)"`))
		golden.Equal(t, name, golden.Indent(t, data))
	}
}

// TestGoldenPartition holds what workers leave for one another: the plan, and what one partition wrote.
func TestGoldenPartition(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := commit.NewRepository(store, "training-set")
	s := small()
	s.position = mysqlsource.Position{Server: "10.11.14-MariaDB", Database: "shop", BinlogFile: "binlog.000042",
		BinlogPosition: 1187, Exact: true}
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	if _, _, err := RunPartition(t.Context(), s, repo, Job{Name: "nightly", Partitions: 2}, 0,
		Options{ScratchDir: t.TempDir(), Now: now}); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{
		"plan.json": "training-set/run=nightly/plan.json",
		"part.json": "training-set/run=nightly/parts/00000.json",
	} {
		data, _, err := objectstore.ReadAll(t.Context(), store, key)
		if err != nil {
			t.Fatal(err)
		}
		golden.Equal(t, name, golden.Indent(t, data))
	}
}
