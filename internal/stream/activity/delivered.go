package activity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A delivered line ends with a checksum of everything before it, as the last field of its
// recommendation: ,"crc32c":"0123abcd"}} and a newline. It shows what was damaged or changed by hand
// on its way; it is no signature.
const (
	sealBegin = `,"crc32c":"`
	sealEnd   = `"}}`
	sealBytes = len(sealBegin) + 2*crc32.Size + len(sealEnd)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendSealed is AppendLine with the checksum that delivered lines carry.
func (r Record) AppendSealed(dst []byte) ([]byte, error) {
	start := len(dst)
	line, err := r.AppendLine(dst)
	if err != nil {
		return dst, err
	}
	line = line[:len(line)-len("}}\n")] // the recommendation's brace, the record's, the newline
	return append(appendSeal(line, line[start:]), '\n'), nil
}

func appendSeal(dst, sealed []byte) []byte {
	sum := crc32.Checksum(sealed, castagnoli)
	dst = append(dst, sealBegin...)
	dst = hex.AppendEncode(dst, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return append(dst, sealEnd...)
}

// intact says whether the line's checksum is right. A line of a version that wrote none is intact.
func intact(line []byte) bool {
	tail := max(0, len(line)-2*sealBytes) // the position's time comes before it
	at := bytes.Index(line[tail:], []byte(sealBegin))
	if at < 0 {
		return true
	}
	return string(appendSeal(nil, line[:tail+at])) == string(line[tail+at:])
}

// Digest stands for an event's bytes: SHA-256 of its fields in their order, without insignificant
// white space.
type Digest [sha256.Size]byte

// Delivered is what an auditor wants of a delivered line.
type Delivered struct {
	Recommendation
	OwnEventID string // the event's field event_id; may be empty
	Items      int    // recommended products
	Products   int    // different ones in the event's history
	Digest     Digest // of the event
	Intact     bool   // the line's checksum is right, or there is none
	// How many records the event has, at least 1, and which of them this is, from 0; -1: none of them, for the event
	// does not ask for its placement.
	Strips, Strip int
}

// ParseDelivered reads a line of AppendLine or AppendSealed, without its newline. It refuses what
// breaks the rules of I-JSON (see Parse), and looks at no recommended product.
func ParseDelivered(line []byte) (Delivered, error) {
	var r struct {
		EventID       string `json:"event_id"`
		BrowseHistory []struct {
			ProductCode ID `json:"product_code"`
		} `json:"browse_history"`
		Kindred          jsontext.Value    `json:"kindred"`
		RecommendedItems *[]jsontext.Value `json:"recommended_items"`
		Recommendation   *Recommendation   `json:"recommendation"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Delivered{}, fmt.Errorf("parse record: %w", err)
	}
	if r.RecommendedItems == nil || r.Recommendation == nil {
		return Delivered{}, errors.New("parse record: recommended_items or recommendation is missing")
	}
	products := make(map[ID]struct{}, len(r.BrowseHistory))
	for _, b := range r.BrowseHistory {
		products[b.ProductCode] = struct{}{}
	}
	strips, strip := stripOf(r.Kindred, r.Recommendation.Placement)
	return Delivered{Strips: strips, Strip: strip, Recommendation: *r.Recommendation, OwnEventID: r.EventID,
		Items: len(*r.RecommendedItems), Products: len(products),
		Digest: DigestOf(line), Intact: intact(line)}, nil
}

// ParseRecommendation reads only the recommendation of a line of AppendLine or AppendSealed, and checks no
// checksum. It refuses what breaks the rules of I-JSON.
func ParseRecommendation(line []byte) (Recommendation, error) {
	var r struct {
		Recommendation *Recommendation `json:"recommendation"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Recommendation{}, fmt.Errorf("parse record: %w", err)
	}
	if r.Recommendation == nil {
		return Recommendation{}, errors.New("parse record: recommendation is missing")
	}
	return *r.Recommendation, nil
}

// stripOf says which record of an event is that of a placement: kindred is the event's member.
func stripOf(kindred jsontext.Value, placement string) (strips, strip int) {
	var asked struct {
		Placements []string `json:"placements"`
	}
	if placement == "" || len(kindred) == 0 || json.Unmarshal(kindred, &asked) != nil || len(asked.Placements) == 0 {
		return 1, 0 // one of a request without a body has no member
	}
	return len(asked.Placements), slices.Index(asked.Placements, placement)
}

// DigestOf is the digest of an event, from its own bytes or from those of the line that it was
// delivered in. Both must be valid JSON objects. The fields event_id and first_position do not count: an
// event that is sent again has them from its first attempt, whether or not it came with them.
func DigestOf(object []byte) (d Digest) {
	hash := sha256.New()
	compact := appendCompact(make([]byte, 0, len(object)), object)
	for i := len("{"); i < len(compact)-1; {
		nameEnd := stringEnd(compact, i) + 1
		end := valueEnd(compact, nameEnd+len(":"))
		switch memberName(compact[i:nameEnd]) {
		case "event_id", firstPosition, "recommended_items", "similar_items", "recommendation":
		default:
			hash.Write(compact[i:end])
			hash.Write([]byte{','})
		}
		i = end + len(",")
	}
	hash.Sum(d[:0])
	return d
}

// Named returns an event that Parse accepts, with an event id in place of one that it may have.
func Named(event []byte, id string) []byte {
	return withMember(event, "event_id", jsonText(id))
}

// OfShop is Named for the event's shop.
func OfShop(event []byte, shop string) []byte { return withMember(event, "shop", jsonText(shop)) }

func jsonText(s string) []byte {
	quoted, _ := jsontext.AppendQuote(nil, s) // valid text can always be quoted
	return quoted
}

// withMember returns a copy of an event that Parse accepts, with a member of this name and value in place
// of one that it may have.
func withMember(event []byte, name string, value []byte) []byte {
	compact := appendCompact(make([]byte, 0, len(event)+len(name)+len(value)+len(`,"":`)), event)
	out := []byte{'{'}
	for i := len("{"); i < len(compact)-1; {
		nameEnd := stringEnd(compact, i) + 1
		end := valueEnd(compact, nameEnd+len(":"))
		if memberName(compact[i:nameEnd]) != name {
			out = append(append(out, compact[i:end]...), ',')
		}
		i = end + len(",")
	}
	out = append(append(append(out, '"'), name...), `":`...)
	return append(append(out, value...), '}')
}

// memberName is a member's name without quotes and escapes.
func memberName(quoted []byte) string {
	name, _ := jsontext.AppendUnquote(nil, quoted) // it is valid
	return string(name)
}

// valueEnd is where the compact value that begins at i ends: at the comma or bracket that follows it.
func valueEnd(compact []byte, i int) int {
	for depth := 0; i < len(compact); i++ {
		switch compact[i] {
		case '"':
			i = stringEnd(compact, i)
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}
