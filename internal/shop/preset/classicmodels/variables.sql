-- What the preset of classicmodels does not read.

-- look up: left out
SELECT CONCAT('orders with the status ', o.status), COUNT(*) FROM {{t "orders"}} o WHERE o.status NOT IN ({{in "paid"}}) GROUP BY o.status
