package mysqlsource

import (
	"context"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// QueryPlan is how the server would answer one of the queries.
type QueryPlan struct {
	DataSet string   `json:"data_set"` // customers, products or ratings
	Rows    int64    `json:"rows"`     // estimated, from statistics: off by half for a table, by more for a mapping
	Cost    float64  `json:"cost"`     // the optimizer's own unit, about one page read; 0: the server does not tell
	Sorts   bool     `json:"sorts"`    // rows are sorted before the first is sent, for want of an index
	Keys    []string `json:"keys"`     // the indexes that are used
	Hidden  bool     `json:"hidden"`   // the user may not see it: EXPLAIN of a view takes SHOW VIEW
}

// Plans explains the queries of all three data sets. It reads no row.
func (s *Snapshot) Plans(ctx context.Context) (plans []QueryPlan, err error) {
	for _, q := range []struct {
		table  table
		mapped string
	}{{customersTable(), s.mapping.Customers}, {productsTable(), s.mapping.Products},
		{ratingsTable(), s.mapping.Ratings}} {
		plan, err := s.explain(ctx, q.table, q.mapped, "")
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

// Estimate is how many ratings the server expects, from its statistics: off by up to half for a
// table, by more for a mapping's own query. It reads no row. 0 when the user may not know.
func (s *Snapshot) Estimate(ctx context.Context) (rows int64, err error) {
	return s.EstimateIn(ctx, Range{})
}

// EstimateIn is Estimate for the ratings of these customers.
func (s *Snapshot) EstimateIn(ctx context.Context, customers Range) (rows int64, err error) {
	plan, err := s.explain(ctx, ratingsTable(), s.mapping.Ratings, customers.where())
	return plan.Rows, err
}

func (s *Snapshot) explain(ctx context.Context, t table, mapped, where string) (QueryPlan, error) {
	return s.explainQuery(ctx, t.name, t.query(mapped, where))
}

func (s *Snapshot) explainQuery(ctx context.Context, dataSet, query string) (QueryPlan, error) {
	plan := QueryPlan{DataSet: dataSet}
	err := s.guard(ctx, "explain the query of "+dataSet, func() error {
		return s.unlocked(func() error {
			result, err := s.conn.Execute("EXPLAIN FORMAT=TRADITIONAL " + query)
			if isCode(err, codeViewDenied) {
				plan.Hidden = true
				return nil
			}
			if err != nil {
				return err
			}
			defer result.Close()
			plan.add(result)
			plan.Cost = s.lastCost()
			return nil
		})
	})
	return plan, err
}

// add reads the steps. A step's rows are for each row of the steps before it in the same SELECT.
func (p *QueryPlan) add(steps *mysql.Result) {
	selects := map[int64]int64{}
	for i := range steps.RowNumber() {
		id, _ := steps.GetIntByName(i, "id") // NULL for a step that is no SELECT's own
		rows, _ := steps.GetIntByName(i, "rows")
		selects[id] = max(selects[id], 1) * max(rows, 1)
		p.Rows = max(p.Rows, selects[id])
		if key := keep(steps.GetStringByName(i, "key")); key != "" {
			p.Keys = append(p.Keys, key)
		}
		if extra := keep(steps.GetStringByName(i, "Extra")); strings.Contains(extra, "filesort") {
			p.Sorts = true
		}
	}
}

// lastCost asks for the cost of the query that was explained last.
func (s *Snapshot) lastCost() float64 {
	result, err := s.conn.Execute("SHOW SESSION STATUS LIKE 'Last_query_cost'")
	if err != nil {
		return 0
	}
	defer result.Close()
	cost, err := result.GetFloat(0, 1)
	if err != nil {
		return 0
	}
	return cost
}
