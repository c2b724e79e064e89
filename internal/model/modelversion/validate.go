package modelversion

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"kindred/internal/platform/text"
)

// gramTolerance bounds how far the stored Gram matrix may lie from the one of the stored items, as
// a share of its largest value. Sums of float32 over millions of items in another order differ by
// far less; a matrix of other vectors by far more.
const gramTolerance = 1e-3

// isID says whether an id is m and 15 hex digits, fit for part of an SQL identifier and of an object key.
func isID(id string) bool {
	return len(id) == 16 && id[0] == 'm' && strings.Trim(id[1:], "0123456789abcdef") == ""
}

// Validate reports the first fault that would make serving wrong. It is ErrInvalid.
func (v *Version) Validate() error {
	d := v.Solver.Dim
	if !isID(v.ID) {
		return fmt.Errorf("check version %q: id is not m and 15 hex digits: %w", v.ID, ErrInvalid)
	}
	fault := func(format string, args ...any) error {
		return fmt.Errorf("check version %s: %s: %w", v.ID, fmt.Sprintf(format, args...), ErrInvalid)
	}
	if d <= 0 || len(v.Solver.Gram) != d*d || v.Solver.Items != len(v.Items) {
		return fault("dimension %d, %d Gram values, %d of %d items", d, len(v.Solver.Gram), v.Solver.Items, len(v.Items))
	}
	if v.Solver.Kind != KindModel && v.Solver.Kind != KindPopularity {
		return fault("it is of the kind %q, which this program does not know", v.Solver.Kind)
	}
	if v.Report.Verdict.Popularity != (v.Solver.Kind == KindPopularity) {
		return fault("the verdict and the solver disagree on whether popularity answers")
	}
	for i, item := range v.Items {
		if !isVector(item.Vector, d) {
			return fault("item %s has no finite vector of %d components", item.Code, d)
		}
		if err := text.CheckID(item.Code); err != nil {
			return fault("the code of an item (row %d) %v", i, err)
		}
		if i > 0 && item.Code <= v.Items[i-1].Code {
			return fault("item %s is out of order or there twice", item.Code)
		}
	}
	for i, customer := range v.Customers {
		if !isVector(customer.Vector, d) {
			return fault("a customer (row %d) has no finite vector of %d components", i, d)
		}
		if err := text.CheckID(customer.ID); err != nil {
			return fault("the id of a customer (row %d) %v", i, err)
		}
		if n := len(customer.Rated); v.Repeats != nil && (len(customer.Last) != n || len(customer.Count) != n) {
			return fault("a customer (row %d) has %d products with %d times and %d counts", i, n, len(customer.Last),
				len(customer.Count))
		}
		if i > 0 && text.CompareIDs(customer.ID, v.Customers[i-1].ID) <= 0 {
			return fault("a customer (row %d) is out of order or there twice", i)
		}
	}
	if err := errors.Join(v.validateNear(), v.validateClicks(), v.validateTogether()); err != nil {
		return fault("%v", err)
	}
	if !isVector(v.Encoder.Bias, d) {
		return fault("the encoder's bias is not a finite vector of %d components", d)
	}
	for feature, weights := range v.Encoder.Weights {
		if !isVector(weights, d) {
			return fault("the encoder's weights of %s are not a finite vector of %d components", feature, d)
		}
	}
	if err := v.Products.validate(d); err != nil {
		return fault("%v", err)
	}
	if v.Training != nil && !json.Valid(v.Training) {
		return fault("what the trainer notes is no JSON")
	}
	if off := v.gramError(); !(off <= gramTolerance) { // the negation catches NaN
		return fault("the Gram matrix is off by %.2g of its largest value: it belongs to other items", off)
	}
	return nil
}

// validate reports the first fault of an encoder, which may be nil.
func (e *ProductEncoder) validate(dim int) error {
	if e == nil {
		return nil
	}
	if !isVector(e.Bias, dim) {
		return fmt.Errorf("the bias of the encoder of products is no finite vector of %d components", dim)
	}
	for feature, weights := range e.Weights {
		if !isVector(weights, dim) {
			return fmt.Errorf("the weights of products with %s are no finite vector of %d components", feature, dim)
		}
	}
	for name, edges := range e.Edges {
		if !Finite(edges...) || !slices.IsSorted(edges) {
			return fmt.Errorf("the edges of %s are not finite and ascending", name)
		}
	}
	return nil
}

// gramError is the largest difference between the stored Gram matrix and that of the items,
// relative to the largest value of the latter.
func (v *Version) gramError() float64 {
	d := v.Solver.Dim
	sum := make([]float64, d*d)
	for _, item := range v.Items {
		for i, x := range item.Vector {
			row := sum[i*d : (i+1)*d]
			for j, y := range item.Vector {
				row[j] += float64(x) * float64(y)
			}
		}
	}
	var largest, off float64
	for i, want := range sum {
		largest = max(largest, math.Abs(want))
		off = max(off, math.Abs(want-float64(v.Solver.Gram[i])))
	}
	if off == 0 {
		return 0
	}
	return off / largest
}

func isVector(x []float32, d int) bool {
	return len(x) == d && Finite(x...)
}

// Finite reports whether every number is finite: neither NaN nor an infinity.
func Finite[T float32 | float64](numbers ...T) bool {
	for _, x := range numbers {
		if x-x != 0 { // true for NaN and both infinities
			return false
		}
	}
	return true
}
