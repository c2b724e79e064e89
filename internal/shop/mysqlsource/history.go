package mysqlsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
	"kindred/internal/shop/mapping"
)

// HistorySchema asks for the columns of a mapping with interactions, and reports every one that is
// missing or of another type (ErrSchema) with those that are there. It reads no row.
func (s *Snapshot) HistorySchema(ctx context.Context) (schema Schema, err error) {
	var problems []error
	for _, q := range s.history() {
		l, err := s.layout(ctx, q)
		if l != nil {
			*q.into(&schema) = l.describe()
		}
		problems = append(problems, err)
	}
	return schema, errors.Join(problems...)
}

// HistoryPlans explains the queries of a mapping with interactions. It reads no row.
func (s *Snapshot) HistoryPlans(ctx context.Context) (plans []QueryPlan, err error) {
	for _, q := range s.history() {
		plan, err := s.explainQuery(ctx, q.form.name, q.query)
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

// historyQuery is one of the queries of a mapping with interactions.
type historyQuery struct {
	form  form
	query string
	into  func(*Schema) *[]Column
}

func (s *Snapshot) history() []historyQuery {
	all := []historyQuery{{listingForm(), s.mapping.Products, func(s *Schema) *[]Column { return &s.Products }}}
	if s.mapping.Customers != "" {
		all = append(all, historyQuery{shopperForm(), s.mapping.Customers, func(s *Schema) *[]Column { return &s.Customers }})
	}
	return append(all, historyQuery{interactionForm(), s.mapping.Interactions,
		func(s *Schema) *[]Column { return &s.Interactions }})
}

// layout asks for a query's columns. With an error about them it is there all the same.
func (s *Snapshot) layout(ctx context.Context, q historyQuery) (l *layout, err error) {
	err = s.guard(ctx, "check "+q.form.name, func() error {
		return s.unlocked(func() error {
			result, err := s.conn.Execute("SELECT * FROM (" + q.query + "\n) AS " + q.form.name + " LIMIT 0")
			if err != nil {
				return err
			}
			defer result.Close()
			fields := make([]*mysql.Field, 0, len(result.Fields))
			for _, f := range result.Fields { // the client uses the answer's memory again
				own := *f
				own.Name = bytes.Clone(f.Name)
				fields = append(fields, &own)
			}
			l, err = newLayout(q.form, q.query, fields)
			return err
		})
	})
	return l, err
}

// Listings reads all products of a mapping with interactions, in any order. One without a usable id
// is left out; Faults counts it, and every value that was replaced.
func (s *Snapshot) Listings(ctx context.Context) (all []shop.Listing, err error) {
	err = s.streamHistory(ctx, mapping.Products, func(r *historyRow) {
		if p, ok := r.listing(); ok {
			all = append(all, p)
		}
	})
	return all, err
}

// Shoppers reads all customers of a mapping with interactions, in any order; none where it has no
// query for them.
func (s *Snapshot) Shoppers(ctx context.Context) (all []shop.Shopper, err error) {
	if s.mapping.Customers == "" {
		return nil, nil
	}
	err = s.streamHistory(ctx, mapping.Customers, func(r *historyRow) {
		if c, ok := r.shopper(); ok {
			all = append(all, c)
		}
	})
	return all, err
}

// Interactions calls next for each interaction, in any order. What next gets is valid during the
// call. One that breaks a rule is left out; Faults counts it.
func (s *Snapshot) Interactions(ctx context.Context, next func(shop.Interaction)) error {
	return s.streamHistory(ctx, mapping.Interactions, func(r *historyRow) {
		if i, ok := r.interaction(); ok {
			next(i)
		}
	})
}

// streamHistory sends a query as it is in the mapping, without an order. The caller sorts if it
// needs an order.
func (s *Snapshot) streamHistory(ctx context.Context, dataSet string, next func(*historyRow)) error {
	for _, q := range s.history() {
		if q.form.name != dataSet {
			continue
		}
		statement := q.query
		if s.sample > 0 {
			statement = fmt.Sprintf("SELECT * FROM (%s\n) AS %s LIMIT %d", q.query, dataSet, s.sample)
		}
		var result mysql.Result
		row := historyRow{faults: &s.faults}
		rows := int64(0)
		err := s.guard(ctx, "read "+dataSet, func() error {
			return s.unlocked(func() error {
				return s.conn.ExecuteSelectStreaming(statement, &result, func(values []mysql.FieldValue) error {
					rows++
					row.values = values
					next(&row)
					return nil
				}, func(result *mysql.Result) (err error) {
					row.layout, err = newLayout(q.form, q.query, result.Fields)
					return err
				})
			})
		})
		return after(rows, err)
	}
	return nil
}
