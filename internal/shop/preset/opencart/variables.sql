-- Where OpenCart keeps the values of the preset's variables: a default, and what there is to choose.

-- look up: choices store
SELECT 0, 'default'{{if has "store" "store_id" "name"}} UNION ALL SELECT store_id, name FROM {{t "store"}}{{end}}

-- look up: default language
{{if and (has "setting" "key" "value" "store_id") (has "language" "language_id" "code")}}
SELECT l.language_id FROM {{t "setting"}} g JOIN {{t "language"}} l ON l.code = {{text "g.value"}}
WHERE g.store_id = 0 AND g.`key` IN ('config_language_catalog', 'config_language') ORDER BY g.`key` DESC LIMIT 1
{{- else}}SELECT MIN(language_id) FROM {{t "product_description"}}{{end}}

-- look up: choices language
{{if has "language" "language_id" "name"}}SELECT language_id, name FROM {{t "language"}} ORDER BY language_id
{{- else}}SELECT DISTINCT language_id FROM {{t "product_description"}} ORDER BY 1{{end}}

-- look up: default currency
{{if has "setting" "key" "value" "store_id"}}
SELECT value FROM {{t "setting"}} WHERE store_id = 0 AND `key` = 'config_currency' LIMIT 1
{{- else if has "currency" "code" "value"}}SELECT code FROM {{t "currency"}} WHERE value = 1 LIMIT 1{{end}}

-- look up: choices currency
{{if has "currency" "code" "value"}}SELECT code FROM {{t "currency"}} ORDER BY currency_id{{end}}

-- look up: default paid
{{if and (has "setting" "key" "value" "store_id") (has "order_status" "order_status_id")}}
SELECT GROUP_CONCAT(DISTINCT s.order_status_id ORDER BY s.order_status_id)
FROM {{t "order_status"}} s JOIN {{t "setting"}} g ON g.store_id = 0
 AND (g.`key` IN ('config_processing_status', 'config_complete_status') AND g.value LIKE CONCAT('%"', s.order_status_id, '"%')
      -- OpenCart 1.5 names one state
      OR g.`key` = 'config_complete_status_id' AND (g.value = s.order_status_id OR s.order_status_id IN (2, 3, 5, 15)))
WHERE s.order_status_id <> 12 AND s.order_status_id <> COALESCE((SELECT MAX(n.value) FROM {{t "setting"}} n
  WHERE n.store_id = 0 AND n.`key` = 'config_order_status_id'), '1'){{end}}


-- look up: left out
{{- $name := has "order_status" "order_status_id" "language_id" "name"}}
SELECT CASE WHEN o.order_status_id = 0 THEN 'orders that were never confirmed' ELSE CONCAT('orders with the status ', {{if $name}}COALESCE(n.name, o.order_status_id){{else}}o.order_status_id{{end}}) END, COUNT(*)
FROM {{t "order"}} o
{{- if $name}}
LEFT JOIN (SELECT s.order_status_id, COALESCE(MAX(CASE WHEN s.language_id = {{v "language"}} THEN s.name END), MAX(s.name)) AS name
           FROM {{t "order_status"}} s GROUP BY s.order_status_id) n ON n.order_status_id = o.order_status_id
{{- end}}
WHERE o.order_status_id NOT IN ({{in "paid"}}) GROUP BY 1
UNION ALL
SELECT 'lines of products that are gone', COUNT(*) FROM {{t "order"}} o JOIN {{t "order_product"}} d ON d.order_id = o.order_id
LEFT JOIN {{t "product"}} p ON p.product_id = d.product_id
WHERE o.order_status_id IN ({{in "paid"}}) AND p.product_id IS NULL
{{- if and (has "order" "store_id") (ne (get "store") "all")}} AND o.store_id = {{v "store"}}
UNION ALL
SELECT 'orders of other stores', COUNT(*) FROM {{t "order"}} o WHERE o.order_status_id IN ({{in "paid"}}) AND o.store_id <> {{v "store"}}
{{- end}}
