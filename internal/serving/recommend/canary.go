package recommend

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"kindred/internal/stream/activity"
)

// CanaryErrors is the number of failed requests within CanaryPeriod that ends a canary. A store
// counts them.
const (
	CanaryErrors = 10
	CanaryPeriod = 10 * time.Minute
)

// Traffic says which model versions answer now.
type Traffic struct {
	Live   *Model
	Canary *Model  // nil when every session belongs to Live
	Share  float64 // of the sessions that Canary answers, 0 to 1
	// CanaryFault says why the canary cannot answer; of Canary, only its Version is set then. Its
	// sessions are answered from Live.
	CanaryFault error
	// Stale says that this is what was last known, because the store does not know it now.
	Stale bool
}

// Of returns the version that answers the event. It depends on the session alone. So a visitor sees
// one version as long as the shares stay, and a larger share keeps the sessions of a smaller one. An
// event without a session goes by its customer.
func (t Traffic) Of(e *activity.Event) *Model {
	if t.Canary == nil {
		return t.Live
	}
	key := e.SessionID
	if key == "" && e.CustomerID != nil {
		key = "customer " + string(*e.CustomerID)
	}
	hash := sha256.Sum256([]byte(key))
	if float64(binary.BigEndian.Uint64(hash[:]))/(1<<64) < t.Share {
		return t.Canary
	}
	return t.Live
}
