package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
)

// TestRulesThatCannotBeKeptAreNamed: a page that asks without them is answered.
func TestRulesThatCannotBeKeptAreNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	may := make(chan struct{})
	close(may)
	b.handler = newHandler(parts{recommender: &echo{may: may, refuses: map[string]error{
		"ruled": fmt.Errorf("retrieve products: %w", recommend.ErrNoFacts)}}, checker: b.store, recorder: b.records,
		log: slog.New(slog.NewJSONHandler(b.log, nil)), now: time.Now})
	status, _, body := b.call(t, http.MethodGet,
		"/customers/101/recommendations?session_id=ruled&filter=product.available", "")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "filter, boost, diversity") {
		t.Errorf("%d: %s", status, body)
	}
}
