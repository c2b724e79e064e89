package integration

import (
	"strings"
	"testing"

	"kindred/internal/lab/shopsystem"
	"kindred/internal/shop/preset"
)

// TestConnectSaysWhatTheMappingLeavesOut compares the orders that are told with those of the plan: what
// is neither read nor told would be lost in silence.
func TestConnectSaysWhatTheMappingLeavesOut(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	for _, system := range shopsystem.Systems() {
		for _, version := range shopsystem.Versions(system) {
			t.Run(system+"/"+version, func(t *testing.T) {
				t.Parallel()
				plan, db := stack.mustSystem(t, shopsystem.Config{System: system, Version: version,
					Prefix: shopsystem.DefaultPrefix(system), Seed: 13, Orders: 300})
				m := mustMap(t, db, preset.Choice{}, nil)
				d, err := preset.Describe(t.Context(), db, m)
				if err != nil {
					t.Fatal(err)
				}
				var left int64
				for _, k := range d.LeftOut {
					if !strings.HasPrefix(k.Name, "orders") {
						t.Errorf("left out: %+v, and no product is gone", k)
					}
					left += k.Rows
				}
				cameBack := 0 // whole orders, line by line, which are no purchases and stay sales
				carts := int64(0)
				for i, o := range plan.Orders {
					if system == "sylius" && o.State == shopsystem.Open && i%2 == 0 { // a cart is no order
						carts++
					}
					all := o.State == shopsystem.Sold
					for _, l := range o.Lines {
						all = all && l.Back == l.Quantity
					}
					if all {
						cameBack++
					}
				}
				if got, want := d.Orders+left, int64(len(plan.Orders))-carts; got > want || got < want-int64(cameBack) {
					t.Errorf("%d orders are read and %d are told, of %d, of which %d came back: %s", d.Orders, left, want,
						cameBack, m.Sentence(d))
				}
				if text := m.Sentence(d); left > 0 && !strings.Contains(text, "left out: ") {
					t.Errorf("not told: %s", text)
				}
			})
		}
	}
}
