package recommend

import (
	"errors"

	"kindred/internal/platform/text"
)

// ErrUnknownProduct says that the live model does not know a product.
var ErrUnknownProduct = errors.New("product is not known to the live model")

// ErrNoFacts says that a question has rules, and the store cannot keep them now: of the same batch, it can answer the
// questions without rules.
var ErrNoFacts = errors.New("the facts that rules see are not in memory, and the vector database is down")

// RefusedError says that the store refuses a value of the question, and would refuse it in every
// state: a retry does not help. Every other error of a store is transient.
type RefusedError struct {
	Reason string // repeats no value of the question
}

// Error names the reason.
func (e *RefusedError) Error() string { return "the store refuses a value of the event: " + e.Reason }

// CheckText refuses, with a *RefusedError, what PostgreSQL refuses as text.
func CheckText(texts ...string) error {
	for _, t := range texts {
		if text.Check(t, text.NoLimit) != nil {
			return &RefusedError{Reason: "SQLSTATE 22021"}
		}
	}
	return nil
}
