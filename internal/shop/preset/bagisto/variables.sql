-- Where Bagisto keeps the values of the preset's variables: a default, and what there is to choose.

-- look up: default store
SELECT MIN(id) FROM {{t "channels"}}

-- look up: choices store
SELECT id, code FROM {{t "channels"}} ORDER BY id

-- look up: default language
{{if and (has "channels" "default_locale_id") (has "locales" "id" "code")}}
SELECT l.code FROM {{t "channels"}} c JOIN {{t "locales"}} l ON l.id = c.default_locale_id WHERE c.id = {{view "store"}}{{end}}

-- look up: choices language
SELECT DISTINCT locale FROM {{t "product_flat"}} WHERE locale IS NOT NULL ORDER BY 1

-- look up: default base_currency
{{if and (has "channels" "base_currency_id") (has "currencies" "id" "code")}}
SELECT u.code FROM {{t "channels"}} c JOIN {{t "currencies"}} u ON u.id = c.base_currency_id WHERE c.id = {{view "store"}}{{end}}

-- look up: default currency
{{if and (has "channels" "base_currency_id") (has "currencies" "id" "code")}}
SELECT u.code FROM {{t "channels"}} c JOIN {{t "currencies"}} u ON u.id = c.base_currency_id WHERE c.id = {{view "store"}}{{end}}

-- look up: choices currency
SELECT {{v "base_currency"}}{{if and (has "currency_exchange_rates" "target_currency" "rate") (has "currencies" "id" "code")}}
UNION SELECT u.code FROM {{t "currency_exchange_rates"}} x JOIN {{t "currencies"}} u ON u.id = x.target_currency WHERE x.rate > 0{{end}}


-- look up: left out
SELECT CONCAT('orders with the status ', o.status), COUNT(*) FROM {{t "orders"}} o WHERE o.status NOT IN ({{in "paid"}}) GROUP BY o.status
UNION ALL
SELECT 'lines of products that are gone', COUNT(*) FROM {{t "orders"}} o JOIN {{t "order_items"}} i ON i.order_id = o.id AND i.parent_id IS NULL
LEFT JOIN {{t "products"}} p ON p.id = i.product_id WHERE o.status IN ({{in "paid"}}) AND p.id IS NULL
{{- if and (has "orders" "channel_id") (ne (get "store") "all")}} AND o.channel_id = {{v "store"}}
UNION ALL
SELECT 'orders of other channels', COUNT(*) FROM {{t "orders"}} o WHERE o.status IN ({{in "paid"}}) AND o.channel_id <> {{v "store"}}
{{- end}}
