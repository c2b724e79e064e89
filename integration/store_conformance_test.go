package integration

import (
	"testing"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend/recommendtest"
)

// TestVectorStoreConforms holds pgvector to the answers that every store of package recommend gives.
func TestVectorStoreConforms(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	recommendtest.Conformance(t, func(t *testing.T, live, canary *modelversion.Version, share float64) recommendtest.Conformer {
		store := mustVectorStore(t, stack.mustVectorDatabase(t))
		mustGoLive(t, store, live)
		if canary != nil {
			if _, err := store.Load(t.Context(), canary); err != nil {
				t.Fatal(err)
			}
			if err := store.StartCanary(t.Context(), canary.ID, share, byTest); err != nil {
				t.Fatal(err)
			}
		}
		return store
	})
}
