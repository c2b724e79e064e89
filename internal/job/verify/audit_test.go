package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kindred/internal/stream/activity"
)

const ms = time.Millisecond

// figures are the counts of a report that the tests compare.
type figures struct {
	Events, Distinct, Recommended, Quarantined, OnFailure, InFlight, Lost, NotReached int64
	Duplicates, OutOfOrder, Unknown, Conflicts, WrongEvent, Malformed, Redriven       int64
	Missing, Altered, Reused, Empty, Strange, DistinctLost                            int64
}

func figuresOf(r Report) figures {
	return figures{r.Events, r.DistinctEvents, r.Recommended, r.Quarantined, r.OnFailure, r.InFlight, r.Lost, r.NotReached,
		r.Duplicates, r.OutOfOrder, r.Unknown, r.Conflicts, r.WrongEvent, r.Malformed, r.Redriven,
		r.Missing, r.Altered, r.ReusedIDs, r.EmptyAnswers, r.Strange, r.DistinctLost}
}

// damageCase is a history that was damaged by hand, and exactly what the audit must find in it.
type damageCase struct {
	name    string
	damage  func(h *history, clicks []sent)
	change  func(f *figures) // what differs from the figures of a whole history
	finding string
	healthy bool
}

// testDamage audits each damaged history. Every history begins with three answered clicks of one
// session on shard 0, then an unreadable record in quarantine, and one answered click on shard 1.
func testDamage(t *testing.T, cases ...damageCase) {
	t.Helper()
	whole := figures{Events: 5, Distinct: 5, Recommended: 4, Quarantined: 1}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			clicks := []sent{h.click("shard-0", "a"), h.click("shard-0", "a"), h.click("shard-0", "a")}
			h.deliver(h.answer(clicks[0], 10*ms), h.answer(clicks[1], 20*ms))
			h.quarantine(h.put("shard-0", "a", "no JSON"))
			h.deliver(h.answer(clicks[2], 30*ms), h.answer(h.click("shard-1", "b"), 40*ms))
			tc.damage(h, clicks)

			r := h.audit()
			want := whole
			tc.change(&want)
			if got := figuresOf(r); got != want {
				t.Errorf("figures\n got %+v\nwant %+v", got, want)
			}
			if tc.healthy != (r.Fault() == nil) || r.Fault() != nil && !errors.Is(r.Fault(), ErrUnaccounted) {
				t.Errorf("fault = %v", r.Fault())
			}
			if !strings.Contains(r.String(), tc.finding) {
				t.Errorf("no %q in\n%s", tc.finding, r)
			}
		})
	}
}

// TestAuditFindsLosses leaves events without an answer.
func TestAuditFindsLosses(t *testing.T) {
	t.Parallel()
	testDamage(t,
		damageCase{name: "nothing in a whole history", damage: func(*history, []sent) {}, change: func(*figures) {},
			healthy: true},
		damageCase{name: "a loss",
			damage: func(h *history, _ []sent) {
				h.click("shard-0", "a")
				h.deliver(h.answer(h.click("shard-0", "a"), 10*ms))
			},
			change: func(f *figures) {
				f.Events += 2
				f.Distinct += 2
				f.Recommended++
				f.Lost++
				f.DistinctLost++
				f.Missing++
			},
			finding: "lost: shard-0 1004"},
		damageCase{name: "a shard that nobody reads any more",
			damage: func(h *history, _ []sent) { h.click("shard-1", "b"); h.click("shard-1", "b") },
			change: func(f *figures) {
				f.Events += 2
				f.Distinct += 2
				f.Lost += 2
				f.DistinctLost += 2
				f.NotReached += 2
			},
			finding: "lost: shard-1 1001"},
		damageCase{name: "an event that its producer put twice",
			damage: func(h *history, _ []sent) {
				first := h.click("shard-0", "c")
				h.put("shard-0", "c", string(first.data))
				h.deliver(h.answer(h.click("shard-0", "c"), 10*ms))
			},
			change: func(f *figures) {
				f.Events += 3
				f.Distinct += 2
				f.Recommended++
				f.Lost += 2
				f.DistinctLost++
				f.Missing += 2
			},
			finding: "1 distinct"},
		damageCase{name: "an event sent twice, given up once and answered never",
			damage: func(h *history, _ []sent) {
				first := h.click("shard-0", "c")
				h.failBatch(false, first)
				h.put("shard-0", "c", string(first.data))
			},
			change: func(f *figures) {
				f.Events += 2
				f.Distinct++
				f.OnFailure++
				f.Lost++
				f.DistinctLost++
				f.NotReached++
			},
			finding: "lost: shard-0 1005"},
	)
}

// TestAuditTellsDuplicatesFromLosses sends or answers events twice.
func TestAuditTellsDuplicatesFromLosses(t *testing.T) {
	t.Parallel()
	testDamage(t,
		damageCase{name: "a duplicate",
			damage: func(h *history, clicks []sent) { h.deliver(h.answer(clicks[1], 90*ms), h.answer(clicks[1], 95*ms)) },
			change: func(f *figures) { f.Duplicates += 2 }, healthy: true},
		damageCase{name: "an event sent twice and answered twice",
			damage: func(h *history, clicks []sent) {
				h.deliver(h.answer(h.put("shard-0", "a", string(clicks[0].data)), 10*ms))
			},
			change: func(f *figures) { f.Events++; f.Recommended++; f.Duplicates++ }, healthy: true},
		damageCase{name: "an event sent twice and answered once",
			damage: func(h *history, clicks []sent) { h.put("shard-0", "a", string(clicks[0].data)) },
			change: func(f *figures) { f.Events++; f.Recommended++ }, healthy: true},
		damageCase{name: "no reordering by a late duplicate",
			damage: func(h *history, clicks []sent) { h.deliver(h.answer(clicks[0], time.Minute)) },
			change: func(f *figures) { f.Duplicates++ }, healthy: true},
	)
}

// TestAuditFindsReordering answers a session's clicks out of order.
func TestAuditFindsReordering(t *testing.T) {
	t.Parallel()
	testDamage(t,
		damageCase{name: "a reordering within a session",
			damage: func(h *history, _ []sent) {
				first, second := h.click("shard-0", "c"), h.click("shard-0", "c")
				h.deliver(h.answer(second, 10*ms), h.answer(first, 1100*ms))
			},
			change: func(f *figures) { f.Events += 2; f.Distinct += 2; f.Recommended += 2; f.OutOfOrder++ }, healthy: true},
		damageCase{name: "no reordering between sessions",
			damage: func(h *history, _ []sent) {
				first, second := h.click("shard-0", "c"), h.click("shard-0", "d")
				h.deliver(h.answer(second, 10*ms), h.answer(first, 1100*ms))
			},
			change: func(f *figures) { f.Events += 2; f.Distinct += 2; f.Recommended += 2 }, healthy: true},
	)
}

// TestAuditFindsWrongAnswers delivers answers that do not belong to their event.
func TestAuditFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	testDamage(t,
		damageCase{name: "a click both recommended and quarantined",
			damage:  func(h *history, clicks []sent) { h.quarantine(clicks[2]) },
			change:  func(f *figures) { f.Conflicts++ },
			finding: "conflict: shard-0 1002"},
		damageCase{name: "a recommendation out of nowhere",
			damage: func(h *history, clicks []sent) {
				ghost := clicks[0]
				ghost.position.SequenceNumber = "999"
				r := h.answer(ghost, 10*ms)
				r.Recommendation.EventID = "ghost"
				r.Recommendation.ID = activity.RecommendationID("ghost", "")
				h.deliver(r)
			},
			change: func(f *figures) { f.Unknown++ }, finding: "unknown: recommendations/2026/0004 line 1"},
		damageCase{name: "a recommendation from another stream",
			damage: func(h *history, clicks []sent) {
				foreign := clicks[0]
				foreign.position.Stream = "other"
				h.deliver(h.answer(foreign, 10*ms))
			},
			change: func(f *figures) { f.Unknown++; f.Duplicates++ }, finding: "unknown: "},
		damageCase{name: "an answer under another event's id",
			damage: func(h *history, _ []sent) {
				r := h.answer(h.click("shard-1", "b"), 10*ms)
				r.Recommendation.EventID = "other"
				r.Recommendation.ID = activity.RecommendationID("other", "")
				h.deliver(r)
			},
			change:  func(f *figures) { f.Events++; f.Distinct++; f.Recommended++; f.WrongEvent++ },
			finding: "wrong_event: shard-1 1001"},
		damageCase{name: "a recommendation id that does not follow from its event",
			damage: func(h *history, _ []sent) {
				r := h.answer(h.click("shard-1", "b"), 10*ms)
				r.Recommendation.ID = "rec-random"
				h.deliver(r)
			},
			change:  func(f *figures) { f.Events++; f.Distinct++; f.Recommended++; f.WrongEvent++ },
			finding: "wrong_event: shard-1 1001"},
	)
}

// TestAuditReadsDeliveredObjects damages objects, or writes them in another form.
func TestAuditReadsDeliveredObjects(t *testing.T) {
	t.Parallel()
	testDamage(t,
		damageCase{name: "two records glued without a newline",
			damage:  func(h *history, _ []sent) { h.write("recommendations/", []byte(`{"a":1}{"a":2}`)) },
			change:  func(f *figures) { f.Malformed++ },
			finding: "malformed: recommendations/0004 line 1"},
		damageCase{name: "an object among the dead letters that is none",
			damage: func(h *history, _ []sent) {
				h.write("quarantine/", []byte(`{}`))
				h.write("aws/lambda/", []byte(`no JSON`))
			},
			change: func(f *figures) { f.Strange += 2 }, finding: "strange: quarantine/0004", healthy: true},
		damageCase{name: "a compressed object, read as any other",
			damage: func(h *history, _ []sent) {
				line, err := h.answer(h.click("shard-1", "b"), 10*ms).AppendLine(nil)
				if err != nil {
					h.t.Fatal(err)
				}
				h.write("recommendations/", zipped(h.t, line))
			},
			change: func(f *figures) { f.Events++; f.Distinct++; f.Recommended++ }, healthy: true},
	)
}

// TestAuditReadsFailedBatches gives up batches, in every form in which Lambda reports them.
func TestAuditReadsFailedBatches(t *testing.T) {
	t.Parallel()
	testDamage(t,
		damageCase{name: "a failed batch with its payload, as LocalStack writes it",
			damage: func(h *history, _ []sent) { h.failBatch(false, h.click("shard-0", "a"), h.click("shard-0", "a")) },
			change: func(f *figures) { f.Events += 2; f.Distinct += 2; f.OnFailure += 2 }, healthy: true},
		damageCase{name: "a failed batch with its payload as text, as AWS writes it",
			damage: func(h *history, _ []sent) { h.failBatch(true, h.click("shard-0", "a"), h.click("shard-0", "a")) },
			change: func(f *figures) { f.Events += 2; f.Distinct += 2; f.OnFailure += 2 }, healthy: true},
		damageCase{name: "a failed batch that was sent again and answered",
			damage: func(h *history, _ []sent) {
				first := h.click("shard-0", "c")
				h.failBatch(false, first)
				h.deliver(h.answer(h.put("shard-1", "c", string(first.data)), 10*ms))
			},
			change:  func(f *figures) { f.Events += 2; f.Distinct++; f.OnFailure++; f.Recommended++; f.Redriven++ },
			healthy: true, finding: "answered since"},
		damageCase{name: "a failed batch that names its first and last record only",
			damage: func(h *history, _ []sent) {
				first, _, last := h.click("shard-0", "a"), h.click("shard-0", "a"), h.click("shard-0", "a")
				h.write("aws/lambda/", fmt.Appendf(nil,
					`{"KinesisBatchInfo":{"shardId":"shard-0","startSequenceNumber":%q,"endSequenceNumber":%q,`+
						`"approximateArrivalOfLastRecord":%q,"streamArn":"arn:aws:kinesis:eu-west-1:000000000000:stream/activity"}}`,
					first.position.SequenceNumber, last.position.SequenceNumber, last.position.ArrivedAt.Format(time.RFC3339Nano)))
			},
			change: func(f *figures) { f.Events += 3; f.Distinct += 3; f.OnFailure += 3 }, healthy: true},
	)
}

// TestAuditReadsQuarantine puts readable and wrongly named records into quarantine.
func TestAuditReadsQuarantine(t *testing.T) {
	t.Parallel()
	testDamage(t,
		damageCase{name: "a quarantined record that can be read since a fix, with an id of its own",
			damage: func(h *history, _ []sent) { h.quarantine(h.click("shard-0", "a")) },
			change: func(f *figures) { f.Events++; f.Distinct++; f.Quarantined++ }, healthy: true},
		damageCase{name: "a quarantined record with an id of its own, that the database refuses",
			damage: func(h *history, _ []sent) {
				refused := h.put("shard-1", "b", `{"event_id":"own","session_id":"b","browse_history":[]}`)
				data, err := json.Marshal(activity.Quarantined{EventID: "own", Position: refused.position, Data: refused.data})
				if err != nil {
					h.t.Fatal(err)
				}
				h.write("quarantine/", data)
			},
			change: func(f *figures) { f.Events++; f.Distinct++; f.Quarantined++ }, healthy: true},
		damageCase{name: "a quarantine record under another record's id",
			damage: func(h *history, clicks []sent) {
				bad := h.put("shard-1", "b", "no JSON")
				data, err := json.Marshal(activity.Quarantined{EventID: activity.EventID(nil, clicks[0].position),
					Position: bad.position})
				if err != nil {
					h.t.Fatal(err)
				}
				h.write("quarantine/", data)
			},
			change:  func(f *figures) { f.Events++; f.Distinct++; f.Quarantined++; f.WrongEvent++ },
			finding: "wrong_event: shard-1 1001"},
	)
}

// failBatch writes a failed batch of these records, with its payload as JSON or as text.
func (h *history) failBatch(asText bool, batch ...sent) {
	h.t.Helper()
	records := ""
	for i, s := range batch {
		if i > 0 {
			records += ","
		}
		records += fmt.Sprintf(`{"kinesis":{"sequenceNumber":%q,"approximateArrivalTimestamp":%f}}`,
			s.position.SequenceNumber, float64(s.position.ArrivedAt.UnixMilli())/1000)
	}
	payload := `{"Records":[` + records + `]}`
	if asText {
		payload = fmt.Sprintf("%q", payload)
	}
	last := batch[len(batch)-1].position
	h.write("aws/lambda/", fmt.Appendf(nil,
		`{"KinesisBatchInfo":{"shardId":"shard-0","startSequenceNumber":%q,"endSequenceNumber":%q,`+
			`"approximateArrivalOfLastRecord":%q,"streamArn":"arn:aws:kinesis:eu-west-1:000000000000:stream/activity"},"payload":%s}`,
		batch[0].position.SequenceNumber, last.SequenceNumber, last.ArrivedAt.Format(time.RFC3339Nano), payload))
}

func TestSinceLeavesOutInputAndOutputAlike(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.click("shard-0", "a") // lost, before the window
	early, late := h.click("shard-0", "a"), sent{}
	for range 5 {
		late = h.click("shard-0", "a")
	}
	h.deliver(h.answer(early, ms), h.answer(late, ms))
	r, err := New(h, h.folder).Run(t.Context(), Options{Since: late.position.ArrivedAt})
	if err != nil {
		t.Fatal(err)
	}
	if want := (figures{Events: 1, Distinct: 1, Recommended: 1}); figuresOf(r) != want {
		t.Errorf("figures = %+v, want %+v", figuresOf(r), want)
	}
}

func TestOutputsOfRecordsThatTheStreamForgotAreNoFault(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	old := h.click("shard-0", "a")
	h.records["shard-0"] = nil
	old.position.ArrivedAt = time.Now().Add(-25 * time.Hour)
	h.deliver(h.answer(old, ms))
	if r := h.audit(); figuresOf(r) != (figures{}) {
		t.Errorf("figures = %+v", figuresOf(r))
	}
}

// Nothing to look at is no proof: a stream made anew, a window that holds nothing, a function that
// answers nobody.
func TestAnAuditOfNothingProvesNothing(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.deliver(h.answer(h.click("shard-0", "a"), ms))
	since := time.Now().Add(time.Hour)
	r, err := New(h, h.folder).Run(t.Context(), Options{Since: since})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(r.Fault(), ErrNoEvents) || strings.Contains(r.String(), "is accounted for") {
		t.Errorf("fault %v of\n%s", r.Fault(), r)
	}
	if day := since.UTC().Format(time.RFC3339); !strings.Contains(r.String(), day) ||
		!strings.Contains(r.Fault().Error(), day) {
		t.Errorf("%s is named neither in %v nor in\n%s", day, r.Fault(), r)
	}
}

// The stream keeps a day; who asks for two must see how far back the proof reaches.
func TestReportNamesItsWindow(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.deliver(h.answer(h.click("shard-0", "a"), ms))
	r, err := New(h, h.folder).Run(t.Context(), Options{Since: time.Now().Add(-48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(r.Since); age > 24*time.Hour {
		t.Errorf("the window begins %v ago", age)
	}
	if want := "Every event since " + r.Since.UTC().Format(time.RFC3339) +
		" is accounted for."; !strings.Contains(r.String(), want) {
		t.Errorf("no %q in\n%s", want, r)
	}
}

// What the hour before or after has lost is another audit's.
func TestUntilLeavesOutInputAndOutputAlike(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	first, second := h.click("shard-0", "a"), sent{}
	for range 5 {
		second = h.click("shard-0", "a") // lost, the last of them behind the window
	}
	h.deliver(h.answer(first, ms))
	r, err := New(h, h.folder).Run(t.Context(), Options{Since: first.position.ArrivedAt, Until: second.position.ArrivedAt})
	if err != nil {
		t.Fatal(err)
	}
	if want := (figures{Events: 5, Distinct: 5, Recommended: 1, Lost: 4, DistinctLost: 4,
		NotReached: 4}); figuresOf(r) != want {
		t.Errorf("figures = %+v, want %+v", figuresOf(r), want)
	}
	if want := " until " + second.position.ArrivedAt.UTC().Format(time.RFC3339) +
		" is accounted for."; !strings.Contains(r.String(), want) {
		t.Errorf("no %q in\n%s", want, r)
	}
}

// On a stream that never rests something is always in flight. What the first look saw ends the wait.
func TestWaitEndsWhenAllThatTheFirstLookSawIsAnswered(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.began = time.Now()
	click := h.click("shard-0", "a")
	r, err := New(h, h.folder).Run(t.Context(), Options{Wait: time.Hour, Looked: func(Report) {
		h.deliver(h.answer(click, ms))
		h.began = time.Now().Add(-time.Second) // a click's place in its shard adds that second
		h.click("shard-0", "a")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Recommended != 1 || r.InFlight != 1 || r.Lost != 0 || r.Looks != 2 || r.Fault() != nil {
		t.Errorf("after %d looks: %+v", r.Looks, figuresOf(r))
	}
}

func TestOptionsReportEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := (&Command{Since: "yesterday", Until: "tomorrow", Wait: -1}).options(time.Now())
	for _, want := range []string{"--since", "--until", "--wait", "ACTIVITY_STREAM", "RECOMMENDATIONS_BUCKET"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	c := Command{Since: "1h", Until: "2h"}
	if _, err := c.options(time.Now()); err == nil || !strings.Contains(err.Error(), "--until is not after --since") {
		t.Errorf("error = %v", err)
	}
}

func TestWaitLooksAgainUntilTheAnswerCame(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.began = time.Now()
	h.deliver(h.answer(h.click("shard-1", "b"), ms)) // seen by both looks, counted by one
	click := h.click("shard-0", "a")
	looked := 0
	r, err := New(h, h.folder).Run(t.Context(), Options{Wait: time.Minute, Looked: func(r Report) {
		if looked++; looked == 1 {
			if r.InFlight != 1 || r.Lost != 0 {
				t.Errorf("first look: %+v", figuresOf(r))
			}
			h.deliver(h.answer(click, ms))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Recommended != 2 || r.Duplicates != 0 || r.InFlight != 0 || r.Looks != 2 || looked != 1 {
		t.Errorf("after %d looks: %+v", r.Looks, figuresOf(r))
	}
}

func TestWaitEndsWithTheLossOfWhatHadItsTime(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.began = time.Now()
	h.click("shard-0", "a")
	r, err := New(h, h.folder).Run(t.Context(), Options{Wait: 300 * ms})
	if err != nil {
		t.Fatal(err)
	}
	if r.Lost != 1 || r.InFlight != 0 || r.Looks < 2 {
		t.Errorf("after %d looks: %+v", r.Looks, figuresOf(r))
	}
}

// Reading much data takes longer than the patience; what had its time by the end of that look is
// lost all the same.
func TestALookLongerThanTheWaitHidesNoLoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		h.began = time.Now()
		h.click("shard-0", "a")
		h.onRead = func() { time.Sleep(2 * time.Second) }
		r, err := New(h, h.folder).Run(t.Context(), Options{Wait: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if r.Lost != 1 || r.InFlight != 0 || r.Fault() == nil {
			t.Errorf("after %d looks: %+v, fault %v", r.Looks, figuresOf(r), r.Fault())
		}
	})
}

// A stream whose clock is ahead of ours must not make a loss look young for ever.
func TestAClockAheadHidesNoLoss(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{0, 300 * ms} {
		h := newHistory(t)
		h.began = time.Now().Add(10 * time.Minute)
		h.click("shard-0", "a")
		r, err := New(h, h.folder).Run(t.Context(), Options{Wait: wait})
		if err != nil {
			t.Fatal(err)
		}
		if r.Lost != 1 || r.InFlight != 0 {
			t.Errorf("wait %v, after %d looks: %+v", wait, r.Looks, figuresOf(r))
		}
	}
}

// An event that arrives and is answered between the reading of the stream and that of the outputs
// is not out of nowhere.
func TestAnAnswerNewerThanTheStreamReadIsExplained(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.shards = h.shards[:1]
	click := h.click("shard-0", "a")
	late := h.records["shard-0"][0]
	h.records["shard-0"] = nil
	h.deliver(h.answer(click, ms))
	reads := 0
	h.onRead = func() {
		if reads++; reads == 2 {
			h.records["shard-0"] = []sent{late}
		}
	}
	if r := h.audit(); figuresOf(r) != (figures{Events: 1, Distinct: 1, Recommended: 1}) || len(r.Findings) > 0 {
		t.Errorf("figures = %+v, findings %+v", figuresOf(r), r.Findings)
	}
}

func TestLatencyAndRate(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	var answers []activity.Record
	for i := range 100 {
		answers = append(answers, h.answer(h.click("shard-0", "a"), time.Duration(i+1)*ms))
	}
	h.deliver(answers...)
	h.deliver(answers[:50]...) // duplicates count once
	r := h.audit()
	near := func(got, want float64) bool { return got > want*0.99 && got < want*1.01 }
	if l := r.LatencyMS; !near(l.P50, 50) || !near(l.P99, 99) || l.Max != 100 {
		t.Errorf("latency = %+v", l)
	}
	if !near(r.EventsPerSecond, 100/99.099) || r.Sources[activity.SourceSession] != 100 || r.Versions["m1"] != 100 {
		t.Errorf("%v a second, sources %v, versions %v", r.EventsPerSecond, r.Sources, r.Versions)
	}
}

func TestAFaultOfTheStoreIsAnError(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.write("recommendations/", []byte{0x1f, 0x8b, 0})
	if _, err := New(h, h.folder).Run(t.Context(), Options{}); err == nil {
		t.Error("a damaged gzip object was read as if it were whole")
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"": {}, "15m": now.Add(-15 * time.Minute), "2026-01-01T00:00:00.5Z": time.Date(2026, 1, 1, 0, 0, 0, 5e8, time.UTC),
	} {
		if got, err := parseTime(s, now); err != nil || !got.Equal(want) {
			t.Errorf("parseTime(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"yesterday", "-5m"} {
		if _, err := parseTime(s, now); err == nil {
			t.Errorf("parseTime(%q) succeeded", s)
		}
	}
}
