package modelfile

import (
	"errors"
	"fmt"
	"io/fs"

	"kindred/internal/model/modelversion"
)

// purchaseRow is of the customer in the same row of customers.parquet, in the order of its rated.
type purchaseRow struct {
	Last  []int64 `parquet:"last,list"`
	Count []int32 `parquet:"count,list"`
}

func toPurchaseRow(c modelversion.Customer) purchaseRow { return purchaseRow{c.Last, c.Count} }

func fromPurchaseRow(r purchaseRow) purchaseRow { return r }

// repeats is what repeats.json holds: the rules, and the products that another rule than the shop's
// is for.
type repeats struct {
	modelversion.Repeats

	Products map[string]modelversion.Repeat `json:"products,omitempty"`
}

func repeatsOf(v *modelversion.Version) repeats {
	r := repeats{Repeats: *v.Repeats, Products: map[string]modelversion.Repeat{}}
	for _, item := range v.Items {
		if item.Repeat != r.Rule {
			r.Products[item.Code] = item.Repeat
		}
	}
	return r
}

// readRepeats reads both files into v, if the version has them.
func readRepeats(v *modelversion.Version, rules, purchases string) error {
	var r repeats
	if err := readJSON(rules, &r); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read repeats: %w", err)
	}
	rows, err := readRows(purchases, fromPurchaseRow)
	if err == nil && len(rows) != len(v.Customers) {
		err = fmt.Errorf("it has %d rows, not one for each of %d customers: %w", len(rows), len(v.Customers),
			modelversion.ErrInvalid)
	}
	if err != nil {
		return fmt.Errorf("read purchases: %w", err)
	}
	v.Repeats = &r.Repeats
	for i, row := range rows {
		v.Customers[i].Last, v.Customers[i].Count = row.Last, row.Count
	}
	for i := range v.Items {
		v.Items[i].Repeat = r.Rule
		if other, ok := r.Products[v.Items[i].Code]; ok {
			v.Items[i].Repeat = other
		}
	}
	return nil
}
