-- Where WooCommerce keeps the values of the preset's variables: a default, and what there is to choose.

-- look up: default language
{{if has "icl_translations" "element_type" "language_code" "source_language_code"}}
SELECT language_code FROM {{t "icl_translations"}} WHERE element_type = 'post_product' AND source_language_code IS NULL
GROUP BY language_code ORDER BY COUNT(*) DESC, language_code LIMIT 1{{end}}

-- look up: choices language
{{if has "icl_translations" "element_type" "language_code"}}
SELECT DISTINCT language_code FROM {{t "icl_translations"}} WHERE element_type = 'post_product' ORDER BY 1{{end}}

-- look up: default currency
{{if has "options" "option_name" "option_value"}}
SELECT option_value FROM {{t "options"}} WHERE option_name = 'woocommerce_currency' AND option_value <> ''{{end}}

-- look up: choices currency
{{if has "options" "option_name" "option_value"}}
SELECT option_value FROM {{t "options"}} WHERE option_name = 'woocommerce_currency' AND option_value <> ''{{end}}
