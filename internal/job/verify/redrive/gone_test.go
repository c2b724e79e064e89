package redrive

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Shards has one shard, as long as it keeps a record.
func (b *bundle) Shards(context.Context) ([]string, error) {
	if len(b.kept) == 0 {
		return nil, nil
	}
	return []string{shard}, nil
}

func (b *bundle) ReadSince(_ context.Context, name string, since time.Time,
	visit func(activity.Position, []byte) error) error {
	for _, r := range b.kept {
		if r.Position.Shard != name || r.Position.ArrivedAt.Before(since) {
			continue
		}
		if err := visit(r.Position, r.Data); err != nil {
			return err
		}
	}
	return nil
}

// recordAt is record number n of the stream; a minute lies between two of them.
func recordAt(n int) deadletter.Record {
	p := position(n)
	p.ArrivedAt = p.ArrivedAt.Add(time.Duration(n) * time.Minute)
	return deadletter.Record{Position: p, Data: []byte(event(fmt.Sprintf("own-%d", n)))}
}

// batchInfo is the message of a batch of records first to last, as other destinations than a bucket get
// it. times says whether it names arrival times.
func batchInfo(stream string, first, last int, times bool) map[string]any {
	info := map[string]any{"shardId": shard, "startSequenceNumber": recordAt(first).Position.SequenceNumber,
		"endSequenceNumber": recordAt(last).Position.SequenceNumber}
	if stream != "" {
		info["streamArn"] = "arn:aws:kinesis:eu-west-1:000000000000:stream/" + stream
	}
	if times {
		info["approximateArrivalOfFirstRecord"] = recordAt(first).Position.ArrivedAt
		info["approximateArrivalOfLastRecord"] = recordAt(last).Position.ArrivedAt
	}
	return map[string]any{"KinesisBatchInfo": info}
}

// TestABatchWithoutRecordsIsReadFromTheStream gives up ranges of a stream that has dropped its oldest
// records: each record of a range is sent, or lies in a range that is named as gone.
func TestABatchWithoutRecordsIsReadFromTheStream(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		b := newBundle(t)
		const on = 12 // records on the stream, before it dropped any
		first := rapid.IntRange(1, on).Draw(rt, "first")
		last := rapid.IntRange(first, on).Draw(rt, "last")
		oldest := rapid.IntRange(1, on+1).Draw(rt, "oldest kept")
		withoutData := rapid.Bool().Draw(rt, "records without their bytes")
		for n := oldest; n <= on; n++ {
			b.kept = append(b.kept, recordAt(n))
		}
		letter := batchInfo("clicks", first, last, rapid.Bool().Draw(rt, "times"))
		if withoutData {
			letter["payload"] = map[string]any{"Records": []any{map[string]any{"kinesis": map[string]any{
				"sequenceNumber": recordAt(first).Position.SequenceNumber}}}}
		}
		b.mustPut(t, "aws/lambda/range", letter)
		var want []string
		for n := max(first, oldest); n <= last; n++ {
			want = append(want, string(recordAt(n).Data))
		}
		r := b.mustRedrive(t)
		if diff := cmp.Diff(want, b.taken); diff != "" || r.Sent != int64(len(want)) || r.Failed != r.Sent {
			rt.Errorf("%+v; the stream took (-want +got):\n%s", r, diff)
		}
		if len(r.Gone) == 0 != (oldest <= first) {
			rt.Fatalf("gone: %+v", r.Gone)
		}
		for _, g := range r.Gone {
			if g.Stream != "clicks" || g.Shard != shard || g.First != position(first).SequenceNumber ||
				g.Last != position(last).SequenceNumber || g.Key != "aws/lambda/range" {
				rt.Errorf("gone: %+v", g)
			}
			if kept := g.KeptFrom; len(want) == 0 && kept != "" || len(want) > 0 && kept != position(oldest).SequenceNumber {
				rt.Errorf("the stream still had %q", kept)
			}
			for _, part := range []string{"stream clicks", shard, g.First, g.KeptFrom, g.Key, "send these events again"} {
				if !strings.Contains(r.String(), part) {
					rt.Errorf("no %q in %s", part, r)
				}
			}
		}
		if again := b.mustRedrive(t); again.Sent != 0 || len(again.Gone) > 0 != (len(want) == 0) {
			rt.Errorf("a second run: %+v", again)
		}
	})
}

// What names no stream cannot be looked for, and what names another one is left alone. A long list
// says how much it leaves out.
func TestGoneRangesAreNamed(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.mustQuarantine(t, position(1), event("e"))
	b.mustPut(t, "quarantine/notes.json", map[string]int{"a": 1})
	b.mustPut(t, "aws/lambda/foreign", batchInfo("another", 1, 2, true))
	for i := range namedGone + 3 {
		b.mustPut(t, fmt.Sprintf("aws/lambda/none-%02d", i), batchInfo("", 1, 2, false))
	}
	r := b.mustRedrive(t)
	if diff := cmp.Diff([]string{"quarantine/notes.json"}, r.Strange); diff != "" || r.Sent != 1 || r.OtherStreams != 1 ||
		len(r.Gone) != namedGone+3 {
		t.Errorf("%+v %s", r, diff)
	}
	for _, part := range []string{"quarantine/notes.json", "stream not named", "none-09", "and 3 more"} {
		if !strings.Contains(r.String(), part) {
			t.Errorf("no %q in %s", part, r)
		}
	}
}
