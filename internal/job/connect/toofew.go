package connect

import (
	"fmt"

	"kindred/internal/model/modelversion"
)

// enoughCustomers is how many customers there must be to test a model with, so that the gate can tell
// it from simpler ways to recommend. With as many or more, it let the models of all generated shops
// pass, and with fewer most were refused (docs/performance.md, How many orders the gate needs).
const enoughCustomers = 400

// tooFew says that the shop is too small for a model to pass; empty: it is not, or one has passed.
func tooFew(r modelversion.Report) string {
	if r.Verdict.Judged() || r.TestCustomers >= enoughCustomers {
		return ""
	}
	return fmt.Sprintf("There are too few orders or ratings to learn from: a model can be tested with %d customers, and "+
		"the gate needs about %d to tell a good one from simpler ways to recommend.", r.TestCustomers, enoughCustomers)
}
