-- A shop whose tables are nothing like ours (tables.sql beside this file): etl --mapping testdata/shop-mapping/shop.sql
--
-- Three queries, each under its heading. A data set without a query is read from the table of that name. Columns are found by
-- their names, in any order; others are ignored. Give no ORDER BY: etl sorts, and cuts partitions by customerNumber.
-- Types are checked before a row is read; nothing is rounded, so say yourself how a value becomes cents or a whole number.

-- kindred: customers
-- customerNumber any integer, text or binary(16), customerName text, city text, state text NULL, postalCode text NULL, country text, creditLimit decimal(10,2) NULL
SELECT
    u.id                                AS customerNumber,
    CONCAT(u.first_name, ' ', u.last_name) AS customerName,
    COALESCE(a.town, '')                AS city,
    a.region                            AS state,
    a.zip                               AS postalCode,
    COALESCE(a.country, '')             AS country,
    CAST(u.credit_cents / 100 AS decimal(10,2)) AS creditLimit
FROM users u
LEFT JOIN addresses a ON a.user_id = u.id AND a.kind = 'billing; main'
WHERE u.deleted_at IS NULL;

-- kindred: products
-- productCode any integer, text (1 to 128 bytes) or binary(16), productName text, productLine text, productScale text, productVendor text,
-- quantityInStock integer of 2 bytes' range, buyPrice decimal(10,2), MSRP decimal(10,2)
SELECT
    i.sku                               AS productCode,
    i.title                             AS productName,
    c.name                              AS productLine,
    ''                                  AS productScale,
    i.brand                             AS productVendor,
    LEAST(i.stock, 32767)               AS quantityInStock,
    CAST(i.cost AS decimal(10,2))       AS buyPrice,
    CAST(i.price AS decimal(10,2))      AS MSRP
FROM items i JOIN categories c ON c.id = i.category_id;

-- kindred: ratings
-- customerNumber and productCode as above, productRating int from 1 to 5, ratedAt DATETIME or TIMESTAMP NULL
SELECT
    r.user_id                           AS customerNumber,
    i.sku                               AS productCode,
    CAST(ROUND(r.score / 20) AS signed) AS productRating, -- 0 to 100 points; below 10 is no star, and counted as such
    r.created_at                        AS ratedAt
FROM reviews r JOIN items i ON i.id = r.item_id
WHERE r.hidden = 0;
