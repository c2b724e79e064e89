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
