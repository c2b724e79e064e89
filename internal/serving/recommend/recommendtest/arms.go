package recommendtest

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// testArms: an arm is kept once, for one experiment, until it ends.
func testArms(t *testing.T, s Conformer) {
	traffic, err := s.Traffic(t.Context())
	if err != nil || traffic.Experiment == nil ||
		*traffic.Experiment != (recommend.Experiment{Name: "new-model", Share: 0.25}) {
		t.Fatalf("traffic: %+v, %v", traffic.Experiment, err)
	}
	type arms = map[string]recommend.Arm
	const control, treatment = recommend.ArmControl, recommend.ArmTreatment
	first := arms{"session s ü\"'": control, "customer 7": treatment, "session 7": control}
	keep := func(experiment string, drawn, want arms) {
		t.Helper()
		if got, err := s.KeepArms(t.Context(), experiment, drawn); err != nil || !maps.Equal(got, want) {
			t.Errorf("kept %v of %v: %v", got, drawn, err)
		}
	}
	keep("new-model", first, first)
	keep("new-model", arms{"customer 7": control, "customer 8": control},
		arms{"customer 7": treatment, "customer 8": control})
	keep("another", arms{"customer 7": control}, nil)
	names := append(slices.Collect(maps.Keys(first)), "customer unknown")
	if got, err := s.Arms(t.Context(), "new-model", names); err != nil || !maps.Equal(got, first) {
		t.Errorf("arms: %v, %v", got, err)
	}
	if got, err := s.Arms(t.Context(), "another", names); err != nil || len(got) > 0 {
		t.Errorf("arms of another experiment: %v, %v", got, err)
	}
	var refused *recommend.RefusedError
	if _, err := s.Arms(t.Context(), "new-model", []string{"session \x00"}); !errors.As(err, &refused) {
		t.Errorf("a name that is no text: %v", err)
	}
	testArmsAnswer(t, s)
	for range recommend.CanaryErrors {
		if err := s.CanaryFailed(t.Context(), gridID(2), errors.New("it is broken")); err != nil {
			t.Fatal(err)
		}
	}
	if traffic, err := s.Traffic(t.Context()); err != nil || traffic.Experiment != nil || traffic.Canary != nil {
		t.Errorf("the canary has ended, and the experiment has not: %+v, %v", traffic, err)
	}
	keep("new-model", arms{"customer 9": control}, nil)
}

// testArmsAnswer: the arm's version answers.
func testArmsAnswer(t *testing.T, s Conformer) {
	t.Helper()
	var events []*activity.Event
	for _, id := range []activity.ID{"7", "8", "-1"} {
		events = append(events, &activity.Event{CustomerID: &id},
			&activity.Event{SessionID: "of " + string(id), CustomerID: &id})
	}
	events = append(events, &activity.Event{SessionID: "7"})
	answers, err := recommend.New(s).Batch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	version := map[recommend.Arm]string{recommend.ArmControl: gridID(1), recommend.ArmTreatment: gridID(2)}
	for i, a := range answers {
		if a.Experiment != "new-model" || a.ModelVersion != version[a.Arm] {
			t.Errorf("event %d: version %s, arm %s of %s", i, a.ModelVersion, a.Arm, a.Experiment)
		}
	}
	for i, want := range []recommend.Arm{"treatment", "treatment", "control", "control", answers[4].Arm, answers[4].Arm,
		"control"} {
		if answers[i].Arm != want {
			t.Errorf("event %d: the arm %s, want %s", i, answers[i].Arm, want)
		}
	}
}
