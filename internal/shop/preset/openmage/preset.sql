{{/* Customers and their addresses are attributes here. */}}
{{- define "customers"}}
{{- if has "customer_entity" "entity_id"}}
{{- $address := and (has "customer_entity_int" "entity_id" "attribute_id" "value") (has "customer_address_entity_varchar" "entity_id" "attribute_id" "value")}}

-- kindred: customers
SELECT c.entity_id AS id{{if $address}}, NULLIF(n.value, '') AS country, NULLIF(y.value, '') AS city{{end}}
FROM {{t "customer_entity"}} c
{{- if $address}}
LEFT JOIN {{t "customer_entity_int"}} b ON b.entity_id = c.entity_id AND b.attribute_id = {{template "attribute" pair "customer" "default_billing"}}
LEFT JOIN {{t "customer_address_entity_varchar"}} n ON n.entity_id = b.value AND n.attribute_id = {{template "attribute" pair "customer_address" "country_id"}}
LEFT JOIN {{t "customer_address_entity_varchar"}} y ON y.entity_id = b.value AND y.attribute_id = {{template "attribute" pair "customer_address" "city"}}
{{- end}};
{{- end}}
{{- end}}
