-- The id of a product is its code, which Sylius's API uses; an order's line names a variant, which
-- counts as its product. A customer without an account is a guest, whose key is the customer's row.

-- kindred: products
SELECT p.code AS id,
       COALESCE(NULLIF(TRIM(l.name), ''), NULLIF(TRIM(y.name), ''), p.code) AS name,
{{- if and (has "sylius_product_taxon" "product_id" "taxon_id") (has "sylius_taxon_translation" "translatable_id" "locale" "name")}}
       k.names AS categories,
{{- end}}
{{- if has "sylius_channel_pricing" "product_variant_id" "channel_code" "price"}}
       CAST(r.price / 100 AS DECIMAL(15, 2)) AS price, -- the smallest of its variants'
{{- end}}
       {{v "currency"}} AS currency,
       CASE WHEN p.enabled <> 1 THEN 0
{{- if filled "sylius_product_channels" "product_id" "channel_id"}}
            WHEN h.product_id IS NULL THEN 0 -- not in this channel
{{- end}}
            ELSE COALESCE(s.available, 0) END AS available,
       CONCAT('/', {{v "language"}}, '/products/', l.slug) AS url
FROM {{t "sylius_product"}} p
LEFT JOIN {{t "sylius_product_translation"}} l ON l.translatable_id = p.id AND l.locale = {{v "language"}}
LEFT JOIN (SELECT a.translatable_id, MIN(NULLIF(a.name, '')) AS name FROM {{t "sylius_product_translation"}} a
           GROUP BY a.translatable_id) y ON y.translatable_id = p.id
LEFT JOIN (SELECT a.product_id, MAX(CASE WHEN {{if has "sylius_product_variant" "enabled"}}a.enabled = 0 THEN 0 WHEN {{end}}a.tracked = 1 AND a.on_hand - a.on_hold <= 0 THEN 0 ELSE 1 END) AS available
           FROM {{t "sylius_product_variant"}} a GROUP BY a.product_id) s ON s.product_id = p.id
{{- if filled "sylius_product_channels" "product_id" "channel_id"}}
LEFT JOIN {{t "sylius_product_channels"}} h ON h.product_id = p.id AND h.channel_id = {{view "store"}}
{{- end}}
{{- if has "sylius_channel_pricing" "product_variant_id" "channel_code" "price"}}
LEFT JOIN (SELECT a.product_id, MIN(b.price) AS price
           FROM {{t "sylius_product_variant"}} a JOIN {{t "sylius_channel_pricing"}} b ON b.product_variant_id = a.id
           WHERE b.channel_code = (SELECT {{text "q.code"}} FROM {{t "sylius_channel"}} q WHERE q.id = {{view "store"}})
           GROUP BY a.product_id) r ON r.product_id = p.id
{{- end}}
{{- if and (has "sylius_product_taxon" "product_id" "taxon_id") (has "sylius_taxon_translation" "translatable_id" "locale" "name")}}
LEFT JOIN (SELECT d.product_id, {{jsonlist "d.name"}} AS names
           FROM (SELECT DISTINCT x.product_id, n.name
                 FROM {{t "sylius_product_taxon"}} x
                 JOIN {{t "sylius_taxon_translation"}} n ON n.translatable_id = x.taxon_id AND n.locale = {{v "language"}}
                 WHERE n.name <> '') d
           GROUP BY d.product_id) k ON k.product_id = p.id
{{- end}};

-- kindred: customers
SELECT c.id{{if has "sylius_address" "id" "country_code" "city"}}, NULLIF(a.country_code, '') AS country, NULLIF(a.city, '') AS city{{end}}
FROM {{t "sylius_customer"}} c
JOIN {{t "sylius_shop_user"}} u ON u.customer_id = c.id
{{- if has "sylius_address" "id" "country_code" "city"}}
LEFT JOIN {{t "sylius_address"}} a ON a.id = c.default_address_id
{{- end}};

-- kindred: interactions
SELECT u.customer_id AS customer,
       CASE WHEN u.customer_id IS NOT NULL THEN NULL WHEN o.customer_id > 0 THEN CONCAT('guest-', o.customer_id) ELSE CONCAT('order-', o.id) END AS session,
       p.code AS product, 'purchase' AS kind, CAST(NULL AS DECIMAL(5, 2)) AS value,
       SUM(i.quantity) AS quantity, MIN(COALESCE(o.checkout_completed_at, o.created_at)) AS at, o.id AS order_id
FROM {{t "sylius_order"}} o
JOIN {{t "sylius_order_item"}} i ON i.order_id = o.id
JOIN {{t "sylius_product_variant"}} v ON v.id = i.variant_id
JOIN {{t "sylius_product"}} p ON p.id = v.product_id
LEFT JOIN {{t "sylius_shop_user"}} u ON u.customer_id = o.customer_id
WHERE o.state IN ('new', 'fulfilled') AND o.payment_state IN ({{in "paid"}})
{{- if ne (get "store") "all"}}
  AND o.channel_id = {{v "store"}}
{{- end}}
GROUP BY o.id, o.customer_id, u.customer_id, p.code
HAVING SUM(i.quantity) > 0
{{- if has "sylius_product_review" "product_id" "author_id" "rating" "status"}}
UNION ALL
SELECT u.customer_id, CASE WHEN u.customer_id IS NOT NULL THEN NULL WHEN r.author_id > 0 THEN CONCAT('guest-', r.author_id) ELSE CONCAT('review-', r.id) END,
       p.code, 'rating', CAST(r.rating AS DECIMAL(5, 2)), CAST(NULL AS DECIMAL(12, 4)), r.created_at, NULL
FROM {{t "sylius_product_review"}} r
JOIN {{t "sylius_product"}} p ON p.id = r.product_id
LEFT JOIN {{t "sylius_shop_user"}} u ON u.customer_id = r.author_id
WHERE r.status = 'accepted' AND r.rating BETWEEN 1 AND 5
{{- end}};
