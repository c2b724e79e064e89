-- Where PrestaShop keeps the values of the preset's variables: a default, and what there is to choose.

-- look up: default store
{{if has "configuration" "name" "value"}}SELECT value FROM {{t "configuration"}} WHERE name = 'PS_SHOP_DEFAULT' AND value <> ''
ORDER BY {{if has "configuration" "id_shop"}}id_shop IS NULL DESC, id_shop,{{end}} id_configuration LIMIT 1{{end}}

-- look up: choices store
{{if has "shop" "id_shop" "name"}}SELECT id_shop, name FROM {{t "shop"}} ORDER BY id_shop
{{- else}}SELECT DISTINCT id_shop FROM {{t "product_shop"}} ORDER BY 1{{end}}

-- look up: default language
{{if has "configuration" "name" "value"}}SELECT value FROM {{t "configuration"}} WHERE name = 'PS_LANG_DEFAULT' AND value <> ''
ORDER BY {{if has "configuration" "id_shop"}}COALESCE(id_shop = {{view "store"}}, 0) DESC, id_shop IS NULL DESC,{{end}} id_configuration LIMIT 1{{end}}

-- look up: choices language
{{if has "lang" "id_lang" "name"}}SELECT id_lang, name FROM {{t "lang"}} ORDER BY id_lang
{{- else}}SELECT DISTINCT id_lang FROM {{t "product_lang"}} ORDER BY 1{{end}}

-- look up: default currency
{{if and (has "configuration" "name" "value") (has "currency" "id_currency" "iso_code")}}
SELECT c.iso_code FROM {{t "configuration"}} g JOIN {{t "currency"}} c ON c.id_currency = CAST(g.value AS UNSIGNED)
WHERE g.name = 'PS_CURRENCY_DEFAULT' ORDER BY {{if has "configuration" "id_shop"}}COALESCE(g.id_shop = {{view "store"}}, 0) DESC, g.id_shop IS NULL DESC,{{end}} g.id_configuration LIMIT 1
{{- else if has "currency" "id_currency" "iso_code"}}SELECT iso_code FROM {{t "currency"}} ORDER BY id_currency LIMIT 1{{end}}

-- look up: choices currency
{{if has "currency" "id_currency" "iso_code"}}SELECT iso_code FROM {{t "currency"}} ORDER BY id_currency{{end}}


-- look up: left out
{{- $state := and (has "orders" "current_state") (has "order_state_lang" "id_order_state" "id_lang" "name")}}
SELECT {{if $state}}CONCAT('orders in state ', COALESCE(n.name, o.current_state)){{else}}'orders that are not valid'{{end}}, COUNT(*) FROM {{t "orders"}} o
{{- if $state}}
LEFT JOIN {{t "order_state_lang"}} n ON n.id_order_state = o.current_state AND n.id_lang = {{v "language"}}
{{- end}}
WHERE NOT {{template "sold" .}} GROUP BY 1
UNION ALL
SELECT 'lines of products that are gone', COUNT(*) FROM {{t "orders"}} o JOIN {{t "order_detail"}} d ON d.id_order = o.id_order
LEFT JOIN {{t "product"}} p ON p.id_product = d.product_id WHERE {{template "sold" .}} AND p.id_product IS NULL{{template "in-shop" .}}
{{- if and (has "orders" "id_shop") (ne (get "store") "all")}}
UNION ALL
SELECT 'orders of other shops', COUNT(*) FROM {{t "orders"}} o WHERE {{template "sold" .}} AND o.id_shop <> {{v "store"}}
{{- end}}
