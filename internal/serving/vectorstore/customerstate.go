package vectorstore

import (
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// forgottenSQL is the condition that a customer's row is older than what was forgotten of the customer.
func forgottenSQL(customer, written string) string {
	return `EXISTS (SELECT FROM kindred.customer_state f WHERE f.customer = ` + customer +
		` AND f.field = '` + recommend.FieldForgotten + `' AND f.written > ` + written + `)`
}

// writeCustomersSQL merges rows. Rows come in the order of their keys, as in every statement that writes
// state, so that two writers do not wait for each other in a circle.
var writeCustomersSQL = `INSERT INTO kindred.customer_state AS s (customer, field, product, value, written)
	SELECT customer, field, product, value::jsonb, written::jsonb
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS n (customer, field, product, value, written)
		WHERE NOT ` + forgottenSQL(`n.customer`, `n.written::jsonb`) + `
	ON CONFLICT (customer, field, product) DO UPDATE SET value = excluded.value, written = excluded.written
		WHERE excluded.written > s.written`

// forgetSQL deletes what was said and done before a customer was forgotten.
var forgetSQL = []string{
	`DELETE FROM kindred.customer_state s WHERE s.customer = ANY($1) AND ` + forgottenSQL(`s.customer`, `s.written`),
	`DELETE FROM kindred.interaction i WHERE i.customer = ANY($1) AND ` + forgottenSQL(`i.customer`, `coalesce(i.said, i.place)`),
	`DELETE FROM kindred.visit v WHERE v.customer = ANY($1) AND ` + forgottenSQL(`v.customer`, `v.said`),
}

// queueCustomers adds to a batch what is said of customers.
func queueCustomers(batch *pgx.Batch, writes []activity.CustomerWrite) error {
	rows := recommend.CustomerRows(writes)
	var customers, fields, products, orders, forgotten []string
	var values []*string
	for _, row := range rows {
		order, err := json.Marshal(row.Order)
		if err != nil {
			return fmt.Errorf("encode the order of what is said of a customer: %w", err)
		}
		var value *string
		if row.Value != nil {
			data, err := json.Marshal(row.Value)
			if err != nil {
				return fmt.Errorf("encode what is said of a customer: %w", err)
			}
			value = new(string(data))
		}
		customers, fields = append(customers, row.Customer), append(fields, row.Field)
		products, values, orders = append(products, row.Product), append(values, value), append(orders, string(order))
		if row.Field == recommend.FieldForgotten {
			forgotten = append(forgotten, row.Customer)
		}
	}
	queue(batch, writeCustomersSQL, customers, fields, products, values, orders)
	queueForgetting(batch, forgotten)
	return nil
}

// queueForgetting adds to a batch the deleting of what is older than the customers' forgetting.
func queueForgetting(batch *pgx.Batch, customers []string) {
	if len(customers) == 0 {
		return
	}
	for _, sql := range forgetSQL {
		queue(batch, sql, customers)
	}
}

// saidSQL asks what is known of customers.
var saidSQL = `SELECT s.customer, s.field, s.product, s.value FROM kindred.customer_state s WHERE s.customer = ANY($1)
	AND s.value IS NOT NULL AND s.value <> 'false' AND NOT ` + forgottenSQL(`s.customer`, `s.written`) + `
	ORDER BY s.customer, s.field, s.product`

// queueSaid adds the question to a batch; found gets the answers.
func queueSaid(batch *pgx.Batch, customers []string, found map[string]recommend.Said) {
	batch.Queue(saidSQL, customers).Query(func(rows pgx.Rows) error {
		var customer, field, product string
		var data []byte
		_, err := pgx.ForEachRow(rows, []any{&customer, &field, &product, &data}, func() error {
			var value any
			if err := json.Unmarshal(data, &value); err != nil {
				return err
			}
			said := found[customer]
			said.Add(field, product, value)
			found[customer] = said
			return nil
		})
		return err
	})
}
