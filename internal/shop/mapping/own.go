package mapping

// OwnInteractions is the table that tells a shop in kindred's own tables of contract 2.
const OwnInteractions = "kindred_interactions"

// Own reads kindred's own tables of contract 2, which `seed import` makes of orders and events.
func Own() Mapping {
	return Mapping{
		Products:     "SELECT id, name, categories, brand, price, currency, available FROM kindred_products",
		Customers:    "SELECT id, country, city FROM kindred_customers",
		Interactions: "SELECT customer, session, product, kind, value, quantity, at, order_id FROM " + OwnInteractions,
	}
}
