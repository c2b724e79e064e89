package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/rollup"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

// bucket holds records.
type bucket struct{ objectstore.Store }

func mustOpenStore(t *testing.T, place string) objectstore.Store {
	t.Helper()
	store, err := objectstore.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func (d bucket) mustPut(t *testing.T, key, text string) {
	t.Helper()
	if _, err := d.Put(t.Context(), key, strings.NewReader(text), int64(len(text)), objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
}

// mustDeliver puts n records of an hour into an object; their events are name-0, name-1, ….
func (d bucket) mustDeliver(t *testing.T, at time.Time, name string, n int) {
	t.Helper()
	var text []byte
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		r := activity.Record{Event: json.RawMessage(`{"session_id":"s","browse_history":[]}`),
			Recommendation: activity.Recommendation{ID: activity.RecommendationID(id, ""), EventID: id, ModelVersion: "m1",
				Source: activity.SourceSession, GeneratedAt: at, LatencyMS: float64(20 + i), UnknownProducts: 1,
				Position: activity.Position{Stream: "clicks", Shard: "shardId-000000000000",
					SequenceNumber: strconv.Itoa(i + 1), ArrivedAt: at}}}
		var err error
		if text, err = r.AppendSealed(text); err != nil {
			t.Fatal(err)
		}
	}
	d.mustPut(t, envconfig.RecommendationPrefix+at.UTC().Format("2006/01/02/15/")+name, string(text))
}

// mustRoll makes a roll-up of what is there.
func (d bucket) mustRoll(t *testing.T, lake objectstore.Store) {
	t.Helper()
	if _, err := (rollup.Job{Records: d, Lake: lake, ScratchDir: t.TempDir(),
		Progress: func(string, int64, int64) {}}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

var rolledFigure = regexp.MustCompile(`<data value="([^"]*)" data-of="rollup show:([^"]*)">`)

// TestTheHistoryIsTheRollups compares each figure that names the roll-up with what `rollup show` prints, and looks for
// events that are in the roll-up, and for those that came since.
func TestTheHistoryIsTheRollups(t *testing.T) {
	t.Parallel()
	c := folders(t)
	records, lake := bucket{mustOpenStore(t, c.Recommendations.Bucket)}, mustOpenStore(t, c.Lake.Bucket)
	b := mustShow(t, c)
	if page := b.mustPage(t, "/stream", http.StatusOK); !strings.Contains(page, "run make rollup") {
		t.Errorf("without a roll-up the page is %s", page)
	}
	now := time.Now().UTC()
	records.mustDeliver(t, now.Add(-50*24*time.Hour), "ancient", 3)
	records.mustDeliver(t, now.Add(-2*time.Hour), "old", 5)
	shard := "shardId-000000000000"
	records.mustPut(t, deadletter.Key(activity.Position{Stream: "clicks", Shard: shard, SequenceNumber: "7"}),
		`{"reason":"schema","message":"session_id is missing","event_id":"bad-0","position":{"stream":"clicks","shard":"`+
			shard+`","sequence_number":"7"},"data":""}`)
	failed := activity.Position{Stream: "clicks", Shard: shard, SequenceNumber: "9"}
	records.mustPut(t, envconfig.FailurePrefix+"failed.json", `{"KinesisBatchInfo":{"shardId":"`+shard+
		`","startSequenceNumber":"9","endSequenceNumber":"9","streamArn":"arn:aws:kinesis:eu-west-1:1:stream/clicks"},`+
		`"payload":{"Records":[{"kinesis":{"sequenceNumber":"9","partitionKey":"p","data":"e30="}}]}}`)
	records.mustRoll(t, lake)
	records.mustDeliver(t, now, "new", 2)
	summary, err := rollup.NewReader(records, lake).Summary(t.Context())
	if err != nil || summary.Records != 8 || summary.Letters["schema"] != 1 || summary.Letters["failed batch"] != 1 {
		t.Fatalf("the roll-up is %+v, %v", summary, err)
	}
	b.mustShowSummary(t, summary)
	for id, want := range map[string]string{"ancient-2": "Answered recommended", "old-4": "Answered",
		activity.RecommendationID("ancient-0", ""): "Answered", "new-1": "Answered", "bad-0": "session_id is missing",
		activity.EventID(nil, failed): "Not answered failed batch", "nobody": "Not found in the index"} {
		if page := b.mustPage(t, "/events?id="+id, http.StatusOK); !strings.Contains(page, want) {
			t.Errorf("%q is not in the page of %q: %s", want, id, page)
		}
	}
	b.server.from.feed.Read(t.Context())
	if counts := b.server.from.feed.Counts(); counts.Answers != 2 || !counts.Since.Equal(summary.AsOf) ||
		counts.Dead() != 2 || len(counts.Shards) != 1 {
		t.Errorf("since the roll-up the feed has counted %+v", counts)
	}
}

// mustShowSummary compares the page of the stream with a summary.
func (b *shown) mustShowSummary(t *testing.T, summary *rollup.Summary) {
	t.Helper()
	printed, err := json.Marshal(summary)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := b.ask(t, http.MethodGet, "/stream", nil)
	figures := rolledFigure.FindAllStringSubmatch(body, -1)
	if len(figures) < 15 {
		t.Errorf("the page has %d figures of the roll-up", len(figures))
	}
	for _, figure := range figures {
		var v any
		if err := json.Unmarshal(printed, &v); err != nil {
			t.Fatal(err)
		}
		for _, step := range strings.Split(figure[2], ".") {
			if list, ok := v.([]any); ok {
				i, err := strconv.Atoi(step)
				if err != nil || i >= len(list) {
					t.Fatalf("there is no %s", figure[2])
				}
				v = list[i]
			} else {
				v = v.(map[string]any)[step]
			}
		}
		if shown, err := strconv.ParseFloat(figure[1], 64); err != nil || v != shown {
			t.Errorf("the page shows %s for %s, `rollup show` prints %v", figure[1], figure[2], v)
		}
	}
}
