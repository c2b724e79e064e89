package recommend

import (
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
	// Experiment draws the visitors of Live and Canary: Canary is its treatment. nil: there is none, and the
	// session alone says who answers.
	Experiment *Experiment
	Placements *Placements // which are live; nil: none
	// Stale says that this is what was last known, because the store does not know it now.
	Stale bool
}

// Of returns the version that answers the event, where no experiment runs. It depends on the session
// alone. So a visitor sees one version as long as the shares stay, and a larger share keeps the sessions
// of a smaller one. An event without a session goes by its customer.
func (t Traffic) Of(e *activity.Event) *Model {
	key := e.SessionID
	if key == "" && e.CustomerID != nil {
		key = customerName(e)
	}
	if t.Canary != nil && part(key) < t.Share {
		return t.Canary
	}
	return t.Live
}

// ofArm returns the version that answers an arm. A canary that is not in memory while the database is down
// leaves its visitors to the live version.
func (t Traffic) ofArm(arm Arm) *Model {
	if arm == ArmTreatment && t.Canary != nil {
		return t.Canary
	}
	return t.Live
}
