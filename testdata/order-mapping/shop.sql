-- A shop of orders, baskets and stars (tables.sql beside this file): etl --mapping testdata/order-mapping/shop.sql
--
-- Columns are found by their names, in any order and any case. Ids are integers, text of up to 128
-- bytes, or BINARY(16), which becomes 32 hex digits. Give no ORDER BY: etl sorts. Times are UTC.

-- kindred: products
-- id, name; optional: categories (a JSON list of texts, or one text), brand, price, currency,
-- available (0 or 1) or stock, url, image. Every further column is an attribute.
SELECT
    w.sku                           AS id,
    w.title                         AS name,
    w.shelf                         AS categories,
    w.maker                         AS brand,
    w.price                         AS price,
    'EUR'                           AS currency,
    w.in_stock                      AS stock,
    CONCAT('/ware/', w.sku)         AS url,
    w.organic                       AS organic,
    w.grams                         AS grams
FROM ware w
WHERE w.listed = 1;

-- kindred: customers
-- The whole query is optional. id; optional: country, city. A further column is an attribute if this
-- query names it: what SELECT * gives besides is not read.
SELECT a.id, a.land AS country, a.place AS city, a.club_level FROM account a;

-- kindred: interactions
-- product, kind, and customer or session; optional: value, quantity, at, order_id. The kind is
-- rating (value: 1 to 5 stars), purchase, cart, view, or a name of the shop's own. A negative quantity
-- takes a purchase back. A guest has no customer, and the session or the order as its session.
SELECT
    s.account                       AS customer,
    CASE WHEN s.account IS NULL THEN CONCAT('sale-', s.id) END AS session,
    l.sku                           AS product,
    'purchase'                      AS kind,
    NULL                            AS value,
    l.n                             AS quantity,
    s.paid_at                       AS at,
    s.id                            AS order_id
FROM sale s JOIN sale_line l ON l.sale = s.id
UNION ALL
SELECT b.account, b.visitor, b.sku, b.step, NULL, NULL, b.at, NULL FROM basket b
UNION ALL
SELECT o.account, NULL, o.sku, 'rating', o.stars, NULL, o.at, NULL FROM opinion o;
