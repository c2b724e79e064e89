package integration

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/feedback"
	"kindred/internal/job/rollup"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
)

// recipe is a statement of docs/lake.md. What follows comes before it on the page.
var recipe = regexp.MustCompile("(?m)(?:^<!-- (first)? ?(athena)? ?-->\n)?^```sql\n((?s:.*?))^```$")

// TestRecipesOfTheLake runs every statement of docs/lake.md in DuckDB on training sets, versions, records,
// quarantine, interactions, outcomes and a roll-up, as the page says, and each finds something. What the page gives for
// Athena means the same in Trino's dialect.
func TestRecipesOfTheLake(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "lake.md"))
	if err != nil {
		t.Fatal(err)
	}
	duckdb := filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")
	dir := mustLake(t, duckdb)
	var first string
	var athena []string
	asked := 0
	for _, found := range recipe.FindAllSubmatch(page, -1) {
		sql := string(found[3])
		if string(found[2]) == "athena" {
			athena = append(athena, sql)
		}
		if string(found[1]) == "first" {
			first += sql
			continue
		}
		asked++
		command := exec.Command(duckdb, "-batch", "-bail", "-json", ":memory:")
		command.Dir = dir
		command.Stdin = strings.NewReader(first + sql)
		out, err := command.CombinedOutput()
		var rows []map[string]any
		if parsed := json.Unmarshal(out, &rows); err != nil || parsed != nil || len(rows) == 0 || empty(rows[0]) {
			t.Errorf("%v, %v:\n%s\n%s", err, parsed, sql, out)
		}
	}
	if asked < 7 || len(athena) < 4 {
		t.Errorf("the page has %d statements, %d of them for Athena", asked, len(athena))
	}
	command := exec.Command("python3", "-c", dialects)
	command.Env = append(os.Environ(), "PYTHONPATH="+mustPython(t, "sqlglot-30.30.0", "sqlglot==30.30.0"))
	command.Stdin = strings.NewReader(strings.Join(athena, "\n"))
	if out, err := command.CombinedOutput(); err != nil || strings.Count(string(out), "SELECT") < len(athena) {
		t.Errorf("%v: %s", err, out)
	}
}

// empty says whether a row has nothing but NULL.
func empty(row map[string]any) bool {
	for _, value := range row {
		if value != nil {
			return false
		}
	}
	return true
}

// mustLake makes a folder with copies of the three buckets: what the programs of 7ca8cf2 wrote, records of visits,
// what feedback and rollup make of them, and quarantine.
func mustLake(t *testing.T, duckdb string) string {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{"lake": "lake", "artifacts": "artifacts"} {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(filepath.Join(yesterdaysFolder, from))); err != nil {
			t.Fatal(err)
		}
	}
	w := &told{t: t, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	w.experiment, w.arm = "new-model", "treatment"
	w.answer("s1", 101, 0, yesterdaysVersion, "", "S10_1678 S10_1949")
	w.answer("s1", 101, 5, yesterdaysVersion, "S10_1949", "S10_2016")
	w.answer("s2", 0, 24*60, yesterdaysVersion, "S10_1949", "S10_2016")
	w.answer("s3", 0, 48*60, yesterdaysVersion, "", "S10_2016")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(w.records.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	records := objectstore.NewFolder(filepath.Join(dir, "records"))
	put := func(key string, data []byte) {
		t.Helper()
		_, err := records.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), objectstore.Condition{})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(envconfig.RecommendationPrefix+"dt=2026-03-01/hour=00/plain", w.records.Bytes())
	put(envconfig.RecommendationPrefix+"dt=2026-03-01/hour=01/packed.gz", packed.Bytes()) // the same ones again
	// A roll-up keeps latencies of the last month only.
	lately := &told{t: t, start: time.Now().UTC().Add(-2 * time.Hour)}
	lately.answer("s4", 0, 0, yesterdaysVersion, "", "S10_1949")
	put(envconfig.RecommendationPrefix+lately.start.Format("dt=2006-01-02/hour=15/")+"plain", lately.records.Bytes())
	quarantined, err := os.ReadFile(filepath.Join("..", "internal", "stream", "deadletter", "testdata", "quarantine.json"))
	if err != nil {
		t.Fatal(err)
	}
	put(envconfig.QuarantinePrefix+"activity/shardId-000000000000/1.json", quarantined)
	_, err = feedback.Job{Recommendations: records, Lake: objectstore.NewFolder(filepath.Join(dir, "lake")),
		ScratchDir: t.TempDir(), DuckDB: duckdb, Progress: func(string, int64, int64) {}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = rollup.Job{Records: records, Lake: objectstore.NewFolder(filepath.Join(dir, "lake")), ScratchDir: t.TempDir(),
		Progress: func(string, int64, int64) {}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
