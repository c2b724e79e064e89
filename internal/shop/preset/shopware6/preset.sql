-- Ids are lower-case hexadecimal, as the Store API prints them. A variant counts as its parent. The
-- order is the key of a guest, because Shopware creates a customer for each guest order.
-- An order is a sale unless it was cancelled, or its payment failed, was cancelled or was refunded; one
-- that is still open is a sale when it has been paid, or when Shopware knows of no payment.
{{- $live := v "live_version"}}
{{- $paid := and (has "order_transaction" "order_id" "state_id") (has "state_machine_state" "id" "technical_name")}}

-- kindred: products
SELECT LOWER(HEX(p.id)) AS id,
       COALESCE(NULLIF(TRIM(l.name), ''), NULLIF(TRIM(y.name), ''), {{if has "product" "product_number"}}p.product_number, {{end}}LOWER(HEX(p.id))) AS name,
{{- if and (has "product_category" "product_id" "category_id") (has "category_translation" "category_id" "language_id" "name")}}
       k.names AS categories,
{{- end}}
{{- if has "product_manufacturer_translation" "product_manufacturer_id" "language_id" "name"}}
       b.name AS brand,
{{- end}}
{{- if and (has "product" "price") (has "currency" "id" "iso_code" "factor")}}
       CAST(COALESCE(NULLIF(JSON_UNQUOTE(JSON_EXTRACT(p.price, CONCAT('$.c', LOWER(HEX(u.id)), '.gross'))), 'null'),
                     NULLIF(JSON_UNQUOTE(JSON_EXTRACT(p.price, '$.cb7d2554b0ce847cd82f3ac9bd1c0dfca.gross')), 'null') * u.factor) AS DECIMAL(15, 4)) AS price,
{{- end}}
       {{v "currency"}} AS currency,
       CASE WHEN p.active = 0 OR p.active IS NULL THEN 0
{{- if filled "product_visibility" "product_id" "sales_channel_id"}}
            WHEN h.product_id IS NULL THEN 0 -- not in {{if eq (get "store") "all"}}any{{else}}this{{end}} sales channel
{{- end}}
{{- if has "product" "is_closeout"}}
            WHEN c.variants > 0 THEN c.available
            WHEN COALESCE(p.is_closeout, 0) = 0 THEN 1
            {{- if has "product" "available"}}
            WHEN p.available = 0 THEN 0
            {{- end}}
            WHEN {{template "stock" "p"}} > 0 THEN 1
            ELSE 0 END AS available,
{{- else}}
            ELSE 1 END AS available,
{{- end}}
       CONCAT('/detail/', LOWER(HEX(p.id))) AS url
FROM {{t "product"}} p
LEFT JOIN {{t "product_translation"}} l ON l.product_id = p.id AND l.product_version_id = p.version_id AND l.language_id = {{v "language"}}
LEFT JOIN (SELECT a.product_id, MIN(NULLIF(a.name, '')) AS name FROM {{t "product_translation"}} a
           WHERE a.product_version_id = {{$live}} GROUP BY a.product_id) y ON y.product_id = p.id
{{- if has "product" "is_closeout"}}
LEFT JOIN (SELECT a.parent_id, COUNT(*) AS variants, MAX(CASE WHEN COALESCE(a.active, q.active) = 1
                  AND (COALESCE(a.is_closeout, q.is_closeout, 0) = 0 OR {{template "stock" "a"}} > 0) THEN 1 ELSE 0 END) AS available
           FROM {{t "product"}} a JOIN {{t "product"}} q ON q.id = a.parent_id AND q.version_id = a.version_id
           WHERE a.version_id = {{$live}} GROUP BY a.parent_id) c ON c.parent_id = p.id
{{- end}}
{{- if has "product_manufacturer_translation" "product_manufacturer_id" "language_id" "name"}}
LEFT JOIN (SELECT a.product_manufacturer_id, COALESCE(MAX(CASE WHEN a.language_id = {{v "language"}} THEN NULLIF(a.name, '') END), MIN(NULLIF(a.name, ''))) AS name
           FROM {{t "product_manufacturer_translation"}} a GROUP BY a.product_manufacturer_id) b ON b.product_manufacturer_id = p.product_manufacturer_id
{{- end}}
{{- if and (has "product" "price") (has "currency" "id" "iso_code" "factor")}}
LEFT JOIN (SELECT a.id, a.factor FROM {{t "currency"}} a WHERE a.iso_code = {{v "currency"}} ORDER BY a.id LIMIT 1) u ON u.factor > 0
{{- end}}
{{- if filled "product_visibility" "product_id" "sales_channel_id"}}
LEFT JOIN (SELECT DISTINCT a.product_id FROM {{t "product_visibility"}} a{{if ne (get "store") "all"}} WHERE a.sales_channel_id = {{v "store"}}{{end}}) h ON h.product_id = p.id
{{- end}}
{{- if and (has "product_category" "product_id" "category_id") (has "category_translation" "category_id" "language_id" "name")}}
LEFT JOIN (SELECT d.product_id, {{jsonlist "d.name"}} AS names
           FROM (SELECT DISTINCT x.product_id, n.name
                 FROM {{t "product_category"}} x
                 JOIN (SELECT a.category_id, COALESCE(MAX(CASE WHEN a.language_id = {{v "language"}} THEN NULLIF(a.name, '') END), MIN(NULLIF(a.name, ''))) AS name
                       FROM {{t "category_translation"}} a GROUP BY a.category_id) n ON n.category_id = x.category_id
                 WHERE x.product_version_id = {{$live}} AND n.name <> '') d
           GROUP BY d.product_id) k ON k.product_id = p.id
{{- end}}
WHERE p.version_id = {{$live}} AND p.parent_id IS NULL;

-- kindred: customers
{{- $address := and (has "customer_address" "id" "country_id" "city") (has "country" "id" "iso") (has "customer" "default_billing_address_id")}}
SELECT LOWER(HEX(c.id)) AS id{{if $address}}, NULLIF(n.iso, '') AS country, NULLIF(a.city, '') AS city{{end}}
FROM {{t "customer"}} c
{{- if $address}}
LEFT JOIN {{t "customer_address"}} a ON a.id = c.default_billing_address_id
LEFT JOIN {{t "country"}} n ON n.id = a.country_id
{{- end}}
{{- if has "customer" "guest"}}
WHERE c.guest = 0
{{- end}};

-- kindred: interactions
SELECT {{template "customer" "o"}},
       LOWER(HEX(COALESCE(p.parent_id, p.id))) AS product, 'purchase' AS kind, CAST(NULL AS DECIMAL(5, 2)) AS value,
       SUM(d.quantity) AS quantity, MIN(o.{{template "date" .}}) AS at, LOWER(HEX(o.id)) AS order_id
FROM {{t "order"}} o
JOIN {{t "state_machine_state"}} z ON z.id = o.state_id AND z.technical_name IN ('completed', 'in_progress', 'open')
JOIN {{t "order_line_item"}} d ON d.order_id = o.id AND d.order_version_id = o.version_id AND d.product_id IS NOT NULL
 AND (d.type = 'product' OR d.type IS NULL) AND d.version_id = o.version_id
JOIN {{t "product"}} p ON p.id = d.product_id AND p.version_id = {{$live}}
LEFT JOIN {{t "order_customer"}} w ON w.order_id = o.id AND w.order_version_id = o.version_id AND w.version_id = o.version_id
LEFT JOIN {{t "customer"}} c ON c.id = w.customer_id
{{- if $paid}}
LEFT JOIN ({{template "payments" .}}) f ON f.order_id = o.id
{{- end}}
WHERE o.version_id = {{$live}}
{{- if $paid}}
  AND {{template "paid" .}}
{{- end}}
{{- if ne (get "store") "all"}}
  AND o.sales_channel_id = {{v "store"}}
{{- end}}
GROUP BY o.id, c.id{{if has "customer" "guest"}}, c.guest{{end}}, LOWER(HEX(COALESCE(p.parent_id, p.id)))
HAVING SUM(d.quantity) > 0
{{- if has "product_review" "id" "product_id" "customer_id" "points" "status"}}
UNION ALL
SELECT {{template "customer" "r"}},
       LOWER(HEX(COALESCE(p.parent_id, p.id))), 'rating', CAST(r.points AS DECIMAL(5, 2)), CAST(NULL AS DECIMAL(12, 4)), r.created_at, NULL
FROM {{t "product_review"}} r
JOIN {{t "product"}} p ON p.id = r.product_id AND p.version_id = {{$live}}
LEFT JOIN {{t "customer"}} c ON c.id = r.customer_id
WHERE r.status = 1 AND r.points BETWEEN 1 AND 5
{{- if and (ne (get "store") "all") (has "product_review" "sales_channel_id")}}
  AND r.sales_channel_id = {{v "store"}}
{{- end}}{{end}};

{{- define "stock"}}{{if has "product" "available_stock"}}COALESCE({{.}}.available_stock, {{.}}.stock, 0){{else}}COALESCE({{.}}.stock, 0){{end}}{{end}}
{{- define "date"}}{{if has "order" "order_date_time"}}order_date_time{{else}}order_date{{end}}{{end}}
{{- define "customer"}}
{{- $key := "CONCAT('review-', LOWER(HEX(r.id)))"}}{{if eq . "o"}}{{$key = "CONCAT('order-', LOWER(HEX(o.id)))"}}{{end}}
{{- if has "customer" "guest"}}CASE WHEN c.guest = 0 THEN LOWER(HEX(c.id)) END AS customer, CASE WHEN c.guest = 0 THEN NULL ELSE {{$key}} END AS session
{{- else}}LOWER(HEX(c.id)) AS customer, CASE WHEN c.id IS NOT NULL THEN NULL ELSE {{$key}} END AS session{{end}}
{{- end}}
{{- define "paid"}}(f.order_id IS NULL OR f.paid = 1 OR f.waiting = 1 AND z.technical_name <> 'open'){{end}}
{{- define "payments"}}SELECT b.order_id, GROUP_CONCAT(DISTINCT e.technical_name ORDER BY e.technical_name SEPARATOR ' and ') AS states,
                  MAX(CASE WHEN e.technical_name IN ('paid', 'paid_partially', 'authorized', 'refunded_partially') THEN 1 ELSE 0 END) AS paid,
                  MAX(CASE WHEN e.technical_name IN ('open', 'in_progress', 'reminded', 'unconfirmed') THEN 1 ELSE 0 END) AS waiting
           FROM {{t "order_transaction"}} b JOIN {{t "state_machine_state"}} e ON e.id = b.state_id
           WHERE b.version_id = {{v "live_version"}} GROUP BY b.order_id{{end}}
