package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
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
		"viewed": {http.MethodGet, "/sessions/s-2/recently-viewed?session_id=other", "", "s-2", "", "",
			activity.SourceViewed, 1},
		"session": {http.MethodPost, "/recommendations", post, "s", "", "", activity.SourceSession, 10},
	} {
		b := setup(t)
		order := activity.Order{At: time.Now()}
		if err := b.store.WriteState(t.Context(), recommend.State{Visits: []activity.Visit{{EventID: "v", Session: "s-2",
			Place: order, Order: order, Clicks: []activity.Click{{Product: "L2_07", Kind: activity.ClickView}}}},
			Products: []activity.ProductWrite{{ID: "L2_07", Order: order, Values: map[activity.Field]any{
				activity.FieldAvailable: true}}}}); err != nil {
			t.Fatal(err)
		}
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
		if err != nil || errRecord != nil || !d.Intact || d.ID != a.id() ||
			test.event == "" && d.ID != activity.RecommendationID(d.EventID, "") ||
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

// TestEachQuestionOfAnEventHasAnID: the page of one event asks many questions. Each has an id of its own, which it has
// again when it is asked again, also in another order of its parameters or with other fields; and the event itself has
// the one that it has on the stream.
func TestEachQuestionOfAnEventHasAnID(t *testing.T) {
	t.Parallel()
	const get, post = http.MethodGet, http.MethodPost
	body := func(more string) string {
		return `{"event_id":"e","session_id":"s","browse_history":[{"product_code":"L2_03"}]` + more + `}`
	}
	questions := [][3]string{
		{get, "/customers/101/recommendations?event_id=e"}, {get, "/customers/102/recommendations?event_id=e"},
		{get, "/customers/101/recommendations?event_id=e&limit=3"},
		{get, "/customers/101/recommendations?event_id=e&limit=3&exclude=L2_03"},
		{get, "/customers/101/recommendations?event_id=e&session_id=z"},
		{get, "/customers/101/recently-viewed?event_id=e"}, {get, "/sessions/101/recently-viewed?event_id=e"},
		{get, "/products/L2_03/similar?event_id=e"}, {get, "/products/L2_04/similar?event_id=e"},
		{get, "/products/L2_03/bought-together?event_id=e"}, {get, "/lists/popular?event_id=e"},
		{get, "/lists/new?event_id=e"}, {post, "/recommendations", body("")},
		{post, "/recommendations", body(`,"kindred":{"limit":3}`)}, {post, "/recommendations", body(`,"kindred":{"limit":4}`)},
		{post, "/rerank", body(`,"products":["L2_04","L2_05"]`)}, {post, "/rerank", body(`,"products":["L2_04","L2_06"]`)},
		{post, "/rerank", body(`,"products":["L2_04"],"kindred":{"exclude":["L2_09"]}`)},
	}
	again := [][3]string{
		{get, "/customers/101/recommendations?event_id=e&fields=name"},
		{get, "/customers/101/recommendations?exclude=L2_03&limit=3&event_id=e"},
		{post, "/recommendations", body(`,"kindred":{"limit":3,"fields":["name"]}`)},
	}
	b := setup(t)
	ask := func(q [3]string) string {
		status, _, body := b.call(t, q[0], q[1], q[2])
		var a answered
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK || a.id() == "" {
			t.Fatalf("%v: %d %s: %v", q, status, body, err)
		}
		return a.id()
	}
	of := map[string][3]string{}
	for _, q := range questions {
		id := ask(q)
		if other, known := of[id]; known {
			t.Errorf("%v and %v have the same id", other, q)
		}
		of[id] = q
		if ask(q) != id {
			t.Errorf("%v has another id when it is asked again", q)
		}
	}
	for _, q := range again {
		if _, known := of[ask(q)]; !known {
			t.Errorf("%v is no other question", q)
		}
	}
	if q := of[activity.RecommendationID("e", "")]; q[1] != "/recommendations" || q[2] != body("") {
		t.Errorf("%v has the id of the event on the stream", q)
	}
}
