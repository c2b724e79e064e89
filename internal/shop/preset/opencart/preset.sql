-- The id of a product is product_id, which the storefront's pages have; since OpenCart 4 a variant is
-- a product with a master, and counts as the master. The order is the key of a guest.
{{- $master := has "product" "master_id"}}

-- kindred: products
SELECT p.product_id AS id,
       COALESCE(NULLIF(TRIM({{plain "l.name"}}), ''), NULLIF(TRIM({{plain "y.name"}}), ''), {{if has "product" "model"}}NULLIF(p.model, ''), {{end}}CONCAT('product ', p.product_id)) AS name,
{{- if has "category_description" "category_id" "language_id" "name"}}
       k.names AS categories,
{{- end}}
{{- if or (has "manufacturer" "name") (has "manufacturer_description" "name")}}
       {{plain "m.name"}} AS brand,
{{- end}}
       CAST(p.price{{if and (has "currency" "code" "value") (ne (get "currency") "")}} * COALESCE((SELECT MAX(u.value) FROM {{t "currency"}} u WHERE u.code = {{v "currency"}}), 1){{end}} AS DECIMAL(15, 4)) AS price,
       {{v "currency"}} AS currency,
       CASE WHEN p.status <> 1 THEN 0
{{- if has "product" "date_available"}}
            WHEN p.date_available > CURRENT_DATE THEN 0
{{- end}}
{{- if filled "product_to_store" "product_id" "store_id"}}
            WHEN s.product_id IS NULL THEN 0 -- not in this store
{{- end}}
{{- if has "product" "quantity" "subtract"}}
            WHEN p.quantity > 0 OR p.subtract = 0{{if $master}} OR v.quantity > 0{{end}} THEN 1
{{- if has "setting" "store_id" "key" "value"}}
            WHEN (SELECT MAX(g.value) FROM {{t "setting"}} g WHERE g.store_id = 0 AND g.`key` = 'config_stock_checkout') = '1' THEN 1
{{- end}}
            ELSE 0 END AS available,
{{- else}}
            ELSE 1 END AS available,
{{- end}}
       CONCAT('/index.php?route=product/product&product_id=', p.product_id) AS url
{{- if has "product" "image"}},
       CONCAT('/image/', NULLIF(p.image, '')) AS image
{{- end}}
FROM {{t "product"}} p
LEFT JOIN {{t "product_description"}} l ON l.product_id = p.product_id AND l.language_id = {{v "language"}}
LEFT JOIN (SELECT a.product_id, MIN(NULLIF(a.name, '')) AS name FROM {{t "product_description"}} a GROUP BY a.product_id) y ON y.product_id = p.product_id
{{- if has "manufacturer_description" "manufacturer_id" "language_id" "name"}}
LEFT JOIN {{t "manufacturer_description"}} m ON m.manufacturer_id = p.manufacturer_id AND m.language_id = {{v "language"}}
{{- else if has "manufacturer" "manufacturer_id" "name"}}
LEFT JOIN {{t "manufacturer"}} m ON m.manufacturer_id = p.manufacturer_id
{{- end}}
{{- if filled "product_to_store" "product_id" "store_id"}}
LEFT JOIN {{t "product_to_store"}} s ON s.product_id = p.product_id AND s.store_id = {{view "store"}}
{{- end}}
{{- if and $master (has "product" "quantity")}}
LEFT JOIN (SELECT a.master_id, MAX(a.quantity) AS quantity FROM {{t "product"}} a WHERE a.master_id > 0 AND a.status = 1 GROUP BY a.master_id) v ON v.master_id = p.product_id
{{- end}}
{{- if has "category_description" "category_id" "language_id" "name"}}
LEFT JOIN (SELECT d.product_id, {{jsonlist "d.name"}} AS names
           FROM (SELECT DISTINCT x.product_id, {{plain "c.name"}} AS name
                 FROM {{t "product_to_category"}} x
                 JOIN {{t "category_description"}} c ON c.category_id = x.category_id AND c.language_id = {{v "language"}}
                 WHERE c.name <> '') d
           GROUP BY d.product_id) k ON k.product_id = p.product_id
{{- end}}
{{- if $master}}
WHERE COALESCE(p.master_id, 0) = 0
{{- end}};

-- kindred: customers
{{- $address := and (has "address" "address_id" "customer_id" "country_id" "city") (has "country" "country_id" "iso_code_2")}}
SELECT c.customer_id AS id{{if $address}}, NULLIF(n.iso_code_2, '') AS country, NULLIF(a.city, '') AS city{{end}}
FROM {{t "customer"}} c
{{- if $address}}
LEFT JOIN (SELECT b.customer_id, {{if has "address" "default"}}COALESCE(MAX(CASE WHEN b.`default` = 1 THEN b.address_id END), MIN(b.address_id)){{else}}MIN(b.address_id){{end}} AS address_id
           FROM {{t "address"}} b GROUP BY b.customer_id) f ON f.customer_id = c.customer_id
LEFT JOIN {{t "address"}} a ON a.address_id = {{if has "customer" "address_id"}}COALESCE(NULLIF(c.address_id, 0), f.address_id){{else}}f.address_id{{end}}
LEFT JOIN {{t "country"}} n ON n.country_id = a.country_id
{{- end}};

-- kindred: interactions
SELECT NULLIF(o.customer_id, 0) AS customer, CASE WHEN o.customer_id > 0 THEN NULL ELSE CONCAT('order-', o.order_id) END AS session,
       {{template "product" .}} AS product, 'purchase' AS kind, CAST(NULL AS DECIMAL(5, 2)) AS value,
       SUM(d.quantity){{template "returned" .}} AS quantity, MIN(o.date_added) AS at, o.order_id
FROM {{t "order"}} o
JOIN {{t "order_product"}} d ON d.order_id = o.order_id
JOIN {{t "product"}} p ON p.product_id = d.product_id
{{- if has "return" "order_id" "product_id" "quantity" "return_action_id"}}
LEFT JOIN (SELECT b.order_id, {{if $master}}CASE WHEN a.master_id > 0 THEN a.master_id ELSE a.product_id END{{else}}a.product_id{{end}} AS product_id, SUM(b.quantity) AS quantity
           FROM {{t "return"}} b JOIN {{t "product"}} a ON a.product_id = {{template "came back" .}}
           WHERE b.return_action_id IN (1, 2) -- refunded, or a credit
           GROUP BY 1, 2) r ON r.order_id = o.order_id AND r.product_id = {{template "product" .}}
{{- end}}
WHERE o.order_status_id IN ({{in "paid"}})
{{- if and (has "order" "store_id") (ne (get "store") "all")}}
  AND o.store_id = {{v "store"}}
{{- end}}
GROUP BY o.order_id, o.customer_id, {{template "product" .}}
HAVING SUM(d.quantity){{template "returned" .}} > 0
{{- if has "review" "review_id" "product_id" "customer_id" "rating" "status"}}
UNION ALL
SELECT NULLIF(d.customer_id, 0), CASE WHEN d.customer_id > 0 THEN NULL ELSE CONCAT('review-', d.review_id) END,
       {{template "product" .}}, 'rating', CAST(d.rating AS DECIMAL(5, 2)), CAST(NULL AS DECIMAL(12, 4)), d.date_added, NULL
FROM {{t "review"}} d
JOIN {{t "product"}} p ON p.product_id = d.product_id
WHERE d.status = 1 AND d.rating BETWEEN 1 AND 5
{{- end}};

{{- define "product"}}{{if has "product" "master_id"}}CASE WHEN p.master_id > 0 THEN p.master_id ELSE p.product_id END{{else}}p.product_id{{end}}{{end}}
{{- /* before OpenCart 3 a customer's return has the product's name and model, but not its id */ -}}
{{- define "came back"}}
{{- if and (has "return" "model") (has "order_product" "model")}}CASE WHEN b.product_id > 0 THEN b.product_id ELSE (
             SELECT MIN(e.product_id) FROM {{t "order_product"}} e
             WHERE e.order_id = b.order_id AND e.model = {{text "b.model"}}) END
{{- else}}b.product_id{{end}}{{end}}
{{- define "returned"}}{{if has "return" "order_id" "product_id" "quantity" "return_action_id"}} - COALESCE(MAX(r.quantity), 0){{end}}{{end}}
