-- The id of a product is id_product, which the storefront's pages have; a combination counts as its
-- product. A guest is a customer row that is made for each order, so it is kept as a session.
{{- $config := has "configuration" "name" "value"}}

-- kindred: products
SELECT p.id_product AS id,
       COALESCE(NULLIF(TRIM(l.name), ''), NULLIF(TRIM(y.name), ''), {{if has "product" "reference"}}NULLIF(p.reference, ''), {{end}}CONCAT('product ', p.id_product)) AS name,
{{- if has "category_product" "id_category" "id_product"}}
       k.names AS categories,
{{- end}}
{{- if and (has "manufacturer" "id_manufacturer" "name") (has "product" "id_manufacturer")}}
       NULLIF(m.name, '') AS brand,
{{- end}}
       CAST({{if has "product" "price"}}COALESCE(h.price, p.price){{else}}h.price{{end}}{{if and (has "currency" "iso_code" "conversion_rate") (ne (get "currency") "")}} * COALESCE((SELECT MAX(u.conversion_rate) FROM {{t "currency"}} u WHERE u.iso_code = {{v "currency"}}{{if has "currency" "deleted"}} AND u.deleted = 0{{end}}), 1){{end}} AS DECIMAL(20, 6)) AS price,
       {{v "currency"}} AS currency,
       CASE WHEN h.id_product IS NULL THEN 0 -- not in this shop
            WHEN h.active <> 1{{if has "product" "state"}} OR p.state = 0{{end}}{{if has "product_shop" "visibility"}} OR h.visibility = 'none'{{end}}{{if has "product_shop" "available_for_order"}} OR h.available_for_order <> 1{{end}} THEN 0
{{- if has "stock_available" "id_product" "id_product_attribute" "quantity"}}
            WHEN s.id_product IS NULL OR s.quantity > 0 THEN 1
{{- if $config}}
            WHEN COALESCE((SELECT MAX(g.value) FROM {{t "configuration"}} g WHERE g.name = 'PS_STOCK_MANAGEMENT'), '1') = '0' THEN 1
{{- end}}
{{- if has "stock_available" "out_of_stock"}}
            WHEN s.out_of_stock = 1 THEN 1 -- may be ordered all the same
{{- if $config}}
            WHEN s.out_of_stock = 2 AND (SELECT MAX(g.value) FROM {{t "configuration"}} g WHERE g.name = 'PS_ORDER_OUT_OF_STOCK') = '1' THEN 1
{{- end}}{{end}}
            ELSE 0 END AS available,
{{- else}}
            ELSE 1 END AS available,
{{- end}}
       CONCAT('/index.php?controller=product&id_product=', p.id_product) AS url
FROM {{t "product"}} p
LEFT JOIN {{t "product_shop"}} h ON h.id_product = p.id_product AND h.id_shop = {{template "shop" .}}
LEFT JOIN {{t "product_lang"}} l ON l.id_product = p.id_product AND l.id_shop = h.id_shop AND l.id_lang = {{v "language"}}
LEFT JOIN (SELECT a.id_product, COALESCE(MIN(CASE WHEN a.id_lang = {{v "language"}} THEN NULLIF(a.name, '') END), MIN(NULLIF(a.name, ''))) AS name
           FROM {{t "product_lang"}} a GROUP BY a.id_product) y ON y.id_product = p.id_product
{{- if and (has "manufacturer" "id_manufacturer" "name") (has "product" "id_manufacturer")}}
LEFT JOIN {{t "manufacturer"}} m ON m.id_manufacturer = p.id_manufacturer
{{- end}}
{{- if has "stock_available" "id_product" "id_product_attribute" "quantity"}}
LEFT JOIN (SELECT a.id_product, MAX(a.quantity) AS quantity{{if has "stock_available" "out_of_stock"}}, MAX(CASE WHEN a.out_of_stock = 1 THEN 1 WHEN a.out_of_stock = 2 THEN 2 ELSE 0 END) AS out_of_stock{{end}}
           FROM {{t "stock_available"}} a
           -- a row of shop 0 holds the stock that a group of shops shares
           WHERE a.id_product_attribute = 0{{if has "stock_available" "id_shop"}} AND a.id_shop IN (0, {{template "shop" .}}){{if and (has "stock_available" "id_shop_group") (has "shop" "id_shop" "id_shop_group")}}
             AND a.id_shop_group IN (0, (SELECT MAX(f.id_shop_group) FROM {{t "shop"}} f WHERE f.id_shop = {{template "shop" .}})){{end}}{{end}}
           GROUP BY a.id_product) s ON s.id_product = p.id_product
{{- end}}
{{- if has "category_product" "id_category" "id_product"}}
LEFT JOIN (SELECT d.id_product, {{jsonlist "d.name"}} AS names
           FROM (SELECT DISTINCT x.id_product, c.name
                 FROM {{t "category_product"}} x
                 JOIN {{t "category"}} e ON e.id_category = x.id_category AND e.active = 1{{if has "category" "is_root_category"}} AND e.is_root_category = 0{{end}}
                 {{- if $config}} AND e.id_category NOT IN (SELECT CAST(g.value AS UNSIGNED) FROM {{t "configuration"}} g
                                                     WHERE g.name IN ('PS_ROOT_CATEGORY', 'PS_HOME_CATEGORY') AND g.value IS NOT NULL){{end}}
                 JOIN {{t "category_lang"}} c ON c.id_category = x.id_category AND c.id_lang = {{v "language"}}{{if has "category_lang" "id_shop"}} AND c.id_shop = {{template "shop" .}}{{end}}
                 WHERE c.name <> '') d
           GROUP BY d.id_product) k ON k.id_product = p.id_product
{{- end}};

-- kindred: customers
{{- $address := and (has "address" "id_address" "id_customer" "id_country" "city") (has "country" "id_country" "iso_code")}}
SELECT c.id_customer AS id{{if $address}}, NULLIF(n.iso_code, '') AS country, NULLIF(a.city, '') AS city{{end}}
FROM {{t "customer"}} c
{{- if $address}}
LEFT JOIN (SELECT b.id_customer, MIN(b.id_address) AS id_address FROM {{t "address"}} b
           {{- if has "address" "deleted"}} WHERE b.deleted = 0{{end}} GROUP BY b.id_customer) f ON f.id_customer = c.id_customer
LEFT JOIN {{t "address"}} a ON a.id_address = f.id_address
LEFT JOIN {{t "country"}} n ON n.id_country = a.id_country
{{- end}}
{{- if has "customer" "is_guest"}}
WHERE c.is_guest = 0
{{- end}};

-- kindred: interactions
SELECT {{template "customer" "o"}}, d.product_id AS product, 'purchase' AS kind, CAST(NULL AS DECIMAL(5, 2)) AS value,
       SUM({{template "quantity" .}}) AS quantity, MIN(o.date_add) AS at, o.id_order AS order_id
FROM {{t "orders"}} o
JOIN {{t "order_detail"}} d ON d.id_order = o.id_order
JOIN {{t "product"}} p ON p.id_product = d.product_id
LEFT JOIN {{t "customer"}} c ON c.id_customer = o.id_customer
WHERE {{template "sold" .}} AND {{template "quantity" .}} > 0{{template "in-shop" .}}
GROUP BY o.id_order, o.id_customer{{if has "customer" "is_guest"}}, c.is_guest{{end}}, d.product_id
{{- if has "product_comment" "id_product" "id_customer" "grade" "validate" "date_add"}}
UNION ALL
SELECT {{template "customer" "r"}}, r.id_product, 'rating', CAST(r.grade AS DECIMAL(5, 2)), CAST(NULL AS DECIMAL(12, 4)), r.date_add, NULL
FROM {{t "product_comment"}} r
JOIN {{t "product"}} p ON p.id_product = r.id_product
LEFT JOIN {{t "customer"}} c ON c.id_customer = r.id_customer
WHERE r.validate = 1{{if has "product_comment" "deleted"}} AND r.deleted = 0{{end}} AND r.grade BETWEEN 1 AND 5
{{- end}};

{{- /* an order that is paid and on backorder is not valid yet */ -}}
{{- define "sold"}}((o.valid = 1
{{- if and (has "order_state" "id_order_state" "paid" "logable") (has "orders" "current_state")}} OR o.current_state IN (
  SELECT w.id_order_state FROM {{t "order_state"}} w WHERE w.paid = 1 AND w.logable = 0)
{{- end}})
{{- if and (has "configuration" "name" "value") (has "orders" "current_state")}}
  AND o.current_state NOT IN (SELECT CAST(g.value AS UNSIGNED) FROM {{t "configuration"}} g
                              WHERE g.name IN ('PS_OS_CANCELED', 'PS_OS_REFUND', 'PS_OS_ERROR') AND g.value IS NOT NULL)
{{- end}}){{end}}
{{- define "in-shop"}}{{if and (has "orders" "id_shop") (ne (get "store") "all")}}
  AND o.id_shop = {{v "store"}}{{end}}{{end}}
{{- define "shop"}}{{view "store"}}{{end}}
{{- /* a unit that comes back counts as refunded before the delivery and as returned after it, never as both */ -}}
{{- define "quantity"}}(CAST(d.product_quantity AS SIGNED) - CAST(COALESCE(d.product_quantity_refunded, 0) AS SIGNED){{if has "order_detail" "product_quantity_return"}} - CAST(COALESCE(d.product_quantity_return, 0) AS SIGNED){{end}}){{end}}
{{- define "customer"}}
{{- $key := "CONCAT('review-', r.id_product_comment)"}}{{if eq . "o"}}{{$key = "CONCAT('order-', o.id_order)"}}{{end}}
{{- if has "customer" "is_guest"}}CASE WHEN c.is_guest = 0 THEN c.id_customer END AS customer,
       CASE WHEN c.is_guest = 0 THEN NULL WHEN c.id_customer > 0 THEN CONCAT('guest-', c.id_customer) ELSE {{$key}} END AS session
{{- else}}c.id_customer AS customer, CASE WHEN c.id_customer > 0 THEN NULL ELSE {{$key}} END AS session{{end}}
{{- end}}
