package memory_test

import (
	"testing"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/recommend/recommendtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	recommendtest.Conformance(t, func(_ *testing.T, s recommendtest.Setup) recommendtest.Conformer {
		store := memory.NewStore(memory.New(s.Live))
		switch {
		case s.Experiment != "":
			store.StartExperiment(recommend.Experiment{Name: s.Experiment, Share: s.Share}, memory.New(s.Canary))
		case s.Canary != nil:
			store.SetCanary(memory.New(s.Canary), s.Share)
		}
		store.SetState(s.State)
		return store
	})
}
