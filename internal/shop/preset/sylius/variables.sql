-- Where Sylius keeps the values of the preset's variables: a default, and what there is to choose.

-- look up: default store
SELECT id FROM {{t "sylius_channel"}} ORDER BY {{if has "sylius_channel" "enabled"}}enabled DESC, {{end}}id LIMIT 1

-- look up: choices store
SELECT id, code FROM {{t "sylius_channel"}} ORDER BY id

-- look up: default language
{{if and (has "sylius_channel" "default_locale_id") (has "sylius_locale" "id" "code")}}
SELECT l.code FROM {{t "sylius_channel"}} c JOIN {{t "sylius_locale"}} l ON l.id = c.default_locale_id WHERE c.id = {{view "store"}}
{{- else}}SELECT locale FROM {{t "sylius_product_translation"}} GROUP BY locale ORDER BY COUNT(*) DESC, locale LIMIT 1{{end}}

-- look up: choices language
SELECT DISTINCT locale FROM {{t "sylius_product_translation"}} ORDER BY 1

-- look up: default currency
{{if and (has "sylius_channel" "base_currency_id") (has "sylius_currency" "id" "code")}}
SELECT u.code FROM {{t "sylius_channel"}} c JOIN {{t "sylius_currency"}} u ON u.id = c.base_currency_id WHERE c.id = {{view "store"}}{{end}}

-- look up: choices currency
{{if and (has "sylius_channel" "base_currency_id") (has "sylius_currency" "id" "code")}}
SELECT u.code FROM {{t "sylius_channel"}} c JOIN {{t "sylius_currency"}} u ON u.id = c.base_currency_id WHERE c.id = {{view "store"}}{{end}}


-- look up: left out
SELECT CONCAT('orders in state ', o.state, ' with payment ', o.payment_state), COUNT(*) FROM {{t "sylius_order"}} o
WHERE o.state <> 'cart' AND NOT (o.state IN ('new', 'fulfilled') AND o.payment_state IN ({{in "paid"}})) GROUP BY o.state, o.payment_state
{{- if ne (get "store") "all"}}
UNION ALL
SELECT 'orders of other channels', COUNT(*) FROM {{t "sylius_order"}} o
WHERE o.state IN ('new', 'fulfilled') AND o.payment_state IN ({{in "paid"}}) AND o.channel_id <> {{v "store"}}
{{- end}}
