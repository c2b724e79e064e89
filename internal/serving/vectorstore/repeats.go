package vectorstore

import (
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/pgcopy"
)

// served is what the registry's column solver holds: the solver, the rules for what was bought before,
// if there are any, and how many lists of neighbours there are, if any.
type served struct {
	modelversion.Solver

	Repeats *modelversion.Repeats `json:"repeats,omitempty"`
	Near    *nearRows             `json:"near,omitempty"`
}

// until is the definition of a column of table rated: when a product is recommended to a customer
// again. NULL is never. Versions without rules do not have it: what is in the table stays hidden.
func until(v *modelversion.Version) string {
	if v.Repeats == nil {
		return ""
	}
	return `, until timestamptz`
}

// bought writes last, count and until of a customer's product.
func bought(row *pgcopy.Row, c *modelversion.Customer, i int, rule modelversion.Repeat) {
	last := c.Last[i]
	if last == 0 {
		row.Null()
	} else {
		row.Time(last)
	}
	row.Int32(c.Count[i])
	if at := rule.Until(last); at == modelversion.Never {
		row.Null()
	} else {
		row.Time(at)
	}
}
