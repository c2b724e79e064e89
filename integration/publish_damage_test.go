package integration

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kindred/internal/job/publish"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
)

// A byte that flipped in any file of a version stops the publish before the database knows of the version.
func TestFlippedByteIsRefused(t *testing.T) {
	t.Parallel()
	dsn, folder := mustStack(t).mustVectorDatabase(t), t.TempDir()
	store := mustVectorStore(t, dsn)
	live := mustGoLive(t, store, randomVersion("m180000000000000", 1, 20, 3, 4))
	v := randomVersion("m180000000000001", 2, 50, 10, 4)
	if _, err := modelfile.Write(t.Context(), commit.NewRepository(objectstore.NewFolder(folder), envconfig.ModelPrefix),
		v, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	run := func() (code int, stderr string) {
		var stdout, problems bytes.Buffer
		args := []string{v.ID, "--artifacts=file://" + folder, "--pgvector-dsn", dsn}
		code = program.Run(t.Context(), "publish", publish.Description, &publish.Command{}, args, &stdout, &problems)
		return code, problems.String()
	}
	files, err := filepath.Glob(filepath.Join(folder, envconfig.ModelPrefix, "run="+v.ID, "*.*"))
	if err != nil || len(files) < 4 {
		t.Fatalf("the version's files: %v, %v", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "manifest.json" { // holds the others' hashes; its own fault is another test's
			continue
		}
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flipped := slices.Clone(whole)
		flipped[len(flipped)/2] ^= 1
		if err := os.WriteFile(file, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		code, stderr := run()
		if code != 1 || !strings.Contains(stderr, filepath.Base(file)) {
			t.Errorf("%s: exit %d, %s", filepath.Base(file), code, stderr)
		}
		versions, err := store.Versions(t.Context())
		if err != nil || len(versions) != 1 || mustLive(t, store) != live.Version {
			t.Errorf("%s: the database has %v, %v", filepath.Base(file), versions, err)
		}
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, stderr := run(); code != 0 || mustLive(t, store) != v.ID {
		t.Errorf("whole again: exit %d, %s", code, stderr)
	}
}

// Thousands of equal vectors are a graph that leads nowhere else: a search by the index does not
// come to the few others.
func TestIndexThatFindsTooLittleIsRefused(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	live := mustGoLive(t, store, randomVersion("m190000000000000", 1, 20, 3, 4))
	v := randomVersion("m190000000000001", 2, vectorstore.ExactBelow+100, 50, 8)
	v.Report.Verdict = modelversion.Verdict{Pass: true}
	for i := range v.Items {
		v.Items[i].QuantityInStock = 1
		if i%100 != 0 {
			v.Items[i].Vector = v.Items[1].Vector
		}
	}
	setGram(v)
	_, err := store.Load(t.Context(), v)
	if !errors.Is(err, vectorstore.ErrRecall) {
		t.Fatalf("loaded: %v", err)
	}
	if err := store.Promote(t.Context(), v.ID, byTest); !errors.Is(err, vectorstore.ErrUnknownVersion) ||
		mustLive(t, store) != live.Version {
		t.Errorf("promoted: %v", err)
	}
}

func TestRecallIsMeasuredAndRecorded(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	for items, indexed := range map[int]bool{vectorstore.ExactBelow - 1: false, vectorstore.ExactBelow: true} {
		v := randomVersion("m19000000000001"+map[bool]string{false: "0", true: "1"}[indexed], 1, items, 20, 8)
		steps, err := store.Load(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		named := slices.ContainsFunc(steps, func(s vectorstore.Step) bool { return s.Name == "recall" && s.Seconds > 0 })
		versions, err := store.Versions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := versions[slices.IndexFunc(versions, func(listed vectorstore.Version) bool { return listed.ID == v.ID })]
		if named != indexed || (got.Index == "hnsw") != indexed || (got.Recall != nil) != indexed ||
			(got.Similar != nil) != indexed || (got.EFSearch != nil) != indexed {
			t.Errorf("%d items: %+v, steps %+v", items, got, steps)
		}
		if indexed && (*got.Recall < 0.95 || *got.Recall > 1 || *got.Similar < 0.95 || *got.Similar > 1 ||
			*got.EFSearch < 100) {
			t.Errorf("recall %v and %v at %v", *got.Recall, *got.Similar, *got.EFSearch)
		}
	}
}
