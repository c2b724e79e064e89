package vectorstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/pgcopy"
	"kindred/internal/serving/recommend"
)

// nearRows is how many lists of neighbours a version's tables near_item and near_customer hold. An
// empty list has no row. The registry's column solver has it; a version without neighbours has neither
// the tables nor the entry.
type nearRows struct {
	Items     int `json:"items"`
	Customers int `json:"customers"`
}

// nearOf counts the lists of a version; nil: it has no neighbours.
func nearOf(v *modelversion.Version) *nearRows {
	if v.Near == nil {
		return nil
	}
	count := func(lists [][]modelversion.Neighbour) (n int) {
		for _, list := range lists {
			if len(list) > 0 {
				n++
			}
		}
		return n
	}
	return &nearRows{count(v.Near.Items), count(v.Near.Customers)}
}

// String names the counts.
func (n *nearRows) String() string {
	if n == nil {
		return "no neighbours"
	}
	return fmt.Sprintf("neighbours of %d products and %d customers", n.Items, n.Customers)
}

// same compares counts.
func (n *nearRows) same(other *nearRows) bool {
	return n == nil && other == nil || n != nil && other != nil && *n == *other
}

// createNear makes the tables of neighbours. A list is one row with two arrays: a row a neighbour would
// take five times the space, and as many reads.
func createNear(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	if v.Near == nil {
		return nil
	}
	for _, table := range []struct {
		name  string
		lists [][]modelversion.Neighbour
	}{{schema + `.near_item`, v.Near.Items}, {schema + `.near_customer`, v.Near.Customers}} {
		err := execAll(ctx, tx, `CREATE TABLE `+table.name+
			` (key integer NOT NULL, items integer[] NOT NULL, weights real[] NOT NULL)`,
			`COMMENT ON TABLE `+table.name+` IS '`+markOf(v.ID)+`'`)
		if err != nil {
			return err
		}
		if err := copyLists(ctx, tx, table.name, table.lists); err != nil {
			return fmt.Errorf("copy neighbours: %w", err)
		}
		if err := execAll(ctx, tx, `ALTER TABLE `+table.name+` ADD PRIMARY KEY (key)`, `ANALYZE `+table.name); err != nil {
			return err
		}
	}
	return execAll(ctx, tx, `CREATE UNIQUE INDEX ON `+schema+`.item (key)`)
}

func copyLists(ctx context.Context, tx pgx.Tx, table string, lists [][]modelversion.Neighbour) error {
	row := 0
	var items []int32
	var weights []float32
	return copyTable(ctx, tx, table+` (key, items, weights)`, 3, func(r *pgcopy.Row) bool {
		for row < len(lists) && len(lists[row]) == 0 {
			row++
		}
		if row == len(lists) {
			return false
		}
		items, weights = items[:0], weights[:0]
		for _, n := range lists[row] {
			items, weights = append(items, n.Item), append(weights, n.Weight)
		}
		r.Int32(int32(row))
		r.Int32s(items)
		r.Float32s(weights)
		row++
		return true
	})
}

// itemsSQL asks for products by code, with their lists where the version has them.
func (m *model) itemsSQL() string {
	fresh := ``
	if m.state.newItems {
		fresh = ` UNION ALL SELECT code, -1, 0, embedding, NULL, NULL FROM ` + m.schema + `.new_item WHERE code = ANY($1)`
	}
	if m.near == nil {
		key := `key`
		if m.form == formNumbered { // which has no numbers, and no neighbours to name by them
			key = `0`
		}
		return `SELECT code, ` + key + `, positives, embedding, NULL::integer[], NULL::real[] FROM ` + m.schema +
			`.item WHERE code = ANY($1)` + fresh
	}
	return `SELECT i.code, i.key, i.positives, i.embedding, n.items, n.weights FROM ` + m.schema + `.item i LEFT JOIN ` + m.schema +
		`.near_item n ON n.key = i.key WHERE i.code = ANY($1)` + fresh
}

// listOf joins the arrays of a list.
func listOf(items []int32, weights []float32) []modelversion.Neighbour {
	if len(items) == 0 || len(items) != len(weights) {
		return nil
	}
	list := make([]modelversion.Neighbour, len(items))
	for i := range items {
		list[i] = modelversion.Neighbour{Item: items[i], Weight: weights[i]}
	}
	return list
}

// addedSQL is searchSQL for a search that adds to the scores of some products.
//
// The last column is how many products the index found: fewer than the limit means that it gave up.
func (m *model) addedSQL(s recommend.Search, left string, args []any, by way) (string, []any) {
	items, added := make([]int32, len(s.Added)), make([]float32, len(s.Added))
	for i, n := range s.Added {
		items[i], added[i] = n.Item, n.Weight
	}
	args = append(args, pgvector.NewVector(s.Vector), items, added)
	place := func(fromLast int) string { return `$` + strconv.Itoa(len(args)-fromLast) }
	columns := `key, code, (0 - distance)::real, embedding, NULL::bigint`
	if by == byIndex {
		columns = `key, code, (0 - distance)::real, embedding, (SELECT count(*) FROM dense)`
	}
	return m.sumSQL(columns, `i.embedding <#> `+place(2), `unnest(`+place(1)+`::integer[], `+place(0)+
		`::real[]) AS a (key, added)`, left, s.Limit, by), args
}

// sumSQL finds the products with the smallest distance, less what the rows of added, a (key, added), say of
// some; left leaves products out. Nothing that is added is negative, so the best products are among the best
// ones by distance and those that something is added to: an index finds the former, and the latter are
// looked up. A scan meets all of them anyway.
func (m *model) sumSQL(columns, distance, added, left string, limit int, by way) string {
	bought := m.filter(by, limit)
	from, where := ` FROM `+m.schema+`.item i`, ` WHERE `+bought.inside+left
	if by != byIndex {
		return `SELECT ` + columns + ` FROM (SELECT i.key, i.code, i.embedding, (` + distance +
			`) - coalesce(a.added, 0) AS distance` +
			bought.column + from + ` LEFT JOIN ` + added + ` ON a.key = i.key` + where + ` ORDER BY distance, i.code` +
			bought.limit +
			`) found` + bought.outside + ` ORDER BY distance, code` + bought.last
	}
	return `WITH added AS MATERIALIZED (SELECT a.key, a.added FROM ` + added + `),
		dense AS MATERIALIZED (SELECT i.key, i.code, i.embedding, ` + distance + ` AS distance` + from + where +
		` ORDER BY ` + distance + bought.limit + `)
		SELECT ` + columns + ` FROM (
			SELECT * FROM dense d WHERE NOT EXISTS (SELECT FROM added a WHERE a.key = d.key)
			UNION ALL SELECT i.key, i.code, i.embedding, (` + distance + `) - a.added FROM added a JOIN ` + m.schema +
		`.item i ON i.key = a.key` + where + `) found ORDER BY distance, code` + bought.limit
}

// similarSQL is neighboursSQL where neighbours of the product $1 count too.
func (m *model) similarSQL(distance, left string, limit int, by way) string {
	return m.sumSQL(`code, distance::real`, distance, m.addedToSimilar(), left, limit, by)
}

// lostNear is the condition that a whole table of neighbours has lost its rows, to be added to others.
func (m *model) lostNear() string {
	lost := ""
	if m.near != nil && m.near.Items > 0 {
		lost += ` OR NOT EXISTS (SELECT FROM ` + m.schema + `.near_item)`
	}
	if m.near != nil && m.near.Customers > 0 {
		lost += ` OR NOT EXISTS (SELECT FROM ` + m.schema + `.near_customer)`
	}
	return lost
}
