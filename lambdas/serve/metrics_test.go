//go:build !onlambda

package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
)

// TestPrometheusReadsVersionAndArm: what visitors got is counted by version and arm, requests by route, and
// nothing of a visitor is shown.
func TestPrometheusReadsVersionAndArm(t *testing.T) {
	t.Parallel()
	store := recommendtest.NewStore(recommendtest.Version("m1"))
	store.StartExperiment(recommend.Experiment{Name: "new", Share: 0.5}, recommendtest.Version("m2"))
	m := newMetrics()
	handler := m.handler(newHandler(parts{recommender: m.watch(recommend.New(store)), checker: store,
		recorder: unrecorded{}, log: slog.New(slog.DiscardHandler), now: time.Now}))
	get := func(path string) string {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return answer.Body.String()
	}
	for _, customer := range strings.Fields("secret1 secret2 secret3 secret4 secret5 secret6 secret7 secret8") {
		get("/customers/" + customer + "/recommendations")
	}
	get("/nowhere/secret9")
	store.Place(map[string]recommend.Placement{"top": {List: recommend.ListPopular},
		"alike": {List: recommend.ListSimilar}})
	get("/lists/popular?placement=top&session_id=secret10")
	get("/products/L1_03/similar?placement=alike")
	store.Break("m2")
	for _, customer := range strings.Fields("secret1 secret2 secret3 secret4 secret5 secret6 secret7 secret8") {
		get("/customers/" + customer + "/recommendations")
	}
	text := get(metricsPath)
	for _, want := range []string{
		`kindred_answers_total{arm="control",experiment="new",model_version="m1",placement="",source="popularity"}`,
		`kindred_answers_total{arm="treatment",experiment="new",model_version="m2",placement="",source="popularity"}`,
		`kindred_answers_total{arm="treatment",experiment="new",model_version="m1",placement="",source="popularity"}`,
		`kindred_answers_total{arm="",experiment="",model_version="m1",placement="top",source="popularity"} 1`,
		`kindred_answers_total{arm="",experiment="",model_version="m1",placement="alike",source="similar"} 1`,
		`kindred_canary_failed_total{experiment="new"}`,
		`kindred_request_duration_seconds_count{code="200",route="GET /customers/{id}/recommendations"} 16`,
		`kindred_request_duration_seconds_count{code="404",route=""} 1`,
		"go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "secret") {
		t.Errorf("a visitor is shown:\n%s", text)
	}
}
