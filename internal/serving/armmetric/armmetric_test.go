package armmetric_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/platform/golden"
	"kindred/internal/serving/armmetric"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

func answer(arm recommend.Arm, version string, source activity.Source, failed bool) recommend.Answer {
	return recommend.Answer{Experiment: "new-model", Arm: arm, ModelVersion: version, Source: source, CanaryFailed: failed}
}

// TestLinesAreAsTheRulesKnowThem: terraform/rules reads the file, too.
func TestLinesAreAsTheRulesKnowThem(t *testing.T) {
	t.Parallel()
	var counts armmetric.Counts
	for _, a := range []recommend.Answer{
		answer(recommend.ArmControl, "m1", activity.SourceSession, false),
		answer(recommend.ArmTreatment, "m2", activity.SourcePopularity, false),
		answer(recommend.ArmTreatment, "m2", activity.SourceCustomer, false),
		answer(recommend.ArmTreatment, "m1", activity.SourceSession, true),
		answer(recommend.ArmTreatment, "", activity.SourceState, false),
		{ModelVersion: "m1", Source: activity.SourceSession},
	} {
		counts.Add(a)
	}
	var out bytes.Buffer
	if err := counts.Write(&out, "kindred-dev-recommend", time.UnixMilli(1790000000000)); err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "metrics.jsonl", out.Bytes())
}

// TestEveryAnswerIsCountedOnce: by arm and version, and nothing outside an experiment is written.
func TestEveryAnswerIsCountedOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var counts armmetric.Counts
		answers, fallbacks := map[string]int{}, map[string]int{}
		for range rapid.IntRange(0, 40).Draw(t, "answers") {
			a := answer(rapid.SampledFrom([]recommend.Arm{recommend.ArmControl, recommend.ArmTreatment}).Draw(t, "arm"),
				rapid.SampledFrom([]string{"m1", "m2"}).Draw(t, "version"), rapid.SampledFrom([]activity.Source{
					activity.SourceSession, activity.SourcePopularity, activity.SourceState}).Draw(t, "source"),
				rapid.Bool().Draw(t, "failed"))
			if rapid.Bool().Draw(t, "none runs") {
				a.Experiment, a.Arm = "", ""
			}
			counts.Add(a)
			if a.Experiment == "" || a.Source == activity.SourceState {
				continue
			}
			answers[string(a.Arm)+a.ModelVersion]++
			if a.CanaryFailed || a.Source == activity.SourcePopularity {
				fallbacks[string(a.Arm)+a.ModelVersion]++
			}
		}
		var out bytes.Buffer
		if err := counts.Write(&out, `a "name"`, time.UnixMilli(1)); err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
		if out.Len() == 0 {
			lines = nil
		}
		if len(lines) != len(answers) {
			t.Fatalf("%d lines for %d arms and versions", len(lines), len(answers))
		}
		for _, line := range lines {
			var got struct {
				Function, Experiment, Arm string
				Version                   string `json:"model_version"`
				Answers                   int    `json:"arm_answers"`
				Fallbacks                 int    `json:"arm_fallbacks"`
			}
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatal(err)
			}
			if key := got.Arm + got.Version; got.Answers != answers[key] || got.Fallbacks != fallbacks[key] ||
				got.Function != `a "name"` || got.Experiment != "new-model" {
				t.Fatalf("%s, want %d answers, %d fallbacks", line, answers[key], fallbacks[key])
			}
		}
	})
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAFaultIsTold(t *testing.T) {
	t.Parallel()
	var counts armmetric.Counts
	if err := counts.Write(full{}, "f", time.Now()); err != nil {
		t.Errorf("without an experiment: %v", err)
	}
	counts.Add(answer(recommend.ArmControl, "m1", activity.SourceSession, false))
	if err := counts.Write(full{}, "f", time.Now()); !errors.Is(err, errFull) {
		t.Errorf("with one: %v", err)
	}
}
