-- Where Magento keeps the values of the preset's variables: a default, and what there is to choose.

-- look up: default store
{{if and (has "store_website" "default_group_id" "is_default") (has "store_group" "group_id" "default_store_id")}}
SELECT g.default_store_id FROM {{t "store_website"}} w JOIN {{t "store_group"}} g ON g.group_id = w.default_group_id
WHERE w.is_default = 1 AND g.default_store_id > 0 ORDER BY w.website_id LIMIT 1
{{- else if has "store" "store_id"}}
SELECT MIN(store_id) FROM {{t "store"}} WHERE store_id > 0{{end}}

-- look up: choices store
{{if has "store" "store_id" "name"}}
SELECT store_id, name FROM {{t "store"}} WHERE store_id > 0 ORDER BY store_id{{end}}

-- look up: default base_currency
{{/* an installation that was given no currency keeps none, and has US dollars */ -}}
SELECT c.code FROM (
{{- if has "core_config_data" "path" "scope" "value"}}
SELECT {{text "g.value"}} AS code, 1 AS place, 0 AS orders FROM {{t "core_config_data"}} g
WHERE g.path = 'currency/options/base' AND g.scope = 'default' AND g.value <> ''
UNION ALL{{end}}
{{- if has "sales_order" "base_currency_code"}}
SELECT {{text "o.base_currency_code"}} AS code, 2 AS place, COUNT(*) AS orders FROM {{t "sales_order"}} o
WHERE o.base_currency_code <> '' GROUP BY o.base_currency_code
UNION ALL{{end}}
SELECT 'USD' AS code, 3 AS place, 0 AS orders) c ORDER BY c.place, c.orders DESC, c.code LIMIT 1

-- look up: default currency
SELECT {{v "base_currency"}}

-- look up: choices currency
SELECT {{v "base_currency"}}{{if has "directory_currency_rate" "currency_from" "currency_to" "rate"}}
UNION SELECT currency_to FROM {{t "directory_currency_rate"}} WHERE currency_from = {{v "base_currency"}} AND rate > 0{{end}}

-- look up: left out
SELECT CONCAT('orders in state ', o.state), COUNT(*) FROM {{t "sales_order"}} o WHERE o.state NOT IN ({{in "paid"}}) GROUP BY o.state
UNION ALL
SELECT 'lines of products that are gone', COUNT(*) FROM {{t "sales_order"}} o
JOIN {{t "sales_order_item"}} i ON i.order_id = o.entity_id AND i.parent_item_id IS NULL
LEFT JOIN {{t "catalog_product_entity"}} p ON p.entity_id = i.product_id
WHERE o.state IN ({{in "paid"}}) AND p.entity_id IS NULL
{{- template "in-store" .}}
{{- if and (filled "store" "store_id" "website_id") (ne (get "store") "all")}}
UNION ALL
SELECT 'orders of other websites', SUM(CASE WHEN 1 = 1{{template "in-store" .}} THEN 0 ELSE 1 END) FROM {{t "sales_order"}} o
WHERE o.state IN ({{in "paid"}})
{{- end}}
