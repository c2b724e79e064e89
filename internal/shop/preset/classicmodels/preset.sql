-- The sample database of model cars: every order has a customer, and nobody is a guest.

-- kindred: products
SELECT p.productCode AS id, COALESCE(NULLIF(TRIM(p.productName), ''), p.productCode) AS name,
{{- if has "products" "productLine"}}
       CASE WHEN p.productLine <> '' THEN {{jsonone "p.productLine"}} END AS categories,
{{- end}}
{{- if has "products" "productVendor"}}
       NULLIF(p.productVendor, '') AS brand,
{{- end}}
{{- if has "products" "MSRP"}}
       p.MSRP AS price, {{v "currency"}} AS currency,
{{- end}}
{{- if has "products" "productScale"}}
       p.productScale,
{{- end}}
       {{if has "products" "quantityInStock"}}CASE WHEN p.quantityInStock <= 0 THEN 0 ELSE 1 END{{else}}1{{end}} AS available
FROM {{t "products"}} p;

-- kindred: customers
SELECT c.customerNumber AS id{{if has "customers" "country"}}, NULLIF(c.country, '') AS country{{end}}{{if has "customers" "city"}}, NULLIF(c.city, '') AS city{{end}}
FROM {{t "customers"}} c;

-- kindred: interactions
SELECT o.customerNumber AS customer, CAST(NULL AS CHAR(32)) AS session, d.productCode AS product, 'purchase' AS kind,
       CAST(NULL AS DECIMAL(5, 2)) AS value, SUM(d.quantityOrdered) AS quantity, CAST(MIN(o.orderDate) AS DATETIME) AS at, o.orderNumber AS order_id
FROM {{t "orders"}} o
JOIN {{t "orderdetails"}} d ON d.orderNumber = o.orderNumber
WHERE o.status IN ({{in "paid"}})
GROUP BY o.orderNumber, o.customerNumber, d.productCode
HAVING SUM(d.quantityOrdered) > 0
{{- if has "ratings" "customerNumber" "productCode" "productRating"}}
UNION ALL
SELECT r.customerNumber, NULL, r.productCode, 'rating', CAST(r.productRating AS DECIMAL(5, 2)), CAST(NULL AS DECIMAL(12, 4)),
       {{if has "ratings" "ratedAt"}}r.ratedAt{{else}}NULL{{end}}, NULL
FROM {{t "ratings"}} r WHERE r.productRating BETWEEN 1 AND 5
{{- end}};
