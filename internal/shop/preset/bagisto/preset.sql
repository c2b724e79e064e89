-- The id of a product is products.id, which the storefront's API has; a variant counts as its parent.
-- The order is the key of a guest.
{{- $managed := and (has "product_attribute_values" "product_id" "attribute_id" "boolean_value") (has "attributes" "id" "code")}}

-- kindred: products
SELECT p.id,
       COALESCE(NULLIF(TRIM(l.name), ''), NULLIF(TRIM(y.name), ''), p.sku) AS name,
{{- if and (has "product_categories" "product_id" "category_id") (has "category_translations" "category_id" "locale" "name")}}
       k.names AS categories,
{{- end}}
       CAST(COALESCE(NULLIF(l.price, 0), c.price, l.price){{if and (has "currency_exchange_rates" "rate" "target_currency") (has "currencies" "id" "code") (ne (get "currency") (get "base_currency"))}} * (SELECT MAX(x.rate)
            FROM {{t "currency_exchange_rates"}} x JOIN {{t "currencies"}} u ON u.id = x.target_currency WHERE u.code = {{v "currency"}}){{end}} AS DECIMAL(12, 4)) AS price,
       {{v "currency"}} AS currency,
       CASE WHEN COALESCE(l.status, 0) <> 1 THEN 0
{{- if has "product_inventories" "product_id" "qty"}}
            WHEN p.type = 'simple' AND s.qty <= 0{{if $managed}} AND COALESCE(g.managed, 1) = 1{{end}} THEN 0
            WHEN c.variants > 0 AND c.available = 0 THEN 0
{{- end}}
            ELSE 1 END AS available,
       CONCAT('/', l.url_key) AS url
FROM {{t "products"}} p
LEFT JOIN {{t "product_flat"}} l ON l.product_id = p.id AND l.locale = {{v "language"}} AND l.channel = {{template "channel" .}}
LEFT JOIN (SELECT a.product_id, MIN(NULLIF(a.name, '')) AS name, MAX(COALESCE(a.visible_individually, 1)) AS visible
           FROM {{t "product_flat"}} a GROUP BY a.product_id) y ON y.product_id = p.id
{{- if has "product_inventories" "product_id" "qty"}}
LEFT JOIN (SELECT a.product_id, SUM(a.qty) AS qty FROM {{t "product_inventories"}} a GROUP BY a.product_id) s ON s.product_id = p.id
{{- if $managed}}
LEFT JOIN {{template "managed" .}} g ON g.product_id = p.id
{{- end}}{{end}}
LEFT JOIN (SELECT a.parent_id, COUNT(*) AS variants, MIN(NULLIF(b.price, 0)) AS price,
                  MAX(CASE WHEN b.status = 1{{if has "product_inventories" "product_id" "qty"}} AND (COALESCE(q.qty, 1) > 0{{if $managed}} OR r.managed = 0{{end}}){{end}} THEN 1 ELSE 0 END) AS available
           FROM {{t "products"}} a
           LEFT JOIN {{t "product_flat"}} b ON b.product_id = a.id AND b.locale = {{v "language"}} AND b.channel = {{template "channel" .}}
           {{- if has "product_inventories" "product_id" "qty"}}
           LEFT JOIN (SELECT e.product_id, SUM(e.qty) AS qty FROM {{t "product_inventories"}} e GROUP BY e.product_id) q ON q.product_id = a.id
           {{- end}}
           {{- if $managed}}
           LEFT JOIN {{template "managed" .}} r ON r.product_id = a.id
           {{- end}}
           WHERE a.parent_id IS NOT NULL GROUP BY a.parent_id) c ON c.parent_id = p.id
{{- if and (has "product_categories" "product_id" "category_id") (has "category_translations" "category_id" "locale" "name")}}
LEFT JOIN (SELECT d.product_id, {{jsonlist "d.name"}} AS names
           FROM (SELECT DISTINCT x.product_id, n.name
                 FROM {{t "product_categories"}} x
                 JOIN {{t "category_translations"}} n ON n.category_id = x.category_id AND n.locale = {{v "language"}}
                 {{- if has "categories" "id" "parent_id"}}
                 JOIN {{t "categories"}} e ON e.id = x.category_id
                 {{- if has "channels" "root_category_id"}}
                  AND e.id NOT IN (SELECT b.root_category_id FROM {{t "channels"}} b WHERE b.root_category_id IS NOT NULL)
                 {{- end}}{{end}}
                 WHERE n.name <> '') d
           GROUP BY d.product_id) k ON k.product_id = p.id
{{- end}}
WHERE p.parent_id IS NULL AND COALESCE(y.visible, 1) = 1;

-- kindred: customers
SELECT c.id{{if has "addresses" "customer_id" "address_type" "country" "city"}}, NULLIF(a.country, '') AS country, NULLIF(a.city, '') AS city{{end}}
FROM {{t "customers"}} c
{{- if has "addresses" "customer_id" "address_type" "country" "city"}}
LEFT JOIN (SELECT b.customer_id, COALESCE(MAX(CASE WHEN b.default_address = 1 THEN b.id END), MIN(b.id)) AS id
           FROM {{t "addresses"}} b WHERE b.address_type = 'customer' GROUP BY b.customer_id) f ON f.customer_id = c.id
LEFT JOIN {{t "addresses"}} a ON a.id = f.id
{{- end}};

-- kindred: interactions
SELECT NULLIF(o.customer_id, 0) AS customer, CASE WHEN o.customer_id > 0 THEN NULL ELSE CONCAT('order-', o.id) END AS session,
       COALESCE(p.parent_id, p.id) AS product, 'purchase' AS kind, CAST(NULL AS DECIMAL(5, 2)) AS value,
       SUM({{template "quantity" .}}) AS quantity, MIN(o.created_at) AS at, o.id AS order_id
FROM {{t "orders"}} o
JOIN {{t "order_items"}} i ON i.order_id = o.id AND i.parent_id IS NULL
JOIN {{t "products"}} p ON p.id = i.product_id
WHERE o.status IN ({{in "paid"}}) AND {{template "quantity" .}} > 0
{{- if and (has "orders" "channel_id") (ne (get "store") "all")}}
  AND o.channel_id = {{v "store"}}
{{- end}}
GROUP BY o.id, o.customer_id, COALESCE(p.parent_id, p.id)
{{- if has "product_reviews" "id" "product_id" "customer_id" "rating" "status"}}
UNION ALL
SELECT NULLIF(r.customer_id, 0), CASE WHEN r.customer_id > 0 THEN NULL ELSE CONCAT('review-', r.id) END,
       COALESCE(p.parent_id, p.id), 'rating', CAST(r.rating AS DECIMAL(5, 2)), CAST(NULL AS DECIMAL(12, 4)), r.created_at, NULL
FROM {{t "product_reviews"}} r
JOIN {{t "products"}} p ON p.id = r.product_id
WHERE r.status = 'approved' AND r.rating BETWEEN 1 AND 5
{{- end}};

{{- define "channel"}}(SELECT {{text "w.code"}} FROM {{t "channels"}} w WHERE w.id = {{view "store"}}){{end}}
{{- define "quantity"}}(i.qty_ordered - COALESCE(i.qty_canceled, 0) - COALESCE(i.qty_refunded, 0)){{end}}
{{- define "managed"}}(SELECT a.product_id, MAX(a.boolean_value) AS managed FROM {{t "product_attribute_values"}} a
           WHERE a.attribute_id = (SELECT MIN(e.id) FROM {{t "attributes"}} e WHERE e.code = 'manage_stock') GROUP BY a.product_id){{end}}
