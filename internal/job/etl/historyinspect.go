package etl

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"kindred/internal/lake/commit"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// inspectHistory is inspect for a shop with interactions.
func inspectHistory(ctx context.Context, snapshot *mysqlsource.Snapshot, base commit.Manifest, o Options) (Inspection,
	error) {
	var found Inspection
	var err error
	if base, err = predecessor(base, snapshot.Position().Database, o); err == nil {
		found.Schema, err = prepareHistory(ctx, snapshot, base, o)
	}
	if errors.Is(err, mysqlsource.ErrSchema) || errors.Is(err, ErrDrift) || errors.Is(err, ErrOtherShop) {
		found.Refusals = []string{err.Error()}
		return found, nil
	}
	if err != nil {
		return found, err
	}
	for _, p := range pairs(found.Schema, found.Schema) {
		for _, c := range p.now {
			if !c.Contract {
				found.Remarks = append(found.Remarks, Remark{Text: fmt.Sprintf("column %s.%s (%v) is not read", p.name, c.Name, c)})
			}
		}
	}
	if found.Plans, err = snapshot.HistoryPlans(ctx); err != nil {
		return found, err
	}
	for _, p := range found.Plans {
		if p.Hidden {
			found.Remarks = append(found.Remarks, planRemarks([]mysqlsource.QueryPlan{p}, snapshot.Mapped())...)
		}
	}
	if account, keeps := snapshot.KeepsLocks(); keeps {
		found.Remarks = append(found.Remarks, lockRemark(account))
	}
	return found, found.sampleHistory(ctx, snapshot, o)
}

// sampleHistory reads the first rows and judges them by the limits.
func (f *Inspection) sampleHistory(ctx context.Context, snapshot *mysqlsource.Snapshot, o Options) error {
	snapshot.Sample(sampleRows)
	defer snapshot.Sample(0)
	h, counts, err := readHistory(ctx, snapshot, o)
	f.History, f.Examples = &counts, snapshot.Faults().Examples()
	if errors.Is(err, ErrEmpty) {
		f.Refusals = append(f.Refusals, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	f.Whole = counts.Customers < sampleRows && counts.Products < sampleRows
	if !f.Whole { // their customers and products may exist
		counts.Broken = maps.Clone(counts.Broken)
		for _, rule := range []shop.Rule{shop.InteractionProduct, shop.InteractionCustomer} {
			delete(counts.Broken, rule)
			delete(f.Examples, rule)
		}
	}
	f.Sampled = Rows{Interactions: counts.Interactions, Customers: counts.Customers, Products: counts.Products}
	if err := counts.check(o.Limits, f.Examples); err != nil && f.Whole {
		f.Refusals = append(f.Refusals, err.Error())
	} else if err != nil {
		f.Refusals = append(f.Refusals, counts.broken(o.Limits, f.Examples)...)
	}
	if err := oneCurrency(h.Products); err != nil {
		f.Refusals = append(f.Refusals, err.Error())
	}
	if f.Whole && counts.Available == 0 {
		f.Refusals = append(f.Refusals, "no product can be bought now, so nothing could be recommended (--accept-shrink)")
	}
	for _, r := range historyRules(counts, o.Limits) {
		if r.count > 0 && !r.exceeded() {
			f.Remarks = append(f.Remarks, Remark{Text: r.sentence(f.Examples)})
		}
	}
	return nil
}
