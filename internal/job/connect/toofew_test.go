package connect

import (
	"strings"
	"testing"

	"kindred/internal/model/modelversion"
)

func TestASmallShopIsToldThatItIsSmall(t *testing.T) {
	t.Parallel()
	passed := modelversion.NewVerdict(modelversion.OutcomePassed, modelversion.WithBaselines)
	refused := modelversion.NewVerdict(modelversion.OutcomeRefused, modelversion.WithBaselines)
	few := modelversion.NewVerdict(modelversion.OutcomeUncompared, modelversion.WithBaselines)
	for _, c := range []struct {
		customers int
		verdict   modelversion.Verdict
		small     bool
	}{{50, passed, false}, {50, refused, true}, {3, few, true}, {50, modelversion.PopularityVerdict("m1"), true},
		{0, few, true},
		{enoughCustomers, refused, false}, {enoughCustomers, modelversion.PopularityVerdict("m1"), false}} {
		text := tooFew(modelversion.Report{TestCustomers: c.customers, Verdict: c.verdict})
		if small := strings.Contains(text, "too few orders"); small != c.small || small != (text != "") {
			t.Errorf("%d customers, %+v: %q", c.customers, c.verdict, text)
		}
	}
}
