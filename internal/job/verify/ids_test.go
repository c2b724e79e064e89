package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/stream/activity"
)

// overHTTP is the record of an answer to a request that came a second after the history began.
func (h *history) overHTTP(event string) activity.Record {
	return h.answer(sent{activity.Position{Stream: activity.StreamHTTP, Shard: activity.StreamHTTP,
		SequenceNumber: "SEQUENCE" + event, PartitionKey: event, ArrivedAt: h.began.Add(time.Second)},
		[]byte(`{"event_id":"` + event + `","session_id":"s","browse_history":[]}`)}, 5*ms)
}

// TestAnswersOverHTTPAreNotOutOfNowhere: no stream explains them, and a stream's event under the same id does not
// answer for them, nor they for it.
func TestAnswersOverHTTPAreNotOutOfNowhere(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	click := h.click("shard-0", "a")
	h.deliver(h.overHTTP("shard-0-a-0"), h.overHTTP("e-2"))
	r := h.audit()
	if r.HTTPAnswers != 2 || r.Unknown != 0 || r.Events != 1 || r.Lost != 1 || r.Recommended != 0 ||
		r.HTTPSources["session"] != 2 {
		t.Errorf("%+v", r)
	}
	h.deliver(h.answer(click, 10*ms))
	if r := h.audit(); r.Fault() != nil || r.HTTPAnswers != 2 || r.Recommended != 1 ||
		!strings.Contains(r.String(), "answers over HTTP") {
		t.Errorf("%v in\n%s", r.Fault(), r)
	}
	damaged := h.overHTTP("e-3")
	damaged.Recommendation.ID = "rec-of another"
	h.deliver(damaged)
	if r := h.audit(); r.WrongEvent != 1 || len(r.Findings) != 1 ||
		!strings.HasPrefix(r.Findings[0].Where, "recommendations/2026/0003 line 1") {
		t.Errorf("%+v", r)
	}
}

// TestListedIDsAreThoseDelivered: whatever is in the list and whatever is delivered, how often each, the audit counts
// what brute force does, and names examples.
func TestListedIDsAreThoseDelivered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		times := rapid.SliceOfN(rapid.IntRange(0, 2), 1, 12)
		listed := times.Draw(rt, "how often each is in the list")
		h := newHistory(t)
		var lines []string
		var records []activity.Record
		var want IDs
		for i, n := range listed {
			delivered := rapid.IntRange(0, 2).Draw(rt, "how often it is delivered")
			record := h.overHTTP("e-" + strconv.Itoa(i))
			for range n {
				lines = append(lines, rapid.SampledFrom([]string{"%s", "%s ", `"%s"`, "null\n%s", "\n%s"}).Draw(rt, "form"))
				lines[len(lines)-1] = fmt.Sprintf(lines[len(lines)-1], record.Recommendation.ID)
			}
			for range delivered {
				records = append(records, record)
			}
			if n > 0 || delivered > 0 {
				want.add(int64(n), int64(delivered))
			}
		}
		h.deliver(records...)
		list := filepath.Join(t.TempDir(), "ids")
		if err := os.WriteFile(list, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			rt.Fatal(err)
		}
		r, err := New(h, h.folder).Run(t.Context(), Options{IDs: list})
		if err != nil {
			rt.Fatal(err)
		}
		if *r.IDs != want {
			rt.Fatalf("%+v, want %+v", *r.IDs, want)
		}
		found := map[string]int64{}
		for _, f := range r.Findings {
			found[f.Kind]++
			if f.Kind == kindMissingID && !recommendationID.MatchString(f.Where) ||
				f.Kind == kindUnlistedID && !strings.Contains(f.Where, " line ") {
				rt.Fatalf("finding %+v", f)
			}
		}
		if found[kindMissingID] != min(want.Missing, maxFindings) ||
			found[kindUnlistedID] != min(want.Unlisted, maxFindings) {
			rt.Fatalf("findings %+v for %+v", r.Findings, want)
		}
		fault := r.Fault()
		if differs := want.Missing > 0 || want.Unlisted > 0; differs != errors.Is(fault, ErrUnaccounted) {
			rt.Fatalf("%+v: %v", want, fault)
		}
		if empty := want.Listed == 0 && want.Unlisted == 0; empty != errors.Is(fault, ErrNoEvents) {
			rt.Fatalf("%+v: %v", want, fault)
		}
	})
}

func TestAListOfOtherThingsIsRefused(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(list, []byte("rec-"+strings.Repeat("0", 32)+"\nevt-7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Command{IDs: list}
	if _, err := c.options(time.Now()); err == nil || !strings.Contains(err.Error(), "--ids: line 2 of "+list) {
		t.Errorf("got %v", err)
	}
}
