package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"kindred/internal/job/publish"
	"kindred/internal/job/train"
	"kindred/internal/stream/activity"
)

// noise replaces all ratings by ones that say nothing: who rates what, how and when is a hash.
const noise = `INSERT INTO ratings (customerNumber, productCode, productRating, ratedAt)
	SELECT customerNumber, productCode, 1 + MOD(CONV(SUBSTRING(hash, 1, 4), 16, 10), 5),
		DATE_ADD('2026-01-01', INTERVAL MOD(CONV(SUBSTRING(hash, 5, 6), 16, 10), 100000) MINUTE)
	FROM (SELECT customerNumber, productCode, SHA2(CONCAT(customerNumber, ' ', productCode), 256) hash
		FROM customers JOIN products) pairs WHERE MOD(CONV(SUBSTRING(hash, 11, 4), 16, 10), 10) = 0`

// TestPopularityIsLiveUntilAModelPasses: a shop of pure noise, of which the gate refuses every model,
// answers by popularity over HTTP and on the stream, and every program ends well. The first good model
// takes popularity's place, and popularity does not come back by itself.
func TestPopularityIsLiveUntilAModelPasses(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	_, env := mustPlaces(t, stack, stack.mustDatabase(t))
	p := mustPrograms(t, env)

	night := func() (trained train.Result, published publish.Result) {
		t.Helper()
		p.mustRun(t, nil, "etl", "--accept-shrink")
		p.mustRun(t, &trained, "train", "--tune-budget", "1")
		p.mustRun(t, &published, "publish")
		return trained, published
	}
	p.mustRun(t, nil, "seed", "generate", "--scale", "0.1")
	shop := mustOpen(t, env["MYSQL_DSN"])
	for _, statement := range []string{"DELETE FROM ratings", noise} {
		if _, err := shop.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	trained, published := night()
	if trained.Refused == nil || !published.Promoted || !published.Verdict.Popularity ||
		published.ModelVersion != trained.ModelVersion || trained.ModelVersion == trained.Refused.ModelVersion {
		t.Fatalf("trained %+v, published %+v", trained, published)
	}
	popular := trained.ModelVersion

	base := mustServe(t, env["PGVECTOR_DSN"])
	wantPopularityOverHTTP(t, base, popular)
	p.mustAnswerReplay(t, popular)
	var audited struct{ Sources map[activity.Source]int }
	p.mustRun(t, &audited, "verify", "--wait", catchUp.String())
	if len(audited.Sources) != 1 || audited.Sources[activity.SourcePopularity] == 0 {
		t.Errorf("on the stream, the sources are %v", audited.Sources)
	}
	p.wantRefused(t, "publish", "canary", trained.Refused.ModelVersion)
	if again, live := night(); !again.NoOp || !live.NoOp || live.ModelVersion != popular {
		t.Errorf("the same night once more: %+v, %+v", again, live)
	}
	if _, err := shop.ExecContext(t.Context(), "UPDATE products SET quantityInStock = quantityInStock + 1"); err != nil {
		t.Fatal(err)
	}
	if stock, live := night(); !live.Promoted || live.ModelVersion == popular || !live.Verdict.Popularity || stock.NoOp {
		t.Errorf("new stock: %+v, %+v", stock, live)
	} else {
		popular = live.ModelVersion
	}

	p.mustRun(t, nil, "seed", "generate", "--scale", "0.2")
	good, live := night()
	if good.Refused != nil || !live.Promoted || live.Verdict.Popularity || live.ModelVersion != good.ModelVersion {
		t.Fatalf("a shop with tastes: %+v, %+v", good.Report.Verdict, live)
	}
	var answer httpAnswer
	mustGetJSON(t, base+"/customers/103/recommendations", &answer)
	if answer.ModelVersion != good.ModelVersion || answer.Source == activity.SourcePopularity {
		t.Errorf("the good model answers %+v", answer)
	}
	p.wantRefused(t, "publish", popular)
	var back struct {
		ModelVersion string `json:"model_version"`
	}
	p.mustRun(t, &back, "publish", "rollback")
	if back.ModelVersion != popular {
		t.Errorf("rolled back to %s, want %s", back.ModelVersion, popular)
	}
	wantPopularityOverHTTP(t, base, popular)
}

// httpAnswer is what matters of an answer.
type httpAnswer struct {
	RecommendedItems []activity.RecommendedItem `json:"recommended_items"`
	Recommendation   activity.Recommendation    `json:"recommendation"` // of a session
	ModelVersion     string                     `json:"model_version"`  // of a customer
	Source           activity.Source            `json:"source"`
}

// wantPopularityOverHTTP asks for a customer, for a visitor's session, for similar products, and for
// the health.
func wantPopularityOverHTTP(t *testing.T, base, version string) {
	t.Helper()
	var ofCustomer, ofSession httpAnswer
	mustGetJSON(t, base+"/customers/103/recommendations", &ofCustomer)
	var similar struct {
		SimilarItems []activity.SimilarItem `json:"similar_items"`
	}
	mustGetJSON(t, base+"/products/"+ofCustomer.RecommendedItems[0].ID+"/similar", &similar)
	if len(similar.SimilarItems) == 0 {
		t.Error("nothing is similar")
	}
	body, err := json.Marshal(map[string]any{"session_id": "s", "browse_history": []map[string]any{
		{"product_code": ofCustomer.RecommendedItems[0].ID, "quantity": 1, "in_shopping_cart": true}}})
	if err != nil {
		t.Fatal(err)
	}
	mustAskJSON(t, http.MethodPost, base+"/recommendations", string(body), &ofSession)
	ofSession.Source, ofSession.ModelVersion = ofSession.Recommendation.Source, ofSession.Recommendation.ModelVersion
	for _, a := range []httpAnswer{ofCustomer, ofSession} {
		if a.Source != activity.SourcePopularity || a.ModelVersion != version || len(a.RecommendedItems) != 10 {
			t.Errorf("over HTTP: %+v", a)
		}
	}
	if ofSession.RecommendedItems[0].ID == ofCustomer.RecommendedItems[0].ID {
		t.Error("a session is recommended what it has in the cart")
	}
	mustGetJSON(t, base+"/health", &struct{}{})
}

// wantRefused runs a program that the gate has to stop.
func (p programs) wantRefused(t *testing.T, name string, args ...string) {
	t.Helper()
	if code, stderr := p.run(t, nil, name, args...); code != 5 || !strings.Contains(stderr, "gate") {
		t.Errorf("%s %v: exit %d, %s", name, args, code, stderr)
	}
}

func mustGetJSON(t *testing.T, url string, v any) { mustAskJSON(t, http.MethodGet, url, "", v) }

func mustAskJSON(t *testing.T, method, url, body string, v any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v: %s", method, url, response.Status, err, data)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s %s: %v in %s", method, url, err, data)
	}
}
