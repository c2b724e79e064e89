package integration

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"kindred/internal/serving/recommend/recommendtest"
)

// TestServeAnswersFromMemoryWhileTheDatabaseIsDown breaks the connections of the program serve, and then
// holds back all that PostgreSQL says. The answers are those of before, marked as stale, until the database
// is back. A program without memory answers 503.
func TestServeAnswersFromMemoryWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, v := stack.mustVectorDatabase(t), recommendtest.Version("m700000000000001")
	mustGoLive(t, mustVectorStore(t, dsn), v)
	mustSay(t, dsn, map[string]bool{v.Items[45].Code: false})
	proxy, through := mustProxy(t, stack, dsn)
	base := mustServe(t, through, "ARTIFACTS_BUCKET=file://"+string(mustKeep(t, v)))
	without := mustServe(t, through, "MEMORY_SHARE=0")
	type answer struct {
		Stale   bool  `json:"stale"`
		Items   []any `json:"recommended_items"`
		Similar []any `json:"similar_items"`
	}
	get := func(base, path string) (a answer, status int) {
		t.Helper()
		response, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a, response.StatusCode
	}
	// until asks until the answers are stale or not: the first ones of an outage may be errors.
	until := func(when string, stale bool) [2]answer {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			a, first := get(base, "/customers/"+recommendtest.CustomerOfLine1+"/recommendations")
			b, second := get(base, "/products/L2_07/similar?limit=50")
			if first == http.StatusOK && second == http.StatusOK && a.Stale == stale && b.Stale == stale {
				a.Stale, b.Stale = false, false
				return [2]answer{a, b}
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d %+v, %d %+v", when, first, a, second, b)
			}
		}
	}
	get(base, "/products/L2_07/similar")
	const item = "ALTER TABLE model_m700000000000001."
	execPostgres(t, t.Context(), dsn, item+"item RENAME TO away") // so that an answer says that the memory gives it
	until("without the products' table", false)
	execPostgres(t, t.Context(), dsn, item+"away RENAME TO item")
	before := until("at first", false)
	for name, toxic := range map[string]string{
		"broken": `{"name": "t", "type": "reset_peer", "attributes": {"timeout": 0}}`,
		"hung":   `{"name": "t", "type": "timeout", "attributes": {"timeout": 0}}`,
	} {
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatal(err)
		}
		if got := until(name, true); !reflect.DeepEqual(got, before) || len(got[0].Items) != 10 || len(got[1].Similar) != 50 {
			t.Errorf("%s: %+v, want %+v", name, got, before)
		}
		if _, status := get(without, "/products/L2_07/similar"); status != http.StatusServiceUnavailable {
			t.Errorf("%s: without memory: %d", name, status)
		}
		proxy.Toxics.ResetToxics(t.Context())
		if got := until("after "+name, false); !reflect.DeepEqual(got, before) {
			t.Errorf("after %s: %+v, want %+v", name, got, before)
		}
	}
}
