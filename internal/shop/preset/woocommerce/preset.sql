-- The id of a product is its post ID, which every page and event of the storefront has; a variation
-- counts as its product. A customer is the WordPress user; a guest keeps the key of the shop's
-- customer table (one e-mail address) or, without it, the order. Orders are read from {{template "source" .}},
-- which has the most sales.
{{- $lookup := eq (get "source") "analytics" -}}
{{- $people := filled "wc_customer_lookup" "customer_id" "user_id" -}}
{{- $hpos := eq (get "source") "orders" -}}
{{- $meta := has "usermeta" "user_id" "meta_key" "meta_value" -}}
{{- $guests := and $people (filled "wc_order_stats" "order_id" "customer_id") -}}
{{- $terms := and (has "term_relationships" "object_id" "term_taxonomy_id") (has "term_taxonomy" "term_id" "taxonomy") (has "terms" "name") -}}
{{- $translated := or (has "icl_translations" "element_type" "element_id" "trid" "language_code") (eq (get "polylang") "yes") }}

-- kindred: products
SELECT p.ID AS id,
       COALESCE(NULLIF(TRIM({{plain "p.post_title"}}), ''), CONCAT('product ', p.ID)) AS name,
{{- if $terms}}
       k.names AS categories,
       b.name AS brand,
{{- end}}
{{- if eq (get "priced") "yes"}}
       e.price,
{{- else if filled "wc_product_meta_lookup" "product_id" "min_price"}}
       CAST(l.min_price AS DECIMAL(12, 4)) AS price,
{{- end}}
       {{v "currency"}} AS currency,
       CASE WHEN p.post_status <> 'publish' THEN 0
{{- if eq (get "priced") "yes"}}
            WHEN e.price IS NULL THEN 0 -- WooCommerce sells nothing without a price
{{- end}}
{{- if $terms}}
            WHEN h.object_id IS NOT NULL THEN 0 -- hidden from the catalogue
{{- end}}
{{- if or (filled "wc_product_meta_lookup" "product_id" "stock_status") (has "postmeta" "post_id" "meta_key" "meta_value")}}
            WHEN l.stock_status = 'outofstock' THEN 0
{{- end}}
            ELSE 1 END AS available,
{{- if and (has "postmeta" "post_id" "meta_key" "meta_value")}}
       i.image,
{{- end}}
       CONCAT('/?p=', p.ID) AS url
FROM {{t "posts"}} p
{{- if filled "wc_product_meta_lookup" "product_id"}}
LEFT JOIN {{t "wc_product_meta_lookup"}} l ON l.product_id = p.ID
{{- else if has "postmeta" "post_id" "meta_key" "meta_value"}}
LEFT JOIN (SELECT m.post_id, MAX(m.meta_value) AS stock_status
           FROM {{t "postmeta"}} m WHERE m.meta_key = '_stock_status' GROUP BY m.post_id) l ON l.post_id = p.ID
{{- end}}
{{- if eq (get "priced") "yes"}}
-- a product with variations has the prices of several
LEFT JOIN (SELECT m.post_id, MIN(CAST(m.meta_value AS DECIMAL(12, 4))) AS price
           FROM {{t "postmeta"}} m WHERE m.meta_key = '_price' AND m.meta_value <> '' GROUP BY m.post_id) e ON e.post_id = p.ID
{{- end}}
{{- if $terms}}
LEFT JOIN (SELECT d.object_id, {{jsonlist "d.name"}} AS names
           FROM (SELECT DISTINCT r.object_id, {{plain "t.name"}} AS name
                 FROM {{t "term_relationships"}} r
                 JOIN {{t "term_taxonomy"}} x ON x.term_taxonomy_id = r.term_taxonomy_id AND x.taxonomy = 'product_cat'
                 JOIN {{t "terms"}} t ON t.term_id = x.term_id
                 {{- if has "options" "option_name" "option_value"}}
                 -- the category of what has none
                 WHERE t.term_id NOT IN (SELECT CAST(o.option_value AS UNSIGNED) FROM {{t "options"}} o
                                         WHERE o.option_name = 'default_product_cat')
                 {{- end}}) d
           GROUP BY d.object_id) k ON k.object_id = p.ID
LEFT JOIN (SELECT r.object_id, MIN({{plain "t.name"}}) AS name
           FROM {{t "term_relationships"}} r
           JOIN {{t "term_taxonomy"}} x ON x.term_taxonomy_id = r.term_taxonomy_id
            AND x.taxonomy IN ('product_brand', 'pwb-brand', 'yith_product_brand', 'pa_brand')
           JOIN {{t "terms"}} t ON t.term_id = x.term_id GROUP BY r.object_id) b ON b.object_id = p.ID
LEFT JOIN (SELECT DISTINCT r.object_id
           FROM {{t "term_relationships"}} r
           JOIN {{t "term_taxonomy"}} x ON x.term_taxonomy_id = r.term_taxonomy_id AND x.taxonomy = 'product_visibility'
           JOIN {{t "terms"}} t ON t.term_id = x.term_id AND t.name = 'exclude-from-catalog') h ON h.object_id = p.ID
{{- end}}
{{- if has "postmeta" "post_id" "meta_key" "meta_value"}}
LEFT JOIN (SELECT m.post_id, MAX(CONCAT('/wp-content/uploads/', f.meta_value)) AS image
           FROM {{t "postmeta"}} m
           JOIN {{t "postmeta"}} f ON f.post_id = CAST(m.meta_value AS UNSIGNED) AND f.meta_key = '_wp_attached_file'
           WHERE m.meta_key = '_thumbnail_id' GROUP BY m.post_id) i ON i.post_id = p.ID
{{- end}}
{{- if $translated}}
LEFT JOIN ({{template "originals" .}}) w ON w.translation = p.ID
{{- end}}
WHERE p.post_type = 'product' AND p.post_status IN ('publish', 'private', 'draft', 'pending', 'future')
{{- if $translated}}
  AND (w.original IS NULL OR w.original = p.ID) -- its translations count as it
{{- end}};
{{- if and $people (or $lookup (not $meta))}}

-- kindred: customers
SELECT c.user_id AS id, NULLIF(c.country, '') AS country, NULLIF(c.city, '') AS city
FROM {{t "wc_customer_lookup"}} c
WHERE c.user_id > 0;
{{- else if $meta}}

-- kindred: customers
SELECT m.user_id AS id, NULLIF(MAX(CASE WHEN m.meta_key = 'billing_country' THEN m.meta_value END), '') AS country,
       NULLIF(MAX(CASE WHEN m.meta_key = 'billing_city' THEN m.meta_value END), '') AS city
FROM {{t "usermeta"}} m WHERE m.meta_key IN ('billing_country', 'billing_city') GROUP BY m.user_id;
{{- end}}

-- kindred: interactions
{{- if $lookup}}
SELECT {{if $people}}NULLIF(c.user_id, 0){{else}}NULLIF(s.customer_id, 0){{end}} AS customer,
       CASE WHEN {{if $people}}c.user_id > 0{{else}}s.customer_id > 0{{end}} THEN NULL
            WHEN s.customer_id > 0 THEN CONCAT('guest-', s.customer_id)
            ELSE CONCAT('order-', s.order_id) END AS session,
       s.product, 'purchase' AS kind, CAST(NULL AS DECIMAL(5, 2)) AS value, s.quantity, s.at, s.order_id
FROM (SELECT h.order_id, MAX(h.customer_id) AS customer_id, {{template "product" .}} AS product,
             SUM(l.product_qty) AS quantity, MIN({{if has "wc_order_stats" "date_created_gmt"}}COALESCE(CASE WHEN h.date_created_gmt > '1970-01-02' THEN h.date_created_gmt END, h.date_created){{else}}h.date_created{{end}}) AS at
      FROM {{t "wc_order_product_lookup"}} l
      JOIN {{t "wc_order_stats"}} r ON r.order_id = l.order_id
      -- a refund is an order of its own with negative quantities: it counts against its parent
      JOIN {{t "wc_order_stats"}} h ON h.order_id = CASE WHEN l.product_qty < 0 AND r.parent_id > 0 THEN r.parent_id ELSE r.order_id END
      JOIN {{t "posts"}} p ON p.ID = l.product_id
      {{- template "translated" .}}
      WHERE h.status IN ({{in "paid"}})
      GROUP BY h.order_id, {{template "product" .}}
      HAVING SUM(l.product_qty) > 0) s
JOIN {{t "posts"}} q ON q.ID = s.product AND q.post_type = 'product' AND q.post_status IN ('publish', 'private', 'draft', 'pending', 'future')
{{- if $people}}
LEFT JOIN {{t "wc_customer_lookup"}} c ON c.customer_id = s.customer_id
{{- end}}
{{- else}}
SELECT NULLIF(s.customer_id, 0) AS customer,
       CASE WHEN s.customer_id > 0 THEN NULL
{{- if $guests}}
            WHEN g.customer_id > 0 THEN CONCAT('guest-', g.customer_id)
{{- end}}
            ELSE CONCAT('order-', s.order_id) END AS session,
       s.product, 'purchase' AS kind, CAST(NULL AS DECIMAL(5, 2)) AS value, s.quantity, s.at, s.order_id
FROM (SELECT h.id AS order_id, MAX(h.customer_id) AS customer_id, {{template "product" .}} AS product,
             SUM(CAST(y.meta_value AS DECIMAL(12, 4))) AS quantity, MIN(h.at) AS at
      FROM {{t "woocommerce_order_items"}} l
      JOIN {{t "woocommerce_order_itemmeta"}} d ON d.order_item_id = l.order_item_id AND d.meta_key = '_product_id'
      JOIN {{t "woocommerce_order_itemmeta"}} y ON y.order_item_id = l.order_item_id AND y.meta_key = '_qty'
      -- a refund is an order of its own with negative quantities: it counts against its parent
      JOIN (
      {{- if $hpos}}
            SELECT o.id AS item_order, o.id, o.customer_id, o.date_created_gmt AS at
            FROM {{t "wc_orders"}} o WHERE o.type = 'shop_order' AND o.status IN ({{in "paid"}})
            UNION ALL
            SELECT f.id, o.id, o.customer_id, o.date_created_gmt
            FROM {{t "wc_orders"}} f JOIN {{t "wc_orders"}} o ON o.id = f.parent_order_id
            WHERE f.type = 'shop_order_refund' AND o.status IN ({{in "paid"}})
      {{- else}}
            SELECT o.ID AS item_order, o.ID AS id, CAST(u.meta_value AS UNSIGNED) AS customer_id, o.post_date_gmt AS at
            FROM {{t "posts"}} o LEFT JOIN {{t "postmeta"}} u ON u.post_id = o.ID AND u.meta_key = '_customer_user'
            WHERE o.post_type = 'shop_order' AND o.post_status IN ({{in "paid"}})
            UNION ALL
            SELECT f.ID, o.ID, CAST(u.meta_value AS UNSIGNED), o.post_date_gmt
            FROM {{t "posts"}} f JOIN {{t "posts"}} o ON o.ID = f.post_parent
            LEFT JOIN {{t "postmeta"}} u ON u.post_id = o.ID AND u.meta_key = '_customer_user'
            WHERE f.post_type = 'shop_order_refund' AND o.post_status IN ({{in "paid"}})
      {{- end}}) h ON h.item_order = l.order_id
      JOIN {{t "posts"}} p ON p.ID = CAST(d.meta_value AS UNSIGNED)
      {{- template "translated" .}}
      WHERE l.order_item_type = 'line_item'
      GROUP BY h.id, {{template "product" .}}
      HAVING SUM(CAST(y.meta_value AS DECIMAL(12, 4))) > 0) s
JOIN {{t "posts"}} q ON q.ID = s.product AND q.post_type = 'product' AND q.post_status IN ('publish', 'private', 'draft', 'pending', 'future')
{{- if $guests}}
LEFT JOIN {{t "wc_order_stats"}} g ON g.order_id = s.order_id
{{- end}}
{{- end}}
{{- if and (has "comments" "comment_ID" "comment_post_ID" "comment_approved" "comment_type" "user_id") (has "commentmeta" "comment_id" "meta_key" "meta_value")}}
UNION ALL
SELECT NULLIF(m.user_id, 0), CASE WHEN m.user_id > 0 THEN NULL ELSE CONCAT('review-', m.comment_ID) END,
       q.ID, 'rating', CAST(r.meta_value AS DECIMAL(5, 2)), CAST(NULL AS DECIMAL(12, 4)), m.comment_date_gmt, NULL
FROM {{t "comments"}} m
JOIN {{t "commentmeta"}} r ON r.comment_id = m.comment_ID AND r.meta_key = 'rating' AND r.meta_value IN ('1', '2', '3', '4', '5')
JOIN {{t "posts"}} p ON p.ID = m.comment_post_ID
{{- template "translated" .}}
JOIN {{t "posts"}} q ON q.ID = {{template "product" .}} AND q.post_type = 'product' AND q.post_status IN ('publish', 'private', 'draft', 'pending', 'future')
WHERE m.comment_approved = '1' AND m.comment_type IN ('review', 'comment', '') -- as WooCommerce and WordPress have called a review
{{- end}};

{{- define "product"}}
{{- if or (has "icl_translations" "element_type" "element_id" "trid" "language_code") (eq (get "polylang") "yes")}}COALESCE(w.original, CASE WHEN p.post_type = 'product_variation' THEN p.post_parent ELSE p.ID END)
{{- else}}CASE WHEN p.post_type = 'product_variation' THEN p.post_parent ELSE p.ID END{{end}}
{{- end}}
{{- define "translated"}}
{{- if or (has "icl_translations" "element_type" "element_id" "trid" "language_code") (eq (get "polylang") "yes")}}
      LEFT JOIN ({{template "originals" .}}) w ON w.translation = CASE WHEN p.post_type = 'product_variation' THEN p.post_parent ELSE p.ID END
{{- end}}
{{- end}}
{{- /* each product with the one of its translations that is in the shop's language; grouped, so that it is made once */ -}}
{{- define "originals"}}
{{- if has "icl_translations" "element_type" "element_id" "trid" "language_code"}}SELECT a.element_id AS translation, MIN(o.element_id) AS original
           FROM {{t "icl_translations"}} a
           JOIN {{t "icl_translations"}} o ON o.trid = a.trid AND o.element_type = 'post_product' AND o.language_code = {{v "language"}}
           WHERE a.element_type = 'post_product' GROUP BY a.element_id
{{- else}}SELECT a.object_id AS translation, MIN(o.object_id) AS original
           FROM {{t "term_taxonomy"}} g
           JOIN {{t "term_relationships"}} a ON a.term_taxonomy_id = g.term_taxonomy_id
           JOIN {{t "term_relationships"}} o ON o.term_taxonomy_id = g.term_taxonomy_id
           JOIN {{t "term_relationships"}} r ON r.object_id = o.object_id
           JOIN {{t "term_taxonomy"}} x ON x.term_taxonomy_id = r.term_taxonomy_id AND x.taxonomy = 'language'
           JOIN {{t "terms"}} d ON d.term_id = x.term_id AND d.slug = {{v "language"}}
           WHERE g.taxonomy = 'post_translations' GROUP BY a.object_id
{{- end}}{{end}}
{{- define "source"}}{{if eq (get "source") "analytics"}}the analytics tables{{else if eq (get "source") "orders"}}the order tables{{else}}the posts{{end}}{{end}}
