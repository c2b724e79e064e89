package audit

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// flags say what is known of a stream position.
type flags uint8

const (
	onStream    flags = 1 << iota // a record lies there
	inWindow                      // it arrived in the audited window; by the output's own word as long as no record is known
	recommended                   // a recommendation names it
	quarantined                   // a quarantine record names it
	failed                        // a failed batch names it
	wrongEvent                    // record and output disagree about the event's id
	repeated                      // not answered itself, but another record of the same event is
)

const outcome = recommended | quarantined | failed | repeated

// entry is all that is kept of one stream position: 48 bytes.
type entry struct {
	event    hash   // hash of the event's id; zero when only a failed batch names it
	session  uint64 // of the partition key
	arrived  int64  // on the stream; Unix milliseconds
	answered int64  // generated_at of the earliest recommendation; Unix nanoseconds
	lines    uint16 // recommendation lines, saturating
	flags    flags
}

// table holds an entry for each stream position that the stream or an output has named, in whichever order they came.
type table struct {
	index       map[hash]uint32
	chunks      [][]entry
	used        uint32
	unexplained int               // entries that no record on the stream explains
	suspects    map[uint32]string // of the unexplained ones, the first few: where the output is
}

// maxSuspects bounds the table's suspects. The stream is read before the outputs, so ordinarily there are few.
const maxSuspects = 1000

// chunkEntries bounds what is copied or wasted while the table grows.
const chunkEntries = 1 << 14

func newTable() *table { return &table{index: map[hash]uint32{}, suspects: map[uint32]string{}} }

// placeOf names a stream position. The stream may come as a name or as an ARN.
func placeOf(stream, shard, sequenceNumber string) hash {
	return hashOf(stream[strings.LastIndexByte(stream, '/')+1:] + " " + shard + " " + sequenceNumber)
}

func (t *table) at(i uint32) *entry { return &t.chunks[i/chunkEntries][i%chunkEntries] }

func (t *table) find(place hash) (i uint32, e *entry) {
	if i, ok := t.index[place]; ok {
		return i, t.at(i)
	}
	i = t.used
	if i%chunkEntries == 0 {
		t.chunks = append(t.chunks, make([]entry, 0, chunkEntries))
	}
	last := &t.chunks[len(t.chunks)-1]
	*last = append(*last, entry{})
	t.index[place] = i
	t.used++
	t.unexplained++
	return i, t.at(i)
}

// onStream notes a record and returns its entry's number.
func (t *table) onStream(place, event, session hash, arrived time.Time, counted bool) uint32 {
	i, e := t.find(place)
	if e.flags&onStream == 0 {
		t.unexplained--
		delete(t.suspects, i)
	}
	e.flags = e.flags&^inWindow | onStream
	if counted {
		e.flags |= inWindow
	}
	e.setEvent(event)
	e.session = binary.LittleEndian.Uint64(session[:])
	e.arrived = arrived.UnixMilli()
	return i
}

// came notes an output of a kind (recommended, quarantined, failed) found at where, and whether it is the first of its kind
// for the place. event is zero when unknown.
func (t *table) came(place, event hash, kind flags, counted bool, where string) (e *entry, first bool) {
	i, e := t.find(place)
	if e.flags&onStream == 0 {
		if counted {
			e.flags |= inWindow
		}
		if len(t.suspects) < maxSuspects {
			t.suspects[i] = where
		}
	}
	first = e.flags&kind == 0
	e.flags |= kind
	if event != (hash{}) {
		e.setEvent(event)
	}
	return e, first
}

func (e *entry) setEvent(event hash) {
	if e.event != (hash{}) && e.event != event {
		e.flags |= wrongEvent
		return
	}
	e.event = event
}

// events calls visit for each group of entries that share an event's id.
func (t *table) events(visit func(group []*entry)) {
	byEvent := make([]uint32, 0, t.used)
	for i := range t.used {
		if t.at(i).event != (hash{}) {
			byEvent = append(byEvent, i)
		}
	}
	slices.SortFunc(byEvent, func(i, j uint32) int { return bytes.Compare(t.at(i).event[:], t.at(j).event[:]) })
	var group []*entry
	for _, i := range byEvent {
		e := t.at(i)
		if len(group) > 0 && group[0].event != e.event {
			visit(group)
			group = group[:0]
		}
		group = append(group, e)
	}
	if len(group) > 0 {
		visit(group)
	}
}
