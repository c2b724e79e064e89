package recommend

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"kindred/internal/stream/activity"
)

// Traffic says which model versions answer now.
type Traffic struct {
	Live   *Model
	Canary *Model  // nil when every session belongs to Live
	Share  float64 // of the sessions that Canary answers, 0 to 1
}

// Of gives the version that answers the event. It depends on the session alone, so that a visitor
// sees one version while the shares stay, and a larger share keeps the sessions of a smaller one.
// An event without a session goes by its customer.
func (t Traffic) Of(e *activity.Event) *Model {
	if t.Canary == nil {
		return t.Live
	}
	key := e.SessionID
	if key == "" && e.CustomerNumber != nil {
		key = "customer " + strconv.Itoa(int(*e.CustomerNumber))
	}
	hash := sha256.Sum256([]byte(key))
	if float64(binary.BigEndian.Uint64(hash[:]))/(1<<64) < t.Share {
		return t.Canary
	}
	return t.Live
}
