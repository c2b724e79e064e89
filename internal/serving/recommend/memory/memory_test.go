package memory_test

import (
	"testing"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/recommend/recommendtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	recommendtest.Conformance(t, func(_ *testing.T, live, canary *modelversion.Version, share float64) recommendtest.Conformer {
		store := memory.NewStore(memory.New(live))
		if canary != nil {
			store.SetCanary(memory.New(canary), share)
		}
		return store
	})
}
