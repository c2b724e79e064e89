package recommend

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"kindred/internal/stream/activity"
)

// Arm is a part of an experiment that a visitor was drawn into.
type Arm string

// The arms.
const (
	ArmControl   Arm = "control"
	ArmTreatment Arm = "treatment"
)

// Experiment compares two arms. Visitors keep the arm that they were drawn into first. The arms are two model versions,
// or two versions of the placements.
type Experiment struct {
	Name  string
	Share float64 // of the visitors who get the treatment, between 0 and 1
	// Placements are the treatment's; nil: the arms are model versions. Then questions at placements alone take part.
	Placements *Placements
}

// ofPlacements says whether the arms are versions of the placements. x may be nil.
func (x *Experiment) ofPlacements() bool { return x != nil && x.Placements != nil }

// nameIn is the experiment's name for who has an arm in it. x may be nil.
func (x *Experiment) nameIn(arm Arm) string {
	if arm == "" {
		return ""
	}
	return x.Name
}

// takesPart says whether the experiment makes a difference to a question with this control.
func (x *Experiment) takesPart(c *activity.Control) bool {
	return x != nil && (x.Placements == nil || len(c.Asked()) > 0)
}

// draw draws an arm. It depends on the names alone, so a store that is down changes no arm that was drawn
// by the same name. Another experiment draws anew.
func (x *Experiment) draw(visitor string) Arm {
	if part(x.Name+"\x00"+visitor) < x.Share {
		return ArmTreatment
	}
	return ArmControl
}

// part is a number from 0 to 1 that depends on the key alone.
func part(key string) float64 {
	hash := sha256.Sum256([]byte(key))
	return float64(binary.BigEndian.Uint64(hash[:])) / (1 << 64)
}

// Visitors are the names by which an event's visitor is drawn into an arm; "" where there is none.
// Feedback names visitors so too.
func visitors(e *activity.Event) (session, customer string) {
	if e.SessionID != "" {
		session = "session " + e.SessionID
	}
	if e.CustomerID != nil {
		customer = customerName(e)
	}
	return session, customer
}

func customerName(e *activity.Event) string { return "customer " + string(*e.CustomerID) }

// arms draws the events' visitors, in the order of the events; those that do not take part have no arm. The arm of a
// session is kept when its customer becomes known; else the customer's counts, also in other sessions; else the
// customer is drawn, or the session of an anonymous visitor. What is drawn is kept with the store. A store that cannot
// keep it changes no arm, unless an anonymous visitor logs in: so that is no error.
func (r *Recommender) arms(ctx context.Context, t Traffic, events []*activity.Event) ([]Arm, error) {
	drawn, fresh := make([]Arm, len(events)), map[string]Arm{}
	takePart := func(e *activity.Event) bool { return t.Experiment.takesPart(e.Control) }
	if !slices.ContainsFunc(events, takePart) {
		return drawn, nil
	}
	kept, err := r.keptArms(ctx, t, events)
	if err != nil {
		return nil, err
	}
	for i, e := range events {
		if !takePart(e) {
			continue
		}
		session, customer := visitors(e)
		drawn[i] = cmp.Or(kept[session], kept[customer], t.Experiment.draw(cmp.Or(customer, session)))
		for _, name := range []string{session, customer} {
			if name != "" && kept[name] == "" {
				kept[name], fresh[name] = drawn[i], drawn[i]
			}
		}
	}
	if len(fresh) == 0 || t.Stale {
		return drawn, nil
	}
	now, err := r.store.KeepArms(ctx, t.Experiment.Name, fresh)
	if err != nil {
		return drawn, ctx.Err()
	}
	for i, e := range events { // somebody else may have drawn one of them at the same time
		if session, customer := visitors(e); takePart(e) {
			drawn[i] = cmp.Or(now[cmp.Or(session, customer)], drawn[i])
		}
	}
	return drawn, nil
}

// armOf draws the visitor of a question for one list, where that makes a difference. Nobody has no arm.
func (r *Recommender) armOf(ctx context.Context, t Traffic, visitor *activity.Event, c *activity.Control) (Arm, error) {
	if !t.Experiment.ofPlacements() || visitor == nil || visitor.SessionID == "" && visitor.CustomerID == nil {
		return "", nil
	}
	asking := *visitor
	asking.Control = c
	arms, err := r.arms(ctx, t, []*activity.Event{&asking})
	if err != nil {
		return "", err
	}
	return arms[0], nil
}

// keptArms are the arms that the store has of the events' visitors. A stale traffic asks nobody.
func (r *Recommender) keptArms(ctx context.Context, t Traffic, events []*activity.Event) (map[string]Arm, error) {
	if t.Stale {
		return map[string]Arm{}, nil
	}
	var names []string
	for _, e := range events {
		session, customer := visitors(e)
		names = append(names, session, customer)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
	kept, err := r.store.Arms(ctx, t.Experiment.Name, names)
	if err != nil {
		return nil, fmt.Errorf("look up the arms of %d visitors: %w", len(names), err)
	}
	return kept, nil
}
