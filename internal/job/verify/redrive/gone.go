package redrive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

const (
	// edge: a failed batch says when its first record arrived in milliseconds, the stream more exactly.
	edge = time.Second
	// namedGone bounds how many ranges the sentences name; the JSON result has all.
	namedGone = 10
)

// reader reads the stream. Package shardreader has one.
type reader interface {
	Shards(ctx context.Context) ([]string, error)
	// ReadSince visits a shard's records in order, from the first that arrived at since or later.
	ReadSince(ctx context.Context, shard string, since time.Time, visit func(activity.Position, []byte) error) error
}

// Gone is a range of records that were never answered and that are lost: their dead letter does not
// contain them, and the stream no longer has them.
type Gone struct {
	Key    string `json:"key"`    // the dead letter
	Stream string `json:"stream"` // "": it does not say
	Shard  string `json:"shard"`
	First  string `json:"first"` // sequence number
	Last   string `json:"last"`  // sequence number
	// the first record of the range that the stream still had; it and the later ones were sent. "": none
	KeptFrom  string    `json:"kept_from,omitempty"`
	ArrivedBy time.Time `json:"arrived_by,omitzero"` // when the last record of the range arrived
}

// String names the range.
func (g Gone) String() string {
	at := ""
	if !g.ArrivedBy.IsZero() {
		at = ", arrived by " + g.ArrivedBy.UTC().Format(time.RFC3339)
	}
	to := "to " + g.Last
	if g.KeptFrom != "" {
		to = "to the one before " + g.KeptFrom
	}
	return fmt.Sprintf("stream %s, shard %s, sequence number %s %s%s (%s)", cmp.Or(g.Stream, "not named"),
		g.Shard, g.First, to, at, g.Key)
}

// lacksRecords says whether the dead letter of a failed batch lacks the bytes of its records.
// Lambda sends them to a bucket only. A dead letter that was copied from a queue or a topic has
// none.
func lacksRecords(letter deadletter.Letter) bool {
	return letter.Quarantined == nil && (len(letter.Batch.Records) == 0 ||
		slices.ContainsFunc(letter.Batch.Records, func(r deadletter.Record) bool { return r.Data == nil }))
}

// fromStream reads the records of a batch from the stream, and says what of them is gone.
func (r *run) fromStream(ctx context.Context, key string, b deadletter.Batch) ([]deadletter.Record, *Gone, error) {
	gone := &Gone{Key: key, Stream: b.Stream, Shard: b.Shard, First: b.First, Last: b.Final, ArrivedBy: b.Last}
	if b.Stream == "" {
		return nil, gone, nil
	}
	shards, err := r.reader.Shards(ctx)
	if err != nil || !slices.Contains(shards, b.Shard) {
		return nil, gone, err
	}
	since := b.Earliest
	if !since.IsZero() {
		since = since.Add(-edge)
	}
	var records []deadletter.Record
	end := errors.New("end of the batch")
	err = r.reader.ReadSince(ctx, b.Shard, since, func(p activity.Position, data []byte) error {
		switch {
		case compareSequence(p.SequenceNumber, b.First) < 0:
			return nil
		case compareSequence(p.SequenceNumber, b.Final) > 0:
			return end
		}
		records = append(records, deadletter.Record{Position: p, Data: data})
		return nil
	})
	if err != nil && !errors.Is(err, end) {
		return nil, nil, err
	}
	// A stream drops its oldest records first.
	switch {
	case len(records) == 0:
		return nil, gone, nil
	case records[0].Position.SequenceNumber != b.First:
		gone.KeptFrom = records[0].Position.SequenceNumber
		return records, gone, nil
	}
	return records, nil, nil
}

// compareSequence compares two sequence numbers, which are decimal and longer than any integer type.
func compareSequence(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// sayGone names what is gone, and what to do.
func sayGone(gone []Gone) string {
	lines := []string{fmt.Sprintf("The records of %d failed batches are gone: neither the dead letter nor the stream "+
		"has them.",
		len(gone))}
	for _, g := range gone[:min(len(gone), namedGone)] {
		lines = append(lines, "  "+g.String())
	}
	if more := len(gone) - namedGone; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more (--json names all)", more))
	}
	return strings.Join(append(lines, "Let their producer send these events again, if it still has them. "+
		"Then delete the dead letters in parentheses."), "\n")
}
