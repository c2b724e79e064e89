// Package deadletter is where events end that cannot be answered: the quarantine, which the function
// writes, and the batches that Lambda gave up, which it writes itself. It owns their keys,
// the writing of the one and the reading of both. What a permanent fault is, package activity says;
// what becomes of dead letters, package redrive.
package deadletter

import (
	"errors"
	"fmt"
	"strings"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/objectkey"
	"kindred/internal/stream/activity"
)

var (
	// ErrPosition says that a record does not say where on a stream it was: it is no record of a stream,
	// and no dead letter could name it.
	ErrPosition = errors.New("is no record of a Kinesis stream")
	// ErrStrange says that an object is no dead letter: somebody else wrote it, or it is damaged. A
	// reader reports it and goes on. Nothing hides behind it: the stream still has the record, which
	// then counts as unanswered.
	ErrStrange = errors.New("is no dead letter")
)

// Letter is one object: a quarantined record, or a batch that Lambda gave up.
type Letter struct {
	Quarantined *activity.Quarantined // nil: a batch
	Batch       Batch
}

// Prefixes are where letters lie, the quarantine first.
var Prefixes = [...]string{envconfig.QuarantinePrefix, envconfig.FailurePrefix}

// Quarantines says whether a key is one of the quarantine.
func Quarantines(key string) bool { return strings.HasPrefix(key, envconfig.QuarantinePrefix) }

// CheckKey says whether a listed object can be a letter at all, before anybody opens it. The error is
// ErrStrange. It asks the rule that writers ask.
func CheckKey(key string) error {
	if err := objectkey.Check(key); err != nil {
		return fmt.Errorf("%w: %w", ErrStrange, err)
	}
	return nil
}

// Read reads the object at key. The error is ErrStrange.
func Read(key string, data []byte) (Letter, error) {
	if err := CheckKey(key); err != nil {
		return Letter{}, err
	}
	if !Quarantines(key) {
		batch, err := parseBatch(data)
		return Letter{Batch: batch}, err
	}
	q, err := parseQuarantined(data)
	return Letter{Quarantined: &q}, err
}

// Records are the records of the letter, in their order; none when a batch does not hold them.
func (l Letter) Records() []Record {
	if l.Quarantined == nil {
		return l.Batch.Records
	}
	return []Record{{Position: l.Quarantined.Position, Data: l.Quarantined.Data}}
}

// Record is one record that could not be answered.
type Record struct {
	Position activity.Position
	Data     []byte
}

// Items are the events that a record holds. A letter names a whole record by its first event, and one
// event of a record by its own sub-sequence number, with the bytes of that event alone.
func (r Record) Items() []activity.Item {
	items := activity.Read(nil, r.Position, r.Data)
	if len(items) == 1 {
		items[0].Position = r.Position
	}
	return items
}

// CheckPosition says whether a record names its place on a stream, as an event needs for its id, and a
// letter for its key. The error is ErrPosition.
func CheckPosition(p activity.Position) error {
	for _, part := range [...]struct{ name, value string }{
		{"stream (eventSourceARN)", p.Stream}, {"shard (eventID)", p.Shard}, {"sequence number", p.SequenceNumber},
	} {
		if part.value == "" {
			return fmt.Errorf("%w: it has no %s", ErrPosition, part.name)
		}
		if part.value == "." || part.value == ".." || strings.ContainsFunc(part.value, isForeign) {
			return fmt.Errorf("%w: its %s is %.100q, which no stream has", ErrPosition, part.name, part.value)
		}
	}
	return nil
}

// isForeign reports what the names of streams and shards never contain:
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StreamDescription.html.
func isForeign(r rune) bool {
	letter, digit := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z', r >= '0' && r <= '9'
	return !letter && !digit && r != '_' && r != '.' && r != '-'
}

// StreamOf is a stream's name in the ARN of the stream, or of one of its consumers:
// "arn:aws:kinesis:region:account:stream/NAME" and "…stream/NAME/consumer/…".
func StreamOf(arn string) string {
	_, stream, _ := strings.Cut(arn, ":stream/")
	stream, _, _ = strings.Cut(stream, "/")
	return stream
}
