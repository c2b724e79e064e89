package integration

import (
	"bytes"
	"flag"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/job/infer"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/inferred"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

var (
	inferCustomers = flag.Int("infer-customers", 1200, "customers for whom infer recommends")
	inferProducts  = flag.Int("infer-products", 300, "products that it recommends from")
)

// TestInferProgram runs the program with a filter: every customer of the live version gets what serve answers, and a
// second run changes nothing. It logs the time and the memory.
func TestInferProgram(t *testing.T) {
	t.Parallel()
	dsn, lake := mustStack(t).mustVectorDatabase(t), t.TempDir()
	store, v := mustVectorStore(t, dsn), randomVersion("m900000000000001", 3, *inferProducts, *inferCustomers, 32)
	mustGoLive(t, store, v)
	artifacts := string(mustKeep(t, v))
	const filter = `!product.id.startsWith("S00001")`
	run := func() (r infer.Result, seconds float64, peak int64) {
		command := exec.CommandContext(t.Context(), mustProgram(t, "infer"), "--json", "--pgvector-dsn", dsn, "--lake",
			"file://"+lake, "--artifacts", "file://"+artifacts, "--limit", "5", "--filter", filter)
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		begin := time.Now()
		if err := command.Run(); err != nil {
			t.Fatalf("%v: %s", err, &stderr)
		}
		seconds = time.Since(begin).Seconds()
		if err := readResult(stdout.String(), &r); err != nil {
			t.Fatalf("%v: %s", err, &stdout)
		}
		usage, _ := command.ProcessState.SysUsage().(*syscall.Rusage)
		return r, seconds, usage.Maxrss << 10
	}
	r, seconds, peak := run()
	t.Logf("%d rows for %d customers from %d products in %.1f s, with at most %d MiB of memory", r.Rows, r.Customers,
		*inferProducts, seconds, peak>>20)
	if r.Customers != int64(*inferCustomers) || r.ModelVersion != v.ID {
		t.Errorf("%+v", r)
	}
	repository := commit.NewRepository(objectstore.NewFolder(lake), envconfig.InferredPrefix)
	m, err := repository.Current(t.Context())
	if err != nil || m.Run != r.Run || len(m.Files) != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	name := filepath.Join(t.TempDir(), "rows")
	for _, f := range m.Files {
		if filepath.Ext(f.Path) == ".parquet" {
			if err := repository.Fetch(t.Context(), m, f, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows, err := parquet.ReadFile[inferred.Row](name)
	if err != nil || int64(len(rows)) != r.Rows {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	of := map[string][]inferred.Row{}
	for _, row := range rows {
		of[row.CustomerID] = append(of[row.CustomerID], row)
	}
	serving := recommend.New(store)
	for i := 0; i < len(v.Customers); i += max(1, len(v.Customers)/100) {
		id := activity.ID(v.Customers[i].ID)
		answers, err := serving.Batch(t.Context(), []*activity.Event{{CustomerID: &id,
			Control: &activity.Control{Limit: new(5), Filter: filter}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(answers[0].Items) != len(of[string(id)]) {
			t.Fatalf("customer %s: %v, want %v", id, of[string(id)], answers[0].Items)
		}
		for n, it := range answers[0].Items {
			if row := of[string(id)][n]; row.ProductID != it.ID || int(row.Place) != n+1 ||
				row.Source != string(answers[0].Source) {
				t.Fatalf("customer %s: %+v, want %+v", id, row, it)
			}
		}
	}
	if again, _, _ := run(); again.Run != r.Run {
		t.Errorf("the second run made %+v of the same, the first one %+v", again, r)
	}
}
