package integration

import (
	"slices"
	"strings"
	"testing"

	"kindred/internal/lab/shopsystem"
	"kindred/internal/shop/preset"
)

// mutation changes one order of a customer in the tables of a system. ORDER and CUSTOMER in its SQL
// stand for ids as a mapping shows them.
type mutation struct {
	name, sql string
	session   string // the order is a guest's then, with this session; "": it is no sale any more
}

// mutations of each system's latest version: states that are no sale, returns of whole lines, and a
// customer whose account is gone.
var mutations = map[string][]mutation{
	"woocommerce": {
		{"cancelled", "UPDATE wp_wc_order_stats SET status = 'wc-cancelled' WHERE order_id = ORDER", ""},
		{"on hold", "UPDATE wp_wc_order_stats SET status = 'wc-on-hold' WHERE order_id = ORDER", ""},
		{"in the bin", "UPDATE wp_wc_order_stats SET status = 'trash' WHERE order_id = ORDER", ""},
		{"all came back", `INSERT INTO wp_wc_order_product_lookup (order_item_id, order_id, product_id, variation_id, customer_id, product_qty)
			SELECT 90000000 + order_item_id, 90000000, product_id, variation_id, customer_id, -product_qty
			FROM wp_wc_order_product_lookup WHERE order_id = ORDER;
			INSERT INTO wp_wc_order_stats (order_id, parent_id, status, customer_id) VALUES (90000000, ORDER, 'wc-completed', 1)`, ""},
		{"guest", "UPDATE wp_wc_order_stats SET customer_id = 77777 WHERE order_id = ORDER", "guest-77777"},
	},
	"magento2": {
		{"cancelled", "UPDATE sales_order SET state = 'canceled' WHERE entity_id = ORDER", ""},
		{"closed", "UPDATE sales_order SET state = 'closed' WHERE entity_id = ORDER", ""},
		{"fraud", "UPDATE sales_order SET state = 'payment_review' WHERE entity_id = ORDER", ""},
		{"all came back", "UPDATE sales_order_item SET qty_refunded = qty_ordered, qty_canceled = 0 WHERE order_id = ORDER",
			""},
		{"guest", "UPDATE sales_order SET customer_id = NULL WHERE entity_id = ORDER", "order-ORDER"},
	},
	"openmage": {
		{"cancelled", "UPDATE sales_flat_order SET state = 'canceled' WHERE entity_id = ORDER", ""},
		{"all came back", "UPDATE sales_flat_order_item SET qty_refunded = qty_ordered, qty_canceled = 0 WHERE order_id = " +
			"ORDER", ""},
		{"guest", "UPDATE sales_flat_order SET customer_id = NULL WHERE entity_id = ORDER", "order-ORDER"},
	},
	"prestashop": {
		{"not paid", "UPDATE ps_orders SET valid = 0 WHERE id_order = ORDER", ""},
		{"refunded, still valid", "UPDATE ps_orders SET current_state = 7 WHERE id_order = ORDER", ""},
		{"all came back", "UPDATE ps_order_detail SET product_quantity_return = product_quantity WHERE id_order = ORDER", ""},
		{"guest", "UPDATE ps_customer SET is_guest = 1 WHERE id_customer = CUSTOMER", "guest-CUSTOMER"},
	},
	"opencart": {
		{"cancelled", "UPDATE oc_order SET order_status_id = 7 WHERE order_id = ORDER", ""},
		{"never confirmed", "UPDATE oc_order SET order_status_id = 0 WHERE order_id = ORDER", ""},
		{"all came back", `DELETE FROM oc_return WHERE order_id = ORDER;
			INSERT INTO oc_return (order_id, product_id, customer_id, product, quantity, return_reason_id, return_action_id,
				return_status_id, date_added)
			SELECT order_id, product_id, 1, 'x', quantity, 1, 1, 3, '2026-01-01' FROM oc_order_product WHERE order_id = ORDER`, ""},
		{"guest", "UPDATE oc_order SET customer_id = 0 WHERE order_id = ORDER", "order-ORDER"},
	},
	"shopware6": {
		{"cancelled", "UPDATE `order` SET state_id = (SELECT id FROM state_machine_state WHERE technical_name = " +
			"'cancelled' LIMIT 1) WHERE id = 0xORDER", ""},
		{"refunded", `DELETE FROM order_transaction WHERE order_id = 0xORDER;
			INSERT INTO order_transaction (id, version_id, order_id, order_version_id, state_id, payment_method_id, created_at)
			SELECT 0x11111111111111111111111111111111, version_id, id, version_id,
				(SELECT id FROM state_machine_state WHERE technical_name = 'refunded'), id, '2026-01-01' FROM ` + "`order`" + ` WHERE id = 0xORDER`, ""},
		{"only drafts", "UPDATE `order` SET version_id = 0xd00d0000000000000000000000000009 WHERE id = 0xORDER" +
			" AND version_id = 0x0fa91ce3e96a4bc2be4bd9ce752c3425", ""},
		{"account is gone", "UPDATE order_customer SET customer_id = NULL WHERE order_id = 0xORDER", "order-ORDER"},
	},
	"sylius": {
		{"cancelled", "UPDATE sylius_order SET state = 'cancelled' WHERE id = ORDER", ""},
		{"not paid", "UPDATE sylius_order SET payment_state = 'awaiting_payment' WHERE id = ORDER", ""},
		{"refunded", "UPDATE sylius_order SET payment_state = 'refunded' WHERE id = ORDER", ""},
		{"guest", "DELETE FROM sylius_shop_user WHERE customer_id = CUSTOMER", "guest-CUSTOMER"},
	},
	"bagisto": {
		{"cancelled", "UPDATE orders SET status = 'canceled' WHERE id = ORDER", ""},
		{"fraud", "UPDATE orders SET status = 'fraud' WHERE id = ORDER", ""},
		{"all came back", "UPDATE order_items SET qty_refunded = qty_ordered, qty_canceled = 0 WHERE order_id = ORDER", ""},
		{"guest", "UPDATE orders SET customer_id = NULL WHERE id = ORDER", "order-ORDER"},
	},
	"classicmodels": {
		{"cancelled", "UPDATE orders SET status = 'Cancelled' WHERE orderNumber = ORDER", ""},
		{"disputed", "UPDATE orders SET status = 'Disputed' WHERE orderNumber = ORDER", ""},
		{"all came back", "UPDATE orderdetails SET quantityOrdered = 0 WHERE orderNumber = ORDER", ""},
	},
}

func TestOrderThatIsNoSaleOrAGuestsIsReadAsSuch(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	for system, changes := range mutations {
		all := shopsystem.Versions(system)
		c := shopsystem.Config{System: system, Version: all[len(all)-1], Prefix: shopsystem.DefaultPrefix(system),
			Seed: 9, Orders: 120}
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			_, db := stack.mustSystem(t, c)
			m := mustMap(t, db, preset.Choice{}, nil)
			for _, change := range changes {
				before := readMapping(t, db, m)
				i := slices.IndexFunc(before.Interactions, func(r shopsystem.InteractionRow) bool {
					return r.Kind == "purchase" && r.Customer != ""
				})
				one := before.Interactions[i]
				names := strings.NewReplacer("ORDER", one.Order, "CUSTOMER", one.Customer)
				for statement := range strings.SplitSeq(names.Replace(change.sql), ";") {
					mustExec(t, db, statement)
				}
				after := readMapping(t, db, m)
				want := before
				want.Customers, want.Interactions = after.Customers, nil
				for _, r := range before.Interactions {
					theirs := strings.Contains(change.session, "CUSTOMER") && r.Customer == one.Customer
					switch {
					case r.Order != one.Order && !theirs:
					case change.session == "":
						continue
					default:
						r.Customer, r.Session = "", names.Replace(change.session)
					}
					want.Interactions = append(want.Interactions, r)
				}
				t.Log(change.name)
				wantRows(t, want, after)
			}
		})
	}
}
