package verify

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"time"

	"kindred/internal/stream/activity"
)

// flags say what is known of a stream position.
type flags uint16

const (
	onStream flags = 1 << iota // an event lies there
	// it arrived in the audited window; by the output's own word as long as no record is known
	inWindow
	recommended // a recommendation names it
	quarantined // a quarantine record names it
	failed      // a failed batch names it
	wrongEvent  // record and output disagree about the event's id
	altered     // record and output disagree about the event or its time, or the line's checksum is wrong
	empty       // a recommendation without a single product
	repeated    // not answered itself, but another record of the same event is
	reused      // another event came earlier under the same event id
	stranger    // a recommendation whose model does not know the customer
	otherShop   // an event of another shop than the audited one
	byOther     // a recommendation by the function of another shop
	overHTTP    // a recommendation that answered a request: it has no record on the stream
	ofErased    // an event of a person who was erased since: its outcome may be deleted
)

const outcome = recommended | quarantined | failed

// fact is what an event on the stream or an output says of a stream position: 88 bytes.
type fact struct {
	place   hash
	event   hash    // of the event's id; zero: it does not say
	content uint64  // of the event's bytes (activity.DigestOf); 0: it does not say
	session uint64  // of an event: hash of its shard and partition key
	ordinal uint64  // of an event: see shardShift
	arrived int64   // Unix nanoseconds: when the record arrived; 0: it does not say
	at      int64   // Unix nanoseconds: of an event its arrival, of a recommendation generated_at
	latency float32 // of a recommendation: milliseconds
	label   uint32  // of a recommendation or a quarantine record: its number in labels
	flags   flags
	// of a recommendation: the event's products that were looked up, and those that the model did not know
	products, unknown uint8
	// of a recommendation: how many records its event has, and a bit for this one; of an entry, a bit for each that
	// was delivered
	strips, strip uint8
}

// distinct is how many different records of an event were delivered, of those that any was.
func distinct(strip uint8) int64 { return max(1, int64(bits.OnesCount8(strip))) }

// partial says whether an event was answered, but not with all its records.
func (e *entry) partial() bool {
	return e.flags&recommended != 0 && e.strips > 1 && bits.OnesCount8(e.strip) < int(e.strips)
}

// shardShift: an ordinal is the number of the shard, then that of the event in its shard, in the
// stream's order.
const shardShift = 48

// entry is what all facts of a position say together: the record's, of its recommendations the
// earliest one's latency and label, and what follows. 104 bytes.
type entry struct {
	fact
	answered   int64  // generated_at of the earliest recommendation; Unix nanoseconds
	lines      uint32 // recommendation lines
	quarantine uint32 // label of the quarantine record
}

// add takes one more fact of the position.
func (e *entry) add(f fact) {
	if f.event != (hash{}) {
		if e.event != (hash{}) && e.event != f.event {
			e.flags |= wrongEvent
		}
		e.event = f.event
	}
	if f.content != 0 {
		if e.content != 0 && e.content != f.content {
			e.flags |= altered
		}
		e.content = f.content
	}
	if f.arrived != 0 {
		if e.arrived != 0 && time.Duration(f.arrived-e.arrived).Abs() > edge {
			e.flags |= altered
		}
		e.arrived = f.arrived
	}
	switch {
	case f.flags&onStream != 0:
		e.session, e.ordinal, e.at = f.session, f.ordinal, f.at
		e.flags &^= inWindow
	case e.flags&onStream != 0:
		f.flags &^= inWindow
	}
	if f.flags&recommended != 0 {
		if e.lines == 0 || f.at < e.answered {
			e.answered, e.latency, e.label = f.at, f.latency, f.label
			e.products, e.unknown = f.products, f.unknown
		}
		e.lines++
		e.strips, e.strip = max(e.strips, f.strips), e.strip|f.strip
	}
	if f.flags&quarantined != 0 {
		e.quarantine = f.label
	}
	e.flags |= f.flags
}

// label is what a report counts outputs by.
type label struct {
	source  activity.Source
	version string
	reason  activity.Reason
}

// labels numbers labels: facts have a fixed size.
type labels struct {
	numbers map[label]uint32
	list    []label
}

func (l *labels) number(of label) uint32 {
	n, ok := l.numbers[of]
	if !ok {
		n = uint32(len(l.list))
		l.numbers[of] = n
		l.list = append(l.list, of)
	}
	return n
}

// placeOf names a stream position.
func placeOf(p activity.Position) hash {
	place := p.Stream + " " + p.Shard + " " + p.SequenceNumber
	if p.SubSequenceNumber > 0 {
		place += " " + strconv.Itoa(p.SubSequenceNumber)
	}
	return hashOf(place)
}

// contentOf stands for the bytes of an event, without its field event_id. It is never 0.
func contentOf(d activity.Digest) uint64 { return binary.LittleEndian.Uint64(d[:]) | 1 }
