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
	// Experiment draws the visitors of Live and Canary, and Canary is its treatment; or those of Placements and its own.
	// nil: there is none. Unless it compares versions, the session alone says which version answers.
	Experiment *Experiment
	Placements *Placements // which are live; nil: none
	// Stale says that this is what was last known, because the store does not know it now.
	Stale bool
}

// Of returns the version that answers the event, where no experiment compares versions. It depends on the session
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

// of returns the version that answers an event in an arm. A canary that is not in memory while the database is down
// leaves its visitors to the live version.
func (t Traffic) of(e *activity.Event, arm Arm) *Model {
	switch {
	case t.Experiment == nil || t.Experiment.ofPlacements():
		return t.Of(e)
	case arm == ArmTreatment && t.Canary != nil:
		return t.Canary
	}
	return t.Live
}

// placementsOf are the placements of an arm. Those of a treatment that cannot be read leave its visitors to the live
// ones.
func (t Traffic) placementsOf(arm Arm) *Placements {
	if arm == ArmTreatment && t.Experiment.ofPlacements() && t.Experiment.Placements.Fault == nil {
		return t.Experiment.Placements
	}
	return t.Placements
}
