package vectorstore

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"kindred/internal/modelversion"
)

// maxProblems is how many faults of one version are told: enough to see the pattern.
const maxProblems = 10

// check reports why a version must not be loaded, as ErrInvalid: no items, a vector of another dimension or with a
// component that is no number, keys that are not strictly ascending (so none twice), a Gram matrix of the wrong size.
func check(v *modelversion.Version) error {
	var problems []error
	add := func(format string, args ...any) {
		if len(problems) < maxProblems {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	if _, err := schemaOf(v.ID); err != nil {
		add("%w", err)
	}
	d := v.Solver.Dim
	if d < 1 {
		add("dimension %d is not positive", d)
	}
	if len(v.Items) == 0 {
		add("it has no items")
	}
	if err := checkVector(v.Solver.Gram, d*d); err != nil {
		add("Gram matrix: %w", err)
	}
	for i := range v.Items {
		it := &v.Items[i]
		if it.Code == "" || i > 0 && it.Code <= v.Items[i-1].Code {
			add("item %d: code %q does not follow the one before", i, it.Code)
		}
		if err := checkVector(it.Vector, d); err != nil {
			add("item %s: %w", it.Code, err)
		}
	}
	for i := range v.Customers {
		c := &v.Customers[i]
		if i > 0 && c.Number <= v.Customers[i-1].Number {
			add("customer %d: number does not follow the one before", i)
		}
		if err := checkVector(c.Vector, d); err != nil {
			add("customer %d: %w", i, err)
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", ErrInvalid, errors.Join(problems...))
	}
	return nil
}

// checkVector reports a vector that has not dim components or one that is no finite number.
func checkVector(v []float32, dim int) error {
	if len(v) != dim {
		return fmt.Errorf("vector has %d components, want %d", len(v), dim)
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return errors.New("component " + strconv.Itoa(i) + " of the vector is not finite")
		}
	}
	return nil
}
