-- A shop in the tables of contract 2, such as `seed import` makes of orders and events.

-- kindred: products
SELECT p.id, p.name, p.categories, p.brand, p.price, {{if get "currency"}}{{v "currency"}}{{else}}p.currency{{end}} AS currency, p.available
FROM {{t "kindred_products"}} p;

-- kindred: customers
SELECT c.id, c.country, c.city FROM {{t "kindred_customers"}} c;

-- kindred: interactions
SELECT i.customer, i.session, i.product, i.kind, i.value, i.quantity, i.at, i.order_id
FROM {{t "kindred_interactions"}} i;
