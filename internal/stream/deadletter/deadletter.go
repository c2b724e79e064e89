// Package deadletter is where events end that cannot be answered: the quarantine, which λ recommend
// writes, and the failed batches, which Lambda itself writes. It owns the keys of both (key.go), the
// writing of quarantine records (quarantine.go) and the reading of both (batch.go, quarantine.go).
// Package activity says which faults are permanent. Package redrive sends dead letters again.
package deadletter

import (
	"errors"

	"kindred/internal/stream/activity"
)

var (
	// ErrPosition says that a record does not say where on a stream it was: it is no record of a stream,
	// and no dead letter could name it.
	ErrPosition = errors.New("is not a record of a Kinesis stream")
	// ErrStrange says that an object is no dead letter: somebody else wrote it, or it is damaged. A
	// reader reports it and goes on. Nothing hides behind it: the stream still has the record, which
	// then counts as unanswered.
	ErrStrange = errors.New("is not a dead letter")
)

// FailedBatch stands in counts by reason for a batch that Lambda gave up.
const FailedBatch = "failed batch"

// Letter is one object: a quarantined record, or a batch that Lambda gave up.
type Letter struct {
	Quarantined *activity.Quarantined // nil: a batch
	Batch       Batch
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

// EventIDs are the ids of the letter's events; none when a batch does not hold them.
func (l Letter) EventIDs() (ids []string) {
	if l.Quarantined != nil {
		return []string{l.Quarantined.EventID}
	}
	for _, r := range l.Batch.Records {
		for _, item := range activity.Read(nil, r.Position, r.Data) {
			ids = append(ids, activity.EventID(item.Event, item.Position))
		}
	}
	return ids
}
