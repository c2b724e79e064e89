package activity

import (
	"strconv"
	"strings"

	"kindred/internal/platform/checksum"
)

// EventID gives the event's own id, or one derived from its position on the stream. The derived id
// never changes and is different for every event. e may be nil, for an event that cannot be parsed.
// The first event of a record has the id that it has as its only event.
func EventID(e *Event, p Position) string {
	if e != nil && e.EventID != "" {
		return e.EventID
	}
	place := p.Stream + "/" + p.Shard + "/" + p.SequenceNumber
	if p.SubSequenceNumber > 0 {
		place += "/" + strconv.Itoa(p.SubSequenceNumber)
	}
	return "evt-" + digest(place)
}

// RecommendationID is a function of the event's id and of the placement, which may be empty, so that a retried event
// writes the same ids.
func RecommendationID(eventID, placement string) string {
	if placement == "" {
		return "rec-" + digest("recommendation/"+eventID)
	}
	return "rec-" + digest("placement/"+placement+"/"+eventID)
}

// AskedID is the id of a recommendation over HTTP whose caller gave the event's id: the page of an event may ask
// several questions, and each has an answer of its own. id is that of the event; the same question has the same one.
func AskedID(id, question string) string { return "rec-" + digest("question/"+id+"/"+question) }

// IsRecommendationID says whether an id has the form of one.
func IsRecommendationID(id string) bool {
	hex, found := strings.CutPrefix(id, "rec-")
	return found && len(hex) == digestChars && strings.Trim(hex, "0123456789abcdef") == ""
}

const digestChars = 32

// digest is 128 bits of SHA-256 in hexadecimal: enough that two events never share an id.
func digest(s string) string {
	return checksum.Bytes([]byte(s))[:digestChars]
}
