package activity

import (
	"bytes"
	"compress/gzip"
	"crypto/md5" //nolint:gosec // the Kinesis Producer Library's checksum, against damage only
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
)

// Limits of a record that holds several events, or packed ones.
const (
	// MaxParts bounds the events of one record. 1 MiB of the smallest events are 27,000.
	MaxParts = 30_000
	// maxUnpacked bounds a record's bytes once it is decompressed.
	maxUnpacked = 8 << 20
	// mostUnpacked bounds what all envelopes of one record give together.
	mostUnpacked = 8 * maxUnpacked
	// maxEnvelopes bounds envelopes in envelopes, such as gzip in a KPL record in gzip.
	maxEnvelopes = 4
)

// What envelopes begin with.
var (
	gzipMagic = []byte{0x1F, 0x8B} // RFC 1952
	// The Kinesis Producer Library packs several records into one:
	// https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
	kplMagic = []byte{0xF3, 0x89, 0x9A, 0xC2}
	bom      = []byte{0xEF, 0xBB, 0xBF} // of UTF-8
)

// Item is one event of a stream's record, or what stands in its place.
type Item struct {
	Position Position // with the event's own partition key and sub-sequence number
	Data     []byte   // JSON as the producer wrote it, without envelope
	Event    *Event   // nil with a Fault
	Fault    *Fault   // why Data is no event
}

// Read appends the events of a record, in their order, to dst. A record holds one event as JSON, or
// several: as lines of JSON (NDJSON), as a JSON array, or as an aggregate of the Kinesis Producer
// Library. Each of these may be gzipped, and may begin with a byte order mark. A record is at least
// one item: what cannot be read is an item with a fault. The same record gives the same items for
// ever, so an item's position names it.
func Read(dst []Item, p Position, data []byte) []Item {
	event, err := Parse(data)
	if err == nil { // nearly always
		return append(dst, placed(Item{Position: p, Data: data, Event: event}))
	}
	s := splitter{}
	if fault := s.add(data, p.PartitionKey, 0); fault != nil {
		return append(dst, Item{Position: p, Data: data, Fault: fault})
	}
	for i, part := range s.parts {
		item := Item{Position: p, Data: part.data, Fault: part.fault}
		item.Position.SubSequenceNumber, item.Position.PartitionKey = i, part.key
		if item.Fault == nil {
			if item.Event, err = Parse(part.data); err != nil && !errors.As(err, &item.Fault) {
				item.Fault = &Fault{ReasonSchema, "the event cannot be read"}
			}
			item = placed(item)
		}
		dst = append(dst, item)
	}
	return dst
}

// placed is the item whose event knows where it was read.
func placed(item Item) Item {
	if item.Event != nil {
		if item.Fault = item.Event.put(item.Position); item.Fault != nil {
			item.Event = nil
		}
	}
	return item
}

// part is one event before it is parsed.
type part struct {
	data  []byte
	key   string
	fault *Fault // its envelope's
}

type splitter struct {
	parts    []part
	unpacked int // bytes that gzip gave so far
}

// Packed reports data that gzip or the Kinesis Producer Library has packed.
func Packed(data []byte) bool {
	return bytes.HasPrefix(data, gzipMagic) || bytes.HasPrefix(data, kplMagic)
}

// add opens the envelopes of data and adds the events in it. A fault is of data as a whole.
func (s *splitter) add(data []byte, key string, envelopes int) *Fault {
	if envelopes > maxEnvelopes {
		return &Fault{ReasonDamaged, fmt.Sprintf("the record is packed more than %d times", maxEnvelopes)}
	}
	if bytes.HasPrefix(data, gzipMagic) {
		plain, fault := gunzip(data)
		if fault != nil {
			return fault
		}
		if s.unpacked += len(plain); s.unpacked > mostUnpacked {
			return &Fault{ReasonTooLarge, fmt.Sprintf("the record has more than %d bytes unpacked", mostUnpacked)}
		}
		return s.add(plain, key, envelopes+1)
	}
	if bytes.HasPrefix(data, kplMagic) {
		records, fault := disaggregate(data)
		if fault != nil {
			return fault
		}
		for _, r := range records {
			if fault := s.add(r.data, r.key, envelopes+1); fault != nil {
				s.parts = append(s.parts, part{r.data, r.key, fault})
			}
		}
		return s.tooMany()
	}
	data = bytes.TrimPrefix(data, bom)
	events := array(data)
	if events == nil {
		events = lines(data)
	}
	if events == nil {
		events = [][]byte{data}
	}
	if len(events) == 0 {
		return &Fault{ReasonSchema, "the record is an empty array and holds no event"}
	}
	for _, e := range events {
		s.parts = append(s.parts, part{data: e, key: key})
	}
	return s.tooMany()
}

func (s *splitter) tooMany() *Fault {
	if len(s.parts) > MaxParts {
		return &Fault{ReasonTooLarge, fmt.Sprintf("the record holds more than %d events", MaxParts)}
	}
	return nil
}

func gunzip(data []byte) ([]byte, *Fault) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, &Fault{ReasonDamaged, "the record begins as gzip does and cannot be unpacked"}
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil {
		return nil, &Fault{ReasonDamaged, "the gzipped record is damaged or cut off"}
	}
	if len(plain) > maxUnpacked {
		return nil, &Fault{ReasonTooLarge, fmt.Sprintf("the gzipped record has more than %d bytes once unpacked",
			maxUnpacked)}
	}
	return plain, nil
}

// whileSyntax checks only the syntax when a value is cut out of its array. Parse finds the other
// faults of the value later.
var whileSyntax = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// array cuts a JSON array into its elements; nil when data is none.
func array(data []byte) (elements [][]byte) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '[' {
		return nil
	}
	if !jsontext.Value(data).IsValid(whileSyntax...) {
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewReader(data), whileSyntax...)
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	elements = [][]byte{}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil || len(elements) > MaxParts {
			return elements
		}
		elements = append(elements, bytes.Clone(value))
	}
	return elements
}

// lines cuts NDJSON into its lines; nil when data is none. One JSON text may have many lines, and so
// may a broken one: NDJSON is what has a whole object on one of several lines.
func lines(data []byte) (found [][]byte) {
	if bytes.IndexByte(bytes.TrimSpace(data), '\n') < 0 || jsontext.Value(data).IsValid(whileSyntax...) {
		return nil
	}
	whole := false
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		found = append(found, line)
		if len(found) > MaxParts {
			break
		}
		whole = whole || line[0] == '{' && jsontext.Value(line).IsValid(whileSyntax...)
	}
	if !whole || len(found) < 2 {
		return nil
	}
	return found
}

// kplRecord is one record of an aggregate.
type kplRecord struct {
	key  string
	data []byte
}

// disaggregate reads an aggregate of the KPL: the magic bytes, a protobuf message AggregatedRecord,
// and its MD5.
func disaggregate(data []byte) ([]kplRecord, *Fault) {
	damaged := &Fault{ReasonKPLAggregated, "the record begins as an aggregate of the Kinesis Producer Library and is " +
		"damaged"}
	body := data[len(kplMagic):]
	if len(body) < md5.Size {
		return nil, damaged
	}
	message, want := body[:len(body)-md5.Size], body[len(body)-md5.Size:]
	if sum := md5.Sum(message); !bytes.Equal(sum[:], want) { //nolint:gosec // as above
		return nil, damaged
	}
	const keyTable, records = 1, 3
	var keys []string
	var list [][]byte
	if !fields(message, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case keyTable:
			keys = append(keys, string(value))
		case records:
			list = append(list, value)
		}
	}) || len(list) == 0 {
		return nil, damaged
	}
	found := make([]kplRecord, 0, len(list))
	for _, message := range list {
		const keyIndex, payload = 1, 3
		index, data := uint64(0), []byte(nil)
		if !fields(message, func(number protowire.Number, value []byte, n uint64) {
			switch number {
			case keyIndex:
				index = n
			case payload:
				data = value
			}
		}) || index >= uint64(len(keys)) {
			return nil, damaged
		}
		found = append(found, kplRecord{keys[index], data})
	}
	return found, nil
}

// fields visits the fields of a protobuf message; bytes have a value, variable-length integers an n.
// It reports whether the message is well formed.
func fields(message []byte, visit func(number protowire.Number, value []byte, n uint64)) bool {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return false
		}
		message = message[size:]
		switch kind {
		case protowire.BytesType:
			value, size := protowire.ConsumeBytes(message)
			if size < 0 {
				return false
			}
			visit(number, value, 0)
			message = message[size:]
		case protowire.VarintType:
			n, size := protowire.ConsumeVarint(message)
			if size < 0 {
				return false
			}
			visit(number, nil, n)
			message = message[size:]
		default:
			size := protowire.ConsumeFieldValue(number, kind, message)
			if size < 0 {
				return false
			}
			message = message[size:]
		}
	}
	return true
}
