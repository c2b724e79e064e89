package integration

import (
	"testing"

	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
)

// TestVectorStoreConforms holds pgvector to the answers that every store of package recommend gives.
func TestVectorStoreConforms(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	recommendtest.Conformance(t, func(t *testing.T, s recommendtest.Setup) recommendtest.Conformer {
		store := mustConform(t, stack, s)
		return store
	})
}

// mustConform is a vector database that holds what the suite wants.
func mustConform(t *testing.T, stack Stack, s recommendtest.Setup) *vectorstore.Store {
	t.Helper()
	dsn := stack.mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	mustGoLive(t, store, s.Live)
	if s.Canary != nil {
		if _, err := store.Load(t.Context(), s.Canary); err != nil {
			t.Fatal(err)
		}
		var err error
		if s.Experiment == "" {
			err = store.StartCanary(t.Context(), s.Canary.ID, s.Share, byTest)
		} else {
			_, err = store.StartExperiment(t.Context(), experimentOf(s.Experiment, s.Canary.ID, s.Share), byTest)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mustSay(t, dsn, s.State)
	return store
}
