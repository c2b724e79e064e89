package replay

import (
	"bytes"
	"fmt"
)

// poisonKinds are the records that no retry would mend. Each one makes an event into something that
// must go to quarantine.
var poisonKinds = [...]struct {
	name string
	make func(n int, event []byte) []byte
}{
	{"not JSON", func(n int, _ []byte) []byte { return fmt.Appendf(nil, "click %d: this is a sentence and no JSON", n) }},
	{"truncated", func(_ int, event []byte) []byte { return event[:len(event)*2/3] }},
	{"not UTF-8", func(_ int, event []byte) []byte {
		return bytes.Replace(event, []byte(`"session_id":"`), []byte("\"session_id\":\"caf\xe9-"), 1)
	}},
	{"wrong types", func(n int, _ []byte) []byte {
		return fmt.Appendf(nil, `{"session_id":"poison-%d","customer_number":"one hundred","browse_history":"everything"}`, n)
	}},
	{"no session", func(_ int, event []byte) []byte {
		return bytes.Replace(event, []byte(`"session_id":`), []byte(`"session":`), 1)
	}},
	// The Kinesis Producer Library packs many records into one: this prefix, protobuf, an MD5 sum.
	{"KPL aggregated", func(_ int, event []byte) []byte {
		packed := append([]byte{0xF3, 0x89, 0x9A, 0xC2, 0x0A, byte(min(len(event), 100))}, event[:min(len(event), 100)]...)
		return append(packed, make([]byte, 16)...)
	}},
}

// poison makes the n-th bad record out of an event; the kinds take turns.
func poison(n int, event []byte) []byte { return poisonKinds[n%len(poisonKinds)].make(n, event) }
