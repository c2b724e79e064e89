package activity

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sampleRecord(event string) Record {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)
	return Record{
		Event:            json.RawMessage(event),
		RecommendedItems: []RecommendedItem{{ID: "S10_1678", Score: 0.75, Because: "S18_1749"}, {ID: "S<&>", Score: 0.5}},
		SimilarItems: &SimilarItems{ProductCode: "S18_1749",
			SimilarItems: []SimilarItem{{ID: "S24_2022", Distance: 0.125}}},
		Recommendation: Recommendation{ID: RecommendationID("e", ""), EventID: "e", ModelVersion: "m0123",
			Source: SourceSession, GeneratedAt: at, LatencyMS: 12.5,
			Position: Position{"activity", "shardId-0", "49", "s", at, 0}},
	}
}

func TestRecordKeepsTheEventAsItCame(t *testing.T) {
	t.Parallel()
	event := "{ \"session_id\":\"s\",\n\"browse_history\": [],\t\"price\": 10.10, " +
		"\"big\":123456789012345678901234567890, \"<tag>\":\"\\u00e9 é\" }"
	line, err := sampleRecord(event).AppendLine([]byte("before\n"))
	if err != nil {
		t.Fatal(err)
	}
	prefix := "before\n" + `{"session_id":"s","browse_history":[],"price":10.10,"big":123456789012345678901234567890,"<tag>":"\u00e9 é",` +
		`"recommended_items":[{"id":"S10_1678","score":0.75,"because":"S18_1749"},{"id":"S<&>","score":0.5}],"similar_items":{`
	if !bytes.HasPrefix(line, []byte(prefix)) {
		t.Errorf("got  %s\nwant %s…", line, prefix)
	}
	line = line[len("before\n"):]
	if bytes.IndexByte(line, '\n') != len(line)-1 || !json.Valid(line) {
		t.Errorf("not one line of JSON: %q", line)
	}
}

func TestRecordRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"", "[]", "{", "null"} {
		if line, err := sampleRecord(event).AppendLine(nil); err == nil || len(line) > 0 {
			t.Errorf("event %q: got %q, %v", event, line, err)
		}
	}
}

func TestParseRecordRefuses(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "[]", "{}", seedEvent, `{"recommended_items":[],"recommendation":{}`,
		`{"recommended_items":[],"recommendation":{}}{}`,
		`{"recommended_items":7,"recommendation":{}}`} {
		if _, err := ParseRecord([]byte(line)); err == nil {
			t.Errorf("%q was accepted", line)
		}
		if _, err := ParseDelivered([]byte(line)); err == nil {
			t.Errorf("%q was accepted for its recommendation", line)
		}
	}
}

// FuzzParse holds that no bytes make Parse panic, that a refusal is a fault with a reason, and that
// an accepted event survives its recommendation record: the same bytes but for white space, the
// same event.
// Its seeds are in testdata/fuzz/FuzzParse, where integration reads them too.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		event, err := Parse(data)
		if err != nil {
			var fault *Fault
			if !errors.As(err, &fault) || fault.Reason == "" || fault.Message == "" {
				t.Fatalf("refusal without a reason: %v", err)
			}
			return
		}
		want := sampleRecord(string(data))
		line, err := want.AppendLine(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseRecord(line)
		if err != nil {
			t.Fatalf("parse %q: %v", line, err)
		}
		sealed, err := want.AppendSealed(nil)
		if err != nil {
			t.Fatal(err)
		}
		sealed = bytes.TrimSuffix(sealed, []byte("\n"))
		only, err := ParseDelivered(sealed)
		if err != nil || only.Recommendation != want.Recommendation || !only.Intact || only.Digest != DigestOf(data) ||
			only.OwnEventID != event.EventID || only.Items != len(want.RecommendedItems) {
			t.Fatalf("delivered %q: %+v, %v", sealed, only, err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			t.Fatal(err)
		}
		want.Event = compact.Bytes()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		again, err := Parse(got.Event)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(event, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
