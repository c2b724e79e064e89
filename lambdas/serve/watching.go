package main

import (
	"context"

	"kindred/internal/stream/activity"
)

// watching is what looks on while requests are answered. A part that is nil looks at nothing.
type watching struct {
	answers func(recommender) recommender // comes before the recommender
	// ids is told of each record of an answer, and of each event that the stream takes. recommendation is "" where
	// none is delivered. It must not keep the context.
	ids func(ctx context.Context, event, recommendation string)
}

// recorded tells whoever looks on about an answer.
func (w watching) recorded(ctx context.Context, r *activity.Recommendation, delivered bool) {
	switch {
	case w.ids == nil:
	case delivered:
		w.ids(ctx, r.EventID, r.ID)
	default:
		w.ids(ctx, r.EventID, "")
	}
}

// before puts what looks on before a recommender.
func (w watching) before(r recommender) recommender {
	if w.answers == nil {
		return r
	}
	return w.answers(r)
}

// and is both.
func (w watching) and(other watching) watching {
	if other.ids == nil {
		other.ids = w.ids
	}
	return watching{func(r recommender) recommender { return w.before(other.before(r)) }, other.ids}
}
