package feedback

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/stream/activity"
)

func delivered(t *testing.T, event string) string {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	line, err := activity.Record{Event: []byte(event), Recommendation: activity.Recommendation{ID: "rec-1", EventID: "e",
		ModelVersion: "m1", Source: activity.SourceSession, GeneratedAt: at,
		Position: activity.Position{Stream: "s", Shard: "h", SequenceNumber: "1", ArrivedAt: at}}}.AppendSealed(nil)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(line))
}

// What cannot be read is named by key and line, and everything else is read.
func TestUnreadableLinesAreNamedAndPassedOver(t *testing.T) {
	t.Parallel()
	good := delivered(t, `{"session_id":"good","customer_number":7.0,"browse_history":[{"product_code":"a","quantity":"3"}],"x":1e400}`)
	store := objectstore.NewFolder(t.TempDir())
	put := func(key string, data []byte) {
		t.Helper()
		if _, err := store.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)),
			objectstore.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	state := strings.Replace(delivered(t, `{"type":"product","product_code":"a","stock":0}`), `"source":"session"`,
		`"source":"state"`, 1) // of no visitor
	put("recommendations/1", []byte(strings.Join([]string{good, state,
		delivered(t, `{"session_id":"\ud800","browse_history":[]}`), "", "broken", `[1]`, "{}",
		delivered(t, `{"session_id":"s","customer_number":12345678901.5,"browse_history":[]}`),
		delivered(t, `{"session_id":"s","browse_history":[{"product_code":"a\u0000"}]}`),
		delivered(t, `{"session_id":7,"browse_history":[]}`), "\xff", good}, "\n")))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(good + "\n" + good + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	put("recommendations/2.gz", packed.Bytes())
	put("recommendations/3.gz", packed.Bytes()[:packed.Len()-10])
	put("recommendations/4.gz", []byte{0x1f, 0x8b, 0})

	var out bytes.Buffer
	var bad unreadable
	job := Job{Recommendations: store}
	for info, err := range store.List(t.Context(), "recommendations/") {
		if err == nil {
			_, err = job.copyObject(t.Context(), info, &out, &bad)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(out.String(), `{"session_id":"good","customer_number":"7",`); n < 4 ||
		n != strings.Count(out.String(), "\n") {
		t.Errorf("%d good lines in\n%s", n, out.String())
	}
	if bad.Count != 10 || len(bad.Examples) != maxExamples {
		t.Errorf("%+v", bad)
	}
	said := strings.Join(bad.Examples, "\n")
	for _, want := range []string{"recommendations/1 line 3: ", "recommendations/1 line 5: ",
		"recommendations/1 line 11: ", "recommendations/3.gz", "recommendations/4.gz"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if strings.Contains(said, "12345678901") {
		t.Errorf("a value of the event is shown:\n%s", said)
	}
}

// TestWhatNamesNoRecommendationIsRead: interaction events of earlier versions may have anything in that member.
func TestWhatNamesNoRecommendationIsRead(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{`"rec-1"`: `"recommendation_id":"rec-1"`, "7": "", "null": "", `{"a":[1]}`: "",
		"[]": "", "true": "", `"\u0000"`: "", `""`: ""} {
		line := strings.Replace(delivered(t, `{"type":"interaction","kind":"view","session_id":"s","product_code":"a",`+
			`"recommendation_id":`+given+`}`), `"source":"session"`, `"source":"state"`, 1)
		out, err := project(nil, []byte(line), nil)
		if err != nil || !strings.Contains(string(out), `"product_code":"a"`) ||
			strings.Contains(string(out), "recommendation_id") != (want != "") || !strings.Contains(string(out), want) {
			t.Errorf("%s: %s, %v", given, out, err)
		}
	}
}

// FuzzProject holds that a line is refused, or becomes one line that is read again as the same.
func FuzzProject(f *testing.F) {
	f.Add([]byte(`{"session_id":"s","browse_history":[],"recommended_items":[{"id":"a","score":1e30}],"recommendation":{"id":"r","position":{"arrived_at":"2026-03-01T12:00:00+02:00"}}}`))
	f.Add([]byte(`{"session_id":"\ud800"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		once, err := project(nil, line, nil)
		if err != nil || len(once) == 0 { // of no visitor
			return
		}
		twice, err := project(nil, bytes.TrimSuffix(once, []byte("\n")), nil)
		if err != nil || !bytes.Equal(once, twice) || bytes.Count(once, []byte("\n")) != 1 {
			t.Fatalf("%q became %q, then %q, %v", line, once, twice, err)
		}
	})
}
