package redrive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/shardwriter"

	"github.com/google/go-cmp/cmp"
)

const shard = "shardId-000000000000"

func position(n int) activity.Position {
	return activity.Position{Stream: "clicks", Shard: shard, SequenceNumber: fmt.Sprintf("4966%08d", n),
		PartitionKey: fmt.Sprintf("s%d", n%7),
		ArrivedAt:    time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func event(id string) string {
	if id != "" {
		id = fmt.Sprintf(`"event_id":%q,`, id)
	}
	return `{` + id + `"session_id":"s","browse_history":[]}`
}

// bundle is a bucket in a folder and a stream in memory. Both fail when fail says so: it is asked
// before each write, and after each that the stream took.
type bundle struct {
	*objectstore.Folder
	fail    func() error
	taken   []string
	pending []shardwriter.Record
	shops   activity.Shops
	erased  *erased.List
	kept    []deadletter.Record // what the stream still has, in its order
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	return &bundle{Folder: objectstore.NewFolder(t.TempDir()), fail: func() error { return nil }}
}

func (b *bundle) Put(ctx context.Context, key string, body io.ReadSeeker, size int64,
	c objectstore.Condition) (objectstore.Info, error) {
	if err := b.fail(); err != nil {
		return objectstore.Info{}, err
	}
	return b.Folder.Put(ctx, key, body, size, c)
}

func (b *bundle) Add(r shardwriter.Record) { b.pending = append(b.pending, r) }
func (b *bundle) Pending() int             { return len(b.pending) }

// Flush takes three records at a time.
func (b *bundle) Flush(context.Context) (int, error) {
	if err := b.fail(); err != nil {
		return 0, err
	}
	n := min(3, len(b.pending))
	for _, r := range b.pending[:n] {
		b.taken = append(b.taken, string(r.Data))
	}
	b.pending = b.pending[n:]
	return n, b.fail()
}

func (b *bundle) mustRedrive(t *testing.T) Result {
	t.Helper()
	r, err := Run(t.Context(), b, b, b, "clicks", b.shops, b.erased, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bundle) mustQuarantine(t *testing.T, p activity.Position, data string) {
	t.Helper()
	err := deadletter.NewQuarantine(onceStore{b.Folder}).Write(t.Context(),
		activity.Quarantined{Reason: activity.ReasonSchema, EventID: activity.EventID(nil, p), Position: p,
			Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
}

// mustFail writes a failed batch of records that begin at number first.
func (b *bundle) mustFail(t *testing.T, key string, first int, records ...string) {
	t.Helper()
	type record map[string]any
	var list []record
	for i, data := range records {
		p := position(first + i)
		list = append(list, record{"kinesis": record{"sequenceNumber": p.SequenceNumber, "partitionKey": p.PartitionKey,
			"data":                        []byte(data),
			"approximateArrivalTimestamp": float64(p.ArrivedAt.UnixMilli()) / 1000}})
	}
	payload, err := json.Marshal(record{"Records": list})
	if err != nil {
		t.Fatal(err)
	}
	b.mustPut(t, envconfig.FailurePrefix+key,
		record{"KinesisBatchInfo": record{"shardId": shard, "startSequenceNumber": position(first).SequenceNumber,
			"endSequenceNumber": position(first +
				len(records) - 1).SequenceNumber, "approximateArrivalOfLastRecord": "2026-03-01T12:00:00Z",
			"streamArn": "arn:aws:kinesis:eu-west-1:000000000000:stream/clicks"}, "payload": string(payload)})
}

func (b *bundle) mustPut(t *testing.T, key string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Folder.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)),
		objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
}

// fill puts records into both places: five that are events, in taken the texts that they become,
// and two that are none.
func (b *bundle) fill(t *testing.T) (becomes []string) {
	t.Helper()
	b.mustQuarantine(t, position(1), event("own-1"))
	b.mustQuarantine(t, position(2), event("")+"\n")
	b.mustQuarantine(t, position(3), "still broken")
	other := position(4)
	other.Stream = "another"
	b.mustQuarantine(t, other, event("foreign"))
	b.mustFail(t, "a", 10, event("own-10"), event(""), "poison in a failed batch")
	b.mustFail(t, "b", 20, event("own-20"))
	derived := func(n int) string {
		return `{"session_id":"s","browse_history":[],"event_id":"` + activity.EventID(nil, position(n)) + `"}`
	}
	return []string{event("own-1"), derived(2), event("own-10"), derived(11), event("own-20")}
}

func TestRedriveSendsEachRecordOnceUnderItsFirstEventID(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	want := b.fill(t)
	dry, err := Run(t.Context(), b, b, b, "clicks", b.shops, b.erased, true)
	if err != nil || dry.Sent != 5 || len(b.taken) > 0 || count(t, b, envconfig.RedrivenPrefix) > 0 ||
		count(t, b, envconfig.QuarantinePrefix) != 4 {
		t.Errorf("a dry run: %+v, %v; the stream took %q", dry, err, b.taken)
	}
	first := b.mustRedrive(t)
	if diff := cmp.Diff(want, b.taken); diff != "" {
		t.Errorf("the stream took (-want +got):\n%s", diff)
	}
	figures := Result{Sent: 5, Quarantined: 2, Failed: 3, Unreadable: 2,
		Reasons: map[activity.Reason]int64{activity.ReasonNotJSON: 2}, OtherStreams: 1}
	if diff := cmp.Diff(figures, first); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(first.String(),
		"Sent 5 events again: 2 from quarantine, 3 from failed batches.\n2 are still no event") {
		t.Errorf("said %q", first)
	}
	data, _, err := objectstore.ReadAll(t.Context(), b, deadletter.Key(position(12)))
	var kept activity.Quarantined
	if err != nil || json.Unmarshal(data, &kept) != nil || kept.Reason != activity.ReasonNotJSON ||
		kept.Position != position(12) {
		t.Errorf("the batch's bad record in quarantine: %+v, %v", kept, err)
	}
	second := b.mustRedrive(t)
	if second.Sent != 0 || second.SentBefore != 4 || len(b.taken) != len(want) {
		t.Errorf("a second run: %+v; the stream took %q", second, b.taken)
	}
	// A record that is mended where it lies is sent by the next run.
	b.mustPut(t, deadletter.Key(position(3)), activity.Quarantined{Position: position(3), Data: []byte(event("mended"))})
	if third := b.mustRedrive(t); third.Sent != 1 || b.taken[len(b.taken)-1] != event("mended") {
		t.Errorf("after mending: %+v", third)
	}
}

// TestARunThatEndsAnywhereLosesNothing ends a run at each of its writes in turn, before it and, at
// the stream, after it.
func TestARunThatEndsAnywhereLosesNothing(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	for at := 1; ; at++ {
		b, steps := newBundle(t), 0
		want := b.fill(t)
		b.fail = func() error {
			if steps++; steps >= at { // a dead process writes nothing more
				return killed
			}
			return nil
		}
		_, err := Run(t.Context(), b, b, b, "clicks", b.shops, b.erased, false)
		if err == nil {
			if at < 8 {
				t.Fatalf("a whole run has %d writes only", at)
			}
			return
		}
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
		before := len(b.taken)
		b.fail, b.pending = func() error { return nil }, nil
		b.mustRedrive(t)
		seen := map[string]int{}
		for _, data := range b.taken {
			seen[data]++
		}
		for _, data := range want {
			if seen[data] == 0 {
				t.Errorf("ended at write %d: %s was lost", at, data)
			}
			delete(seen, data)
		}
		if len(seen) > 0 || len(b.taken) > len(want)+before {
			t.Errorf("ended at write %d: the stream took %q", at, b.taken)
		}
		if again := b.mustRedrive(t); again.Sent != 0 {
			t.Errorf("ended at write %d: a third run sent %+v", at, again)
		}
		if n := count(t, b, envconfig.QuarantinePrefix); n != 5 {
			t.Errorf("ended at write %d: %d objects in quarantine", at, n)
		}
	}
}

// Two listings are merged: whichever objects have markers, exactly the others are sent.
func TestMarkersOfAnyObjectsAreFound(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	b := newBundle(t)
	want := map[string]bool{}
	for i := range 300 {
		p := position(i)
		b.mustQuarantine(t, p, event(fmt.Sprintf("e%d", i)))
		if random.IntN(2) == 0 {
			b.mustPut(t, markerKey(deadletter.Key(p)), marker{Sent: 1})
		} else {
			want[event(fmt.Sprintf("e%d", i))] = true
		}
	}
	r := b.mustRedrive(t)
	for _, data := range b.taken {
		if !want[data] {
			t.Errorf("%s was sent though it has a marker, or twice", data)
		}
		delete(want, data)
	}
	if len(want) > 0 || r.Sent+r.SentBefore != 300 {
		t.Errorf("%d were not sent; %+v", len(want), r)
	}
}

func TestTheEventIDOfTheFirstAttemptIsWrittenIntoTheEvent(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"none":   event(""),
		"empty":  `{"event_id":"","session_id":"s","browse_history":[]}`,
		"null":   `{"session_id":"s","browse_history":[],"event_id":null} `,
		"nested": `{"x":{"event_id":"own"},"session_id":"s","browse_history":[{"product_code":"a","quantity":1}]}`,
	} {
		got, fault := withEventID(item(data))
		if fault != nil {
			t.Errorf("%s: %v", name, fault)
			continue
		}
		if activity.DigestOf(got) != activity.DigestOf([]byte(data)) {
			t.Errorf("%s: %s differs by more than its id", name, got)
		}
		if e, err := activity.Parse(got); err != nil || e.EventID != activity.EventID(nil, position(1)) {
			t.Errorf("%s: %s has id %+v, %v", name, got, e, err)
		}
	}
	full := `{"session_id":"s","browse_history":[],"x":"`
	full += strings.Repeat("x", activity.MaxEventBytes-len(full)-2) + `"}`
	if _, fault := withEventID(item(full)); fault == nil || fault.Reason != activity.ReasonTooLarge {
		t.Errorf("an event without room for an id: %v", fault)
	}
}

// TestWhatIsSaidIsSentAgainWithItsFirstPosition: from both places, so that it undoes nothing that came
// after it.
func TestWhatIsSaidIsSentAgainWithItsFirstPosition(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.mustQuarantine(t, position(1), `{"type":"product","event_id":"q","product_code":"7","stock":1}`)
	b.mustFail(t, "batch", 2, `{"type":"customer","customer_number":"7","forget":true}`)
	if r := b.mustRedrive(t); r.Sent != 2 || len(b.taken) != 2 {
		t.Fatalf("%+v", r)
	}
	for i, data := range b.taken {
		later := position(100)
		later.ArrivedAt = later.ArrivedAt.Add(time.Hour)
		item := activity.Read(nil, later, []byte(data))[0]
		if item.Fault != nil {
			t.Fatal(item.Fault)
		}
		var state recommend.State
		state.Add(item.Event)
		want := recommend.State{Products: []activity.ProductWrite{{ID: "7", Order: position(1).Order(),
			Values: map[activity.Field]any{activity.FieldStock: int64(1), activity.FieldAvailable: true}}}}
		if i > 0 {
			want = recommend.State{Customers: []activity.CustomerWrite{{ID: "7", Order: position(2).Order(), Forget: true,
				Values: map[activity.CustomerField]any{}, Hidden: map[string]bool{}}}}
		}
		if diff := cmp.Diff(want, state); diff != "" {
			t.Errorf("%s says %s", data, diff)
		}
	}
}

func TestCommandWithoutItsVariables(t *testing.T) {
	t.Parallel()
	if err := (&Command{}).Run(t.Context(), &program.Output{}); !errors.Is(err, program.ErrConfig) ||
		!strings.Contains(err.Error(), "ACTIVITY_STREAM") {
		t.Error(err)
	}
}

func count(t *testing.T, store objectstore.Store, prefix string) (n int) {
	t.Helper()
	for _, err := range store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func item(data string) activity.Item {
	return deadletter.Record{Position: position(1), Data: []byte(data)}.Items()[0]
}

// What an older version quarantined whole, because it held several events, comes back event by event,
// under the ids that the function gives such events.
func TestRedriveSplitsWhatHoldsSeveralEvents(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.mustQuarantine(t, position(1), "["+event("own")+","+event("")+",7]")
	b.mustFail(t, "a", 10, event("x")+"\nbroken\n"+event(""))
	r := b.mustRedrive(t)
	second, tenth := position(1), position(10)
	second.SubSequenceNumber, tenth.SubSequenceNumber = 1, 2
	with := func(p activity.Position) string {
		return `{"session_id":"s","browse_history":[],"event_id":"` + activity.EventID(nil, p) + `"}`
	}
	want := []string{event("own"), with(second), event("x"), with(tenth)}
	if diff := cmp.Diff(want, b.taken); diff != "" || r.Sent != 4 || r.Unreadable != 2 {
		t.Errorf("%+v\n%s", r, diff)
	}
	tenth.SubSequenceNumber = 1
	data, _, err := objectstore.ReadAll(t.Context(), b, deadletter.Key(tenth))
	var kept activity.Quarantined
	if err != nil || json.Unmarshal(data, &kept) != nil || kept.Position != tenth || string(kept.Data) != "broken" {
		t.Errorf("the broken line in quarantine: %+v, %v", kept, err)
	}
}

// strangeKeys lists what the console's test event once wrote, which no store opens.
type strangeKeys struct{ *bundle }

func (s strangeKeys) List(ctx context.Context, prefix string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		if prefix == envconfig.QuarantinePrefix {
			for _, key := range []string{"quarantine/", "quarantine//shardId-000000000000/495450115243.json"} {
				if !yield(objectstore.Info{Key: key}, nil) {
					return
				}
			}
		}
		for info, err := range s.bundle.List(ctx, prefix) {
			if !yield(info, err) {
				return
			}
		}
	}
}

func TestRedrivePassesOverStrangeKeys(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.mustQuarantine(t, position(1), event("e"))
	r, err := Run(t.Context(), strangeKeys{b}, b, b, "clicks", b.shops, b.erased, false)
	if err != nil || r.Sent != 1 || len(r.Strange) != 2 || !strings.Contains(r.String(), "were skipped") {
		t.Errorf("%+v, %v", r, err)
	}
}

// refusing is a stream whose function still cannot answer: what is sent comes back to quarantine, at a later position.
type refusing struct {
	*bundle
	t    *testing.T
	next int
}

func (f *refusing) Flush(ctx context.Context) (int, error) {
	n, err := f.bundle.Flush(ctx)
	for range n {
		f.next++
		f.mustQuarantine(f.t, position(f.next), event(""))
	}
	return n, err
}

// List lists as S3 does, in pages: what comes meanwhile is on a later one.
func (f *refusing) List(ctx context.Context, prefix string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		for last, more := "", true; more; {
			more = false
			for info, err := range f.bundle.List(ctx, prefix) {
				if err == nil && info.Key <= last {
					continue
				}
				if more, last = true, info.Key; !yield(info, err) {
					return
				}
			}
		}
	}
}

// TestWhatComesBackIsNotSentAgain: a run ends, though each event that it sends comes back behind those that it reads.
func TestWhatComesBackIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	f := &refusing{bundle: b, t: t, next: 100_000}
	const events = 2*quarantineGroup + 7
	for n := range events {
		b.mustQuarantine(t, position(n), event(""))
	}
	r, err := Run(t.Context(), f, f, b, "clicks", b.shops, nil, false)
	if err != nil || r.Sent != events || r.Meanwhile == 0 || len(b.taken) != events {
		t.Errorf("%d events were sent %d times: %+v, %v", events, len(b.taken), r, err)
	}
	again, err := Run(t.Context(), f, f, b, "clicks", b.shops, nil, false)
	if err != nil || again.Sent != events || again.SentBefore != events {
		t.Errorf("the next run: %+v, %v", again, err)
	}
}
