-- The id of a product is its entity_id, which the storefront's pages have; a variant (simple
-- product) counts as its configurable or grouped product. The order is the key of a guest.
-- Names and prices are those of store view {{get "store"}}, or of the default scope if the store view has none.
-- Orders are those of all store views of its website. An order of a deleted store view belongs to the
-- default website.
{{- $row := "entity_id"}}{{if has "catalog_product_entity" "row_id"}}{{$row = "row_id"}}{{end}}
{{- $category := "entity_id"}}{{if has "catalog_category_entity" "row_id"}}{{$category = "row_id"}}{{end}}
{{- $parents := or (has "catalog_product_super_link" "product_id" "parent_id") (has "catalog_product_link" "product_id" "linked_product_id" "link_type_id")}}

-- kindred: products
SELECT p.entity_id AS id,
       COALESCE(NULLIF(TRIM(ns.value), ''), NULLIF(TRIM(n0.value), ''), NULLIF(p.sku, ''), CONCAT('product ', p.entity_id)) AS name,
{{- if has "catalog_category_product" "category_id" "product_id"}}
       k.names AS categories,
{{- end}}
{{- if has "eav_attribute_option_value" "option_id" "store_id" "value"}}
       b.name AS brand,
{{- end}}
       CAST(COALESCE(rs.value, r0.value{{if $parents}}, rc.value{{end}}){{template "rate" .}} AS DECIMAL(12, 4)) AS price,
       {{v "currency"}} AS currency,
       CASE WHEN COALESCE(ss.value, s0.value, 1) <> 1 THEN 0
{{- if has "cataloginventory_stock_item" "product_id" "is_in_stock"}}
            WHEN {{if has "cataloginventory_stock_item" "manage_stock" "use_config_manage_stock"}}CASE WHEN i.use_config_manage_stock = 0 THEN i.manage_stock ELSE {{if has "core_config_data" "path" "value"}}COALESCE((SELECT CAST(MAX(g.value) AS SIGNED) FROM {{t "core_config_data"}} g
                       WHERE g.path = 'cataloginventory/item_options/manage_stock' AND g.scope = 'default'), 1){{else}}1{{end}} END = 1 AND {{end}}i.is_in_stock = 0 THEN 0
{{- end}}
{{- if has "cataloginventory_stock_status" "product_id" "stock_id" "stock_status"}}
            WHEN x.stock_status = 0 THEN 0 -- such as all that it is chosen from is sold out
{{- end}}
{{- if filled "catalog_product_website" "product_id" "website_id"}}
            WHEN ({{template "website" .}}) > 0 AND w.product_id IS NULL THEN 0 -- not sold on this website
{{- end}}
            ELSE 1 END AS available,
       CONCAT('/catalog/product/view/id/', p.entity_id) AS url,
       CONCAT('/media/catalog/product', NULLIF(i0.value, 'no_selection')) AS image
FROM {{t "catalog_product_entity"}} p
LEFT JOIN {{t "catalog_product_entity_varchar"}} n0 ON n0.{{$row}} = p.{{$row}} AND n0.store_id = 0 AND n0.attribute_id = {{template "attribute-name" .}}
LEFT JOIN {{t "catalog_product_entity_varchar"}} ns ON ns.{{$row}} = p.{{$row}} AND ns.store_id = {{view "store"}} AND ns.store_id > 0 AND ns.attribute_id = {{template "attribute-name" .}}
LEFT JOIN {{t "catalog_product_entity_varchar"}} i0 ON i0.{{$row}} = p.{{$row}} AND i0.store_id = 0 AND i0.attribute_id = {{template "attribute-image" .}}
LEFT JOIN {{t "catalog_product_entity_int"}} s0 ON s0.{{$row}} = p.{{$row}} AND s0.store_id = 0 AND s0.attribute_id = {{template "attribute-status" .}}
LEFT JOIN {{t "catalog_product_entity_int"}} ss ON ss.{{$row}} = p.{{$row}} AND ss.store_id = {{view "store"}} AND ss.store_id > 0 AND ss.attribute_id = {{template "attribute-status" .}}
LEFT JOIN {{t "catalog_product_entity_int"}} v0 ON v0.{{$row}} = p.{{$row}} AND v0.store_id = 0 AND v0.attribute_id = {{template "attribute-visibility" .}}
LEFT JOIN {{t "catalog_product_entity_decimal"}} r0 ON r0.{{$row}} = p.{{$row}} AND r0.store_id = 0 AND r0.attribute_id = {{template "attribute-price" .}}
LEFT JOIN {{t "catalog_product_entity_decimal"}} rs ON rs.{{$row}} = p.{{$row}} AND rs.store_id = {{view "store"}} AND rs.store_id > 0 AND rs.attribute_id = {{template "attribute-price" .}}
{{- if $parents}}
LEFT JOIN (SELECT l.parent_id, MIN(d.value) AS value
           FROM ({{template "parents" .}}) l
           {{- if eq $row "row_id"}}
           JOIN {{t "catalog_product_entity"}} c ON c.entity_id = l.product_id AND c.created_in <= UNIX_TIMESTAMP() AND c.updated_in > UNIX_TIMESTAMP()
           JOIN {{t "catalog_product_entity_decimal"}} d ON d.row_id = c.row_id AND d.store_id = 0
           {{- else}}
           JOIN {{t "catalog_product_entity_decimal"}} d ON d.entity_id = l.product_id AND d.store_id = 0
           {{- end}} AND d.attribute_id = {{template "attribute-price" .}}
           GROUP BY l.parent_id) rc ON rc.parent_id = p.{{$row}}
{{- end}}
{{- if has "cataloginventory_stock_item" "product_id" "is_in_stock"}}
LEFT JOIN {{t "cataloginventory_stock_item"}} i ON i.product_id = p.entity_id AND i.stock_id = 1
{{- end}}
{{- if has "cataloginventory_stock_status" "product_id" "stock_id" "stock_status"}}
LEFT JOIN (SELECT a.product_id, MAX(a.stock_status) AS stock_status FROM {{t "cataloginventory_stock_status"}} a
           WHERE a.stock_id = 1 GROUP BY a.product_id) x ON x.product_id = p.entity_id
{{- end}}
{{- if filled "catalog_product_website" "product_id" "website_id"}}
LEFT JOIN {{t "catalog_product_website"}} w ON w.product_id = p.entity_id AND w.website_id = ({{template "website" .}})
{{- end}}
{{- if has "eav_attribute_option_value" "option_id" "store_id" "value"}}
LEFT JOIN (SELECT m.{{$row}}, MIN(o.value) AS name
           FROM {{t "catalog_product_entity_int"}} m
           JOIN {{t "eav_attribute_option_value"}} o ON o.option_id = m.value AND o.store_id = 0
           WHERE m.store_id = 0 AND m.attribute_id = {{template "attribute-manufacturer" .}}
           GROUP BY m.{{$row}}) b ON b.{{$row}} = p.{{$row}}
{{- end}}
{{- if has "catalog_category_product" "category_id" "product_id"}}
LEFT JOIN (SELECT d.product_id, {{jsonlist "d.name"}} AS names
           FROM (SELECT DISTINCT x.product_id, COALESCE(NULLIF(ks.value, ''), k0.value) AS name
                 FROM {{t "catalog_category_product"}} x
                 JOIN {{t "catalog_category_entity"}} e ON e.entity_id = x.category_id{{if has "catalog_category_entity" "level"}} AND (e.level > 1 OR e.level IS NULL){{end}}
                 JOIN {{t "catalog_category_entity_varchar"}} k0 ON k0.{{$category}} = e.{{$category}} AND k0.store_id = 0 AND k0.attribute_id = {{template "attribute-category" .}}
                 LEFT JOIN {{t "catalog_category_entity_varchar"}} ks ON ks.{{$category}} = e.{{$category}} AND ks.store_id = {{view "store"}} AND ks.store_id > 0
                  AND ks.attribute_id = {{template "attribute-category" .}}{{if eq $category "row_id"}}
                 WHERE e.created_in <= UNIX_TIMESTAMP() AND e.updated_in > UNIX_TIMESTAMP(){{end}}) d
           WHERE d.name <> '' GROUP BY d.product_id) k ON k.product_id = p.entity_id
{{- end}}
WHERE COALESCE(v0.value, 4) > 1 -- 1: only to be chosen within another product
{{- if eq $row "row_id"}}
  AND p.created_in <= UNIX_TIMESTAMP() AND p.updated_in > UNIX_TIMESTAMP()
{{- end}};
{{- block "customers" .}}
{{- if has "customer_entity" "entity_id"}}

-- kindred: customers
SELECT c.entity_id AS id
{{- if has "customer_address_entity" "entity_id" "country_id" "city"}}, NULLIF(a.country_id, '') AS country, NULLIF(a.city, '') AS city
{{- end}}
FROM {{t "customer_entity"}} c
{{- if has "customer_address_entity" "entity_id" "country_id" "city"}}
LEFT JOIN {{t "customer_address_entity"}} a ON a.entity_id = c.default_billing
{{- end}};
{{- end}}
{{- end}}

-- kindred: interactions
SELECT NULLIF(o.customer_id, 0) AS customer,
       CASE WHEN o.customer_id > 0 THEN NULL ELSE CONCAT('order-', o.entity_id) END AS session,
       {{template "product" .}} AS product, 'purchase' AS kind, CAST(NULL AS DECIMAL(5, 2)) AS value,
       SUM({{template "quantity" .}}) AS quantity, MIN(o.created_at) AS at, o.entity_id AS order_id
FROM {{t "sales_order"}} o
JOIN {{t "sales_order_item"}} i ON i.order_id = o.entity_id AND i.parent_item_id IS NULL
{{- template "rolled" "i.product_id"}}
WHERE o.state IN ({{in "paid"}}) AND {{template "quantity" .}} > 0
  AND {{template "shown" .}}
{{- template "in-store" .}}
GROUP BY o.entity_id, o.customer_id, {{template "product" .}}
{{- if and (has "review" "review_id" "status_id" "entity_id") (has "rating_option_vote" "review_id" "value" "entity_pk_value" "customer_id")}}
UNION ALL
SELECT NULLIF(MAX(f.customer_id), 0), CASE WHEN MAX(f.customer_id) > 0 THEN NULL ELSE CONCAT('review-', r.review_id) END,
       {{template "product" .}}, 'rating', CAST(AVG(f.value) AS DECIMAL(5, 2)), CAST(NULL AS DECIMAL(12, 4)), MIN(r.created_at), NULL
FROM {{t "review"}} r
JOIN {{t "rating_option_vote"}} f ON f.review_id = r.review_id AND f.value BETWEEN 1 AND 5
{{- template "rolled" "f.entity_pk_value"}}
WHERE r.status_id = 1 AND r.entity_id = 1 AND {{template "shown" .}}
GROUP BY r.review_id, {{template "product" .}}
{{- end}};

{{- define "attribute-name"}}{{template "attribute" pair "catalog_product" "name"}}{{end}}
{{- define "attribute-image"}}{{template "attribute" pair "catalog_product" "image"}}{{end}}
{{- define "attribute-status"}}{{template "attribute" pair "catalog_product" "status"}}{{end}}
{{- define "attribute-visibility"}}{{template "attribute" pair "catalog_product" "visibility"}}{{end}}
{{- define "attribute-price"}}{{template "attribute" pair "catalog_product" "price"}}{{end}}
{{- define "attribute-manufacturer"}}{{template "attribute" pair "catalog_product" "manufacturer"}}{{end}}
{{- define "attribute-category"}}{{template "attribute" pair "catalog_category" "name"}}{{end}}
{{- define "attribute"}}(SELECT MIN(a.attribute_id) FROM {{t "eav_attribute"}} a
      WHERE a.attribute_code = '{{index . 1}}' AND a.entity_type_id = {{if has "eav_entity_type" "entity_type_id" "entity_type_code"}}(SELECT MIN(e.entity_type_id) FROM {{t "eav_entity_type"}} e
                                                                          WHERE e.entity_type_code = '{{index . 0}}'){{else}}{{index (entities) (index . 0)}}{{end}})
{{- end}}
{{- define "website"}}{{if has "store" "store_id" "website_id"}}SELECT MAX(u.website_id) FROM {{t "store"}} u WHERE u.store_id = {{view "store"}}{{else}}0{{end}}{{end}}
{{- define "quantity"}}(i.qty_ordered - COALESCE(i.qty_canceled, 0) - COALESCE(i.qty_refunded, 0)){{end}}
{{- define "in-store"}}
{{- if filled "store" "store_id" "website_id"}}{{if ne (get "store") "all"}}
  AND (o.store_id IN (SELECT z.store_id FROM {{t "store"}} z WHERE z.website_id = ({{template "website" .}}))
  {{- if has "store_website" "website_id" "is_default"}}
       OR o.store_id IS NULL AND ({{template "website" .}}) = (SELECT MIN(f.website_id) FROM {{t "store_website"}} f WHERE f.is_default = 1)
  {{- end}})
{{- end}}{{end}}{{end}}
{{- define "parents"}}
{{- $super := has "catalog_product_super_link" "product_id" "parent_id"}}
{{- if $super}}SELECT s.product_id, s.parent_id FROM {{t "catalog_product_super_link"}} s{{end}}
{{- if has "catalog_product_link" "product_id" "linked_product_id" "link_type_id"}}{{if $super}} UNION {{end -}}
SELECT g.linked_product_id AS product_id, g.product_id AS parent_id FROM {{t "catalog_product_link"}} g WHERE g.link_type_id = 3{{end}}
{{- end}}
{{- define "product"}}{{if or (has "catalog_product_super_link" "product_id" "parent_id") (has "catalog_product_link" "product_id" "linked_product_id" "link_type_id")}}CASE WHEN COALESCE(v.value, 4) > 1 THEN p.entity_id ELSE j.entity_id END{{else}}p.entity_id{{end}}{{end}}
{{- define "rolled"}}
{{- $row := "entity_id"}}{{if has "catalog_product_entity" "row_id"}}{{$row = "row_id"}}{{end}}
JOIN {{t "catalog_product_entity"}} p ON p.entity_id = {{.}}{{if eq $row "row_id"}} AND p.created_in <= UNIX_TIMESTAMP() AND p.updated_in > UNIX_TIMESTAMP(){{end}}
LEFT JOIN {{t "catalog_product_entity_int"}} v ON v.{{$row}} = p.{{$row}} AND v.store_id = 0 AND v.attribute_id = {{template "attribute-visibility" .}}
{{- if or (has "catalog_product_super_link" "product_id" "parent_id") (has "catalog_product_link" "product_id" "linked_product_id" "link_type_id")}}
LEFT JOIN (SELECT l.product_id, MIN(q.entity_id) AS entity_id
           FROM ({{template "parents" .}}) l JOIN {{t "catalog_product_entity"}} q ON q.{{$row}} = l.parent_id
           LEFT JOIN {{t "catalog_product_entity_int"}} y ON y.{{$row}} = q.{{$row}} AND y.store_id = 0 AND y.attribute_id = {{template "attribute-visibility" .}}
           WHERE COALESCE(y.value, 4) > 1
           GROUP BY l.product_id) j ON j.product_id = p.entity_id AND COALESCE(v.value, 4) = 1
{{- end}}
{{- end}}
{{- define "shown"}}(COALESCE(v.value, 4) > 1{{if or (has "catalog_product_super_link" "product_id" "parent_id") (has "catalog_product_link" "product_id" "linked_product_id" "link_type_id")}} OR j.entity_id IS NOT NULL{{end}}){{end}}
{{- define "rate"}}{{if and (has "directory_currency_rate" "currency_from" "currency_to" "rate") (ne (get "currency") (get "base_currency"))}} * (SELECT x.rate FROM {{t "directory_currency_rate"}} x
            WHERE x.currency_from = {{v "base_currency"}} AND x.currency_to = {{v "currency"}}){{end}}{{end}}
