-- Where WooCommerce keeps the values of the preset's variables: a default, and what there is to choose.

-- look up: default polylang
{{if and (has "term_relationships" "object_id" "term_taxonomy_id") (has "term_taxonomy" "term_taxonomy_id" "term_id" "taxonomy") (has "terms" "term_id" "slug")}}
SELECT 'yes' FROM {{t "term_taxonomy"}} WHERE taxonomy = 'post_translations' LIMIT 1{{end}}

-- look up: default priced
{{if has "postmeta" "post_id" "meta_key" "meta_value"}}
SELECT 'yes' FROM {{t "postmeta"}} WHERE meta_key = '_price' AND meta_value <> '' LIMIT 1{{end}}

-- look up: default language
{{if has "icl_translations" "element_type" "language_code" "source_language_code"}}
SELECT language_code FROM {{t "icl_translations"}} WHERE element_type = 'post_product' AND source_language_code IS NULL
GROUP BY language_code ORDER BY COUNT(*) DESC, language_code LIMIT 1
{{- else if eq (get "polylang") "yes"}}
SELECT l.slug FROM {{template "languages" .}}
ORDER BY {{if has "options" "option_name" "option_value"}}COALESCE((SELECT MAX({{text "o.option_value"}} LIKE CONCAT('%"default_lang";s:', LENGTH(l.slug), ':"', l.slug, '"%'))
  FROM {{t "options"}} o WHERE o.option_name = 'polylang'), 0) DESC, {{end}}COUNT(*) DESC, l.slug LIMIT 1{{end}}
{{- define "languages"}}{{t "terms"}} l JOIN {{t "term_taxonomy"}} x ON x.term_id = l.term_id AND x.taxonomy = 'language'
JOIN {{t "term_relationships"}} r ON r.term_taxonomy_id = x.term_taxonomy_id
JOIN {{t "posts"}} p ON p.ID = r.object_id AND p.post_type = 'product' GROUP BY l.slug{{end}}

-- look up: choices language
{{if has "icl_translations" "element_type" "language_code"}}
SELECT DISTINCT language_code FROM {{t "icl_translations"}} WHERE element_type = 'post_product' ORDER BY 1
{{- else if eq (get "polylang") "yes"}}
SELECT l.slug FROM {{t "terms"}} l JOIN {{t "term_taxonomy"}} x ON x.term_id = l.term_id AND x.taxonomy = 'language' ORDER BY 1{{end}}

-- look up: default currency
{{if has "options" "option_name" "option_value"}}
SELECT option_value FROM {{t "options"}} WHERE option_name = 'woocommerce_currency' AND option_value <> ''{{end}}

-- look up: choices currency
{{if has "options" "option_name" "option_value"}}
SELECT option_value FROM {{t "options"}} WHERE option_name = 'woocommerce_currency' AND option_value <> ''{{end}}

-- look up: default paid
{{/* a status of the shop's own is a sale's if most of its orders have been paid */ -}}
{{- $items := has "wc_order_operational_data" "order_id" "date_paid_gmt"}}
{{- if or (has "postmeta" "post_id" "meta_key" "meta_value") (and $items (has "wc_orders" "id" "type" "status"))}}
SELECT CONCAT('wc-completed,wc-processing,', GROUP_CONCAT(s.status ORDER BY s.status)) FROM (
SELECT a.status FROM (
{{- if and $items (has "wc_orders" "id" "type" "status")}}
SELECT {{text "o.status"}} AS status, COUNT(*) AS orders, COUNT(d.date_paid_gmt) AS paid FROM {{t "wc_orders"}} o
LEFT JOIN {{t "wc_order_operational_data"}} d ON d.order_id = o.id WHERE o.type = 'shop_order' GROUP BY o.status
{{- if has "postmeta" "post_id" "meta_key" "meta_value"}} UNION ALL{{end}}{{end}}
{{- if has "postmeta" "post_id" "meta_key" "meta_value"}}
SELECT {{text "o.post_status"}} AS status, COUNT(DISTINCT o.ID) AS orders, COUNT(DISTINCT m.post_id) AS paid FROM {{t "posts"}} o
LEFT JOIN {{t "postmeta"}} m ON m.post_id = o.ID AND m.meta_key IN ('_date_paid', '_paid_date') AND m.meta_value <> ''
WHERE o.post_type = 'shop_order' GROUP BY o.post_status
{{- end}}) a
WHERE a.status REGEXP '^wc-[a-z0-9_-]+$' AND a.status NOT IN ('wc-completed', 'wc-processing', 'wc-pending', 'wc-on-hold',
  'wc-cancelled', 'wc-refunded', 'wc-failed', 'wc-checkout-draft')
GROUP BY a.status HAVING SUM(a.paid) * 2 > SUM(a.orders)) s{{end}}

-- look up: default source
{{- $items := and (has "woocommerce_order_items" "order_item_id" "order_id" "order_item_type") (has "woocommerce_order_itemmeta" "order_item_id" "meta_key" "meta_value")}}
SELECT s.name FROM (
{{- if and (has "wc_order_product_lookup" "order_id" "product_id" "product_qty") (has "wc_order_stats" "order_id" "parent_id" "status")}}
SELECT 'analytics' AS name, 1 AS place, (SELECT COUNT(DISTINCT l.order_id) FROM {{t "wc_order_product_lookup"}} l
  JOIN {{t "wc_order_stats"}} h ON h.order_id = l.order_id WHERE h.status IN ({{in "paid"}}) AND h.parent_id = 0) AS orders
UNION ALL{{end}}
{{- if and $items (has "wc_orders" "id" "type" "status" "customer_id" "parent_order_id" "date_created_gmt")}}
SELECT 'orders' AS name, {{if has "options" "option_name" "option_value"}}CASE WHEN (SELECT MAX(o.option_value) FROM {{t "options"}} o
  WHERE o.option_name = 'woocommerce_custom_orders_table_enabled') = 'no' THEN 4 ELSE 2 END{{else}}2{{end}} AS place,
  (SELECT COUNT(*) FROM {{t "wc_orders"}} h WHERE h.type = 'shop_order' AND h.status IN ({{in "paid"}})) AS orders
UNION ALL{{end}}
SELECT 'posts' AS name, {{if and $items (has "postmeta" "post_id" "meta_key" "meta_value")}}3 AS place,
  (SELECT COUNT(*) FROM {{t "posts"}} h WHERE h.post_type = 'shop_order' AND h.post_status IN ({{in "paid"}})) AS orders
{{- else}}9 AS place, -1 AS orders{{end}}) s
ORDER BY s.orders DESC, s.place LIMIT 1

-- look up: left out
{{- $there := "p.ID IS NULL OR p.post_type NOT IN ('product', 'product_variation') OR p.post_status IN ('trash', 'auto-draft')"}}
{{- if eq (get "source") "analytics"}}
SELECT CONCAT('orders with the status ', h.status), COUNT(*) FROM {{t "wc_order_stats"}} h
WHERE h.status NOT IN ({{in "paid"}}){{if has "wc_order_stats" "parent_id"}} AND h.parent_id = 0{{end}} GROUP BY h.status
UNION ALL
SELECT 'lines of products that are gone', COUNT(*) FROM {{t "wc_order_product_lookup"}} l
JOIN {{t "wc_order_stats"}} h ON h.order_id = l.order_id AND h.status IN ({{in "paid"}})
LEFT JOIN {{t "posts"}} p ON p.ID = l.product_id WHERE l.product_qty > 0 AND ({{$there}})
{{- else}}
SELECT CONCAT('orders with the status ', h.status), COUNT(*) FROM ({{template "order-rows" .}}) h
WHERE h.status NOT IN ({{in "paid"}}) GROUP BY h.status
UNION ALL
SELECT 'lines of products that are gone', COUNT(*) FROM {{t "woocommerce_order_items"}} l
JOIN ({{template "order-rows" .}}) h ON h.id = l.order_id AND h.status IN ({{in "paid"}})
JOIN {{t "woocommerce_order_itemmeta"}} d ON d.order_item_id = l.order_item_id AND d.meta_key = '_product_id'
LEFT JOIN {{t "posts"}} p ON p.ID = CAST(d.meta_value AS UNSIGNED)
WHERE l.order_item_type = 'line_item' AND ({{$there}})
{{- end}}
{{- define "order-rows"}}{{if eq (get "source") "orders"}}SELECT o.id, o.status FROM {{t "wc_orders"}} o WHERE o.type = 'shop_order' AND o.status NOT IN ('auto-draft', 'wc-checkout-draft')
{{- else}}SELECT o.ID AS id, o.post_status AS status FROM {{t "posts"}} o WHERE o.post_type = 'shop_order' AND o.post_status NOT IN ('auto-draft', 'wc-checkout-draft'){{end}}{{end}}
