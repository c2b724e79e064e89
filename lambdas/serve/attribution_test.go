package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"kindred/internal/stream/activity"
)

// answered is what every answer says of its recommendation.
type answered struct {
	RecommendationID *string `json:"recommendation_id"`
	Recommendation   struct {
		ID *string `json:"id"`
	} `json:"recommendation"`
}

func (a answered) id() string {
	for _, id := range []*string{a.RecommendationID, a.Recommendation.ID} {
		if id != nil {
			return *id
		}
	}
	return ""
}

// TestEveryAnswerIsDelivered asks for each kind of answer: its id is that of the line that was delivered, which is a
// sound record, and without a delivery the id is null.
func TestEveryAnswerIsDelivered(t *testing.T) {
	t.Parallel()
	const post = `{"session_id":"s","browse_history":[{"product_code":"L2_03"}],"device":"x"}`
	for name, test := range map[string]struct {
		method, path, body       string
		session, event, customer string // of the delivered record; "": any
		source                   activity.Source
		items                    int
	}{
		"customer": {http.MethodGet, "/customers/101/recommendations?session_id=s-1&event_id=e-1", "", "s-1", "e-1", "101",
			activity.SourceCustomer, 10},
		"bare": {http.MethodGet, "/customers/101/recommendations", "", "", "", "101", activity.SourceCustomer, 10},
		"similar": {http.MethodGet, "/products/L2_03/similar?limit=7&session_id=s-1", "", "s-1", "", "",
			activity.SourceSimilar, 7},
		"session": {http.MethodPost, "/recommendations", post, "s", "", "", activity.SourceSession, 10},
	} {
		b := setup(t)
		status, _, body := b.call(t, test.method, test.path, test.body)
		var a answered
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK || a.id() == "" {
			t.Fatalf("%s: %d %s: %v", name, status, body, err)
		}
		lines := b.records.all()
		if len(lines) != 1 {
			t.Fatalf("%s: %d records for one answer", name, len(lines))
		}
		line := strings.TrimSpace(string(lines[0]))
		d, err := activity.ParseDelivered([]byte(line))
		record, errRecord := activity.ParseRecord([]byte(line))
		if err != nil || errRecord != nil || !d.Intact || d.ID != a.id() || d.ID != activity.RecommendationID(d.EventID) ||
			d.Position.Stream != activity.StreamHTTP || d.Source != test.source || d.Items != test.items {
			t.Fatalf("%s: %v %v %s", name, err, errRecord, line)
		}
		event, err := activity.Parse(record.Event)
		if err != nil {
			t.Fatalf("%s: the record's event is none: %v", name, err)
		}
		if test.session != "" && event.SessionID != test.session || test.event != "" && d.EventID != test.event ||
			test.customer != "" && (event.CustomerID == nil || string(*event.CustomerID) != test.customer) ||
			d.Position.PartitionKey != event.SessionID {
			t.Errorf("%s: %s", name, line)
		}
		if test.method == http.MethodPost { // what is delivered is what was answered, and its checksum
			if sealed := strings.TrimSuffix(body, "}}\n"); !strings.HasPrefix(line, sealed+`,"crc32c"`) {
				t.Errorf("answered\n%sdelivered\n%s", body, line)
			}
		}
		b.records.refuse.Store(true)
		_, _, body = b.call(t, test.method, test.path, test.body)
		if !strings.Contains(body, `"recommendation_id":null`) && !strings.Contains(body, `"recommendation":{"id":null,`) {
			t.Errorf("%s: an id without a record: %s", name, body)
		}
	}
}

func TestWhoseAnswerItIs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", activity.MaxID)
	for _, path := range []string{"/customers/101/recommendations", "/products/L2_03/similar"} {
		for query, want := range map[string]int{
			"": 200, "event_id=e": 200, "session_id=" + long: 200, "session_id=" + long + "x": 400, "event_id=": 400,
			"event_id=a&event_id=b": 400, "session_id=a%00": 400, "event_id=%ff": 400,
		} {
			if status, _, body := setup(t).call(t, http.MethodGet, path+"?"+query, ""); status != want {
				t.Errorf("%s?%s: %d %s", path, query, status, body)
			}
		}
	}
}
