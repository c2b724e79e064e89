-- Where Shopware keeps the values of the preset's variables: a default, and what there is to choose.

-- look up: choices store
{{if has "sales_channel" "id"}}SELECT LOWER(HEX(c.id))
{{- if has "sales_channel_translation" "sales_channel_id" "name"}}, (SELECT MIN(n.name) FROM {{t "sales_channel_translation"}} n
 WHERE n.sales_channel_id = c.id){{end}} FROM {{t "sales_channel"}} c ORDER BY 1
{{- else}}SELECT DISTINCT LOWER(HEX(sales_channel_id)) FROM {{t "order"}} ORDER BY 1{{end}}

-- look up: default language
SELECT LOWER(HEX(language_id)) FROM {{t "product_translation"}} GROUP BY language_id
ORDER BY language_id = 0x2fbb5fe2e29a4d70aa5854ce7ce3e20b DESC, COUNT(*) DESC, language_id LIMIT 1

-- look up: choices language
{{if has "language" "id" "name"}}SELECT LOWER(HEX(id)), name FROM {{t "language"}} ORDER BY 1
{{- else}}SELECT DISTINCT LOWER(HEX(language_id)) FROM {{t "product_translation"}} ORDER BY 1{{end}}

-- look up: default currency
{{if has "currency" "id" "iso_code" "factor"}}SELECT iso_code FROM {{t "currency"}}
ORDER BY id = 0xb7d2554b0ce847cd82f3ac9bd1c0dfca DESC, factor = 1 DESC, id LIMIT 1{{end}}

-- look up: choices currency
{{if has "currency" "id" "iso_code"}}SELECT iso_code FROM {{t "currency"}} ORDER BY iso_code{{end}}

-- look up: default live_version
SELECT LOWER(HEX(version_id)) FROM {{t "product"}} GROUP BY version_id
ORDER BY version_id = 0x0fa91ce3e96a4bc2be4bd9ce752c3425 DESC, COUNT(*) DESC, version_id LIMIT 1


-- look up: left out
{{- $paid := and (has "order_transaction" "order_id" "state_id") (has "state_machine_state" "id" "technical_name")}}
SELECT CONCAT('orders in state ', z.technical_name{{if $paid}}, COALESCE(CONCAT(' with payment ', f.states), ''){{end}}), COUNT(*)
FROM {{t "order"}} o JOIN {{t "state_machine_state"}} z ON z.id = o.state_id
{{- if $paid}}
LEFT JOIN ({{template "payments" .}}) f ON f.order_id = o.id
{{- end}}
WHERE o.version_id = {{v "live_version"}}
  AND NOT (z.technical_name IN ('completed', 'in_progress', 'open'){{if $paid}} AND {{template "paid" .}}{{end}}) GROUP BY 1
UNION ALL
SELECT 'lines of products that are gone', COUNT(*) FROM {{t "order"}} o
JOIN {{t "state_machine_state"}} z ON z.id = o.state_id AND z.technical_name IN ('completed', 'in_progress', 'open')
{{- if $paid}}
LEFT JOIN ({{template "payments" .}}) f ON f.order_id = o.id
{{- end}}
JOIN {{t "order_line_item"}} d ON d.order_id = o.id AND d.order_version_id = o.version_id AND d.version_id = o.version_id
LEFT JOIN {{t "product"}} p ON p.id = d.product_id AND p.version_id = {{v "live_version"}}
WHERE o.version_id = {{v "live_version"}} AND d.type = 'product' AND p.id IS NULL{{if $paid}} AND {{template "paid" .}}{{end}}
{{- if ne (get "store") "all"}} AND o.sales_channel_id = {{v "store"}}
UNION ALL
SELECT 'orders of other sales channels', COUNT(*) FROM {{t "order"}} o
JOIN {{t "state_machine_state"}} z ON z.id = o.state_id AND z.technical_name IN ('completed', 'in_progress', 'open')
{{- if $paid}}
LEFT JOIN ({{template "payments" .}}) f ON f.order_id = o.id
{{- end}}
WHERE o.version_id = {{v "live_version"}}{{if $paid}} AND {{template "paid" .}}{{end}} AND o.sales_channel_id <> {{v "store"}}
{{- end}}
