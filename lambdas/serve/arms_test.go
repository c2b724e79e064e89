package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// TestTheFunctionCountsArms: every answer of an experiment is a line for CloudWatch, with the version and the
// arm, and without anything of the visitor. Without an experiment there are none.
func TestTheFunctionCountsArms(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	var out bytes.Buffer
	w := armsWatched{recommend.New(store), &out, "kindred-dev-serve", time.Now, slog.New(slog.DiscardHandler)}
	ask := func() (counted map[string]int) {
		t.Helper()
		out.Reset()
		for i := range 40 {
			id := activity.ID(fmt.Sprintf("secret%d", i))
			if _, err := w.Batch(t.Context(), []*activity.Event{{CustomerID: &id}}); err != nil {
				t.Fatal(err)
			}
		}
		if bytes.Contains(out.Bytes(), []byte("secret")) {
			t.Errorf("a visitor is shown: %s", &out)
		}
		counted = map[string]int{}
		for lines := json.NewDecoder(&out); lines.More(); {
			var line struct {
				Function, Arm string
				Version       string `json:"model_version"`
				Answers       int    `json:"arm_answers"`
			}
			if err := lines.Decode(&line); err != nil || line.Function != "kindred-dev-serve" {
				t.Fatalf("%+v, %v", line, err)
			}
			counted[line.Arm+" "+line.Version] += line.Answers
		}
		return counted
	}
	if counted := ask(); len(counted) > 0 {
		t.Errorf("without an experiment: %v", counted)
	}
	store.StartExperiment(recommend.Experiment{Name: "new", Share: 0.5}, recommendtest.Version("m2"))
	counted := ask()
	one, two := counted["control m1"], counted["treatment m2"]
	if len(counted) != 2 || one+two != 40 || one == 0 || two == 0 {
		t.Errorf("counted %v", counted)
	}
}
