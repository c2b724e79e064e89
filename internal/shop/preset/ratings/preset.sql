-- A shop in the tables customers, products and ratings, such as `seed` makes.

-- kindred: products
SELECT p.productCode AS id, COALESCE(NULLIF(TRIM(p.productName), ''), p.productCode) AS name,
       CASE WHEN p.productLine <> '' THEN {{jsonone "p.productLine"}} END AS categories,
       NULLIF(p.productVendor, '') AS brand, p.MSRP AS price, {{v "currency"}} AS currency,
       p.productScale, CASE WHEN p.quantityInStock <= 0 THEN 0 ELSE 1 END AS available
FROM {{t "products"}} p;

-- kindred: customers
SELECT c.customerNumber AS id, NULLIF(c.country, '') AS country, NULLIF(c.city, '') AS city
FROM {{t "customers"}} c;

-- kindred: interactions
SELECT r.customerNumber AS customer, CAST(NULL AS CHAR(32)) AS session, r.productCode AS product, 'rating' AS kind,
       CAST(r.productRating AS DECIMAL(5, 2)) AS value, CAST(NULL AS DECIMAL(12, 4)) AS quantity,
       {{if has "ratings" "ratedAt"}}r.ratedAt{{else}}CAST(NULL AS DATETIME){{end}} AS at, CAST(NULL AS CHAR(32)) AS order_id
FROM {{t "ratings"}} r WHERE r.productRating BETWEEN 1 AND 5;
