-- This file finds out which recommended products were viewed, put into the cart, or bought. Two engines run it. Athena runs it statement by
-- statement on the Glue table `recommendations`. DuckDB runs it on a table with the same columns, made from the same objects. It uses only the
-- parts of Trino's dialect that DuckDB has too; macros give DuckDB the functions sequence and cardinality. It reads only the objects below
-- `recommendations`: every record contains its event, so the records are the activity too. An interaction event says what was done with one product,
-- and may name the recommendation that showed it.
--
-- If a visitor views a product in a session, the last recommendation that showed the product to the visitor gets the credit, if it was made at
-- most 7 days before. A visitor is a customer, or a session without a customer. 7 days are enough time to come back. Later views say more about
-- the visitor than about the recommendation. A recommendation that the visitor's interaction event names comes first, under the same conditions:
-- it was made for the same session or customer, or for nobody who is known, at most 7 days before the event that names it.

-- Every answered event and every interaction event, once. Events and records may be delivered twice; the copies have the same recommendation id.
CREATE OR REPLACE VIEW feedback_recorded AS
SELECT coalesce(session_id, '') AS session_id,
       CASE WHEN session_id IS NULL THEN customer_number ELSE max(customer_number) OVER (PARTITION BY session_id) END AS customer_number,
       session_id = event_id AND customer_number IS NULL AS for_nobody,
       recommendation_id, model_version, source, placement, experiment, arm, arrived_at, browse_history, recommended_items, kind, product_code,
       named,
       units, amount
FROM (
    SELECT session_id, customer_number, browse_history, recommended_items, kind, product_code,
           coalesce(TRY_CAST(quantity AS decimal(10, 0)), 1) AS units, -- of an interaction event, and what was paid for all of them
           TRY_CAST(TRY_CAST(value AS double) AS decimal(18, 4)) AS amount,
           recommendation_id AS named,
           recommendation.event_id AS event_id,
           recommendation.id AS recommendation_id,
           recommendation.model_version AS model_version,
           coalesce(recommendation.source, '') AS source,
           coalesce(recommendation.placement, '') AS placement,
           recommendation.experiment AS experiment,
           recommendation.arm AS arm,
           CAST(substr(replace(replace(recommendation.position.arrived_at, 'T', ' '), 'Z', ''), 1, 23) AS timestamp) AS arrived_at, -- to milliseconds, the precision of Trino
           row_number() OVER (PARTITION BY recommendation.id ORDER BY recommendation.position.arrived_at) AS copy
    FROM recommendations
    WHERE (coalesce(recommendation.source, '') <> 'state' OR type = 'interaction') -- other records say nothing of a visitor
) AS records
WHERE copy = 1;

-- Every answered event. for_nobody: it came over HTTP without a session or a customer, so its own id stands for the session.
CREATE OR REPLACE VIEW feedback_answered AS
SELECT session_id, customer_number, for_nobody, recommendation_id, model_version, source, placement, experiment, arm, arrived_at, browse_history,
       recommended_items
FROM feedback_recorded
WHERE source <> 'state';

-- What product events said of prices.
CREATE OR REPLACE VIEW feedback_price AS
SELECT product_code, TRY_CAST(price AS decimal(18, 4)) AS price,
       CAST(substr(replace(replace(recommendation.position.arrived_at, 'T', ' '), 'Z', ''), 1, 23) AS timestamp) AS said_at
FROM (
    SELECT product_code, price, recommendation
    FROM recommendations
    WHERE type = 'product' AND price IS NOT NULL
) AS products;

-- Every product that was shown: one row for each place of each list.
CREATE OR REPLACE VIEW feedback_shown AS
SELECT recommendation_id, model_version, source, placement, session_id, customer_number, for_nobody,
       coalesce('customer ' || CAST(customer_number AS varchar), 'session ' || session_id) AS visitor,
       item.place AS place,
       recommended_items[item.place].id AS product_code,
       arrived_at AS shown_at
FROM (SELECT * FROM feedback_answered WHERE cardinality(recommended_items) > 0) AS answered
CROSS JOIN UNNEST(sequence(1, cardinality(recommended_items))) AS item (place);

-- Every product that was viewed in a session, once.
CREATE OR REPLACE VIEW feedback_looked AS
SELECT session_id, visitor, customer_number, product_code,
       min(arrived_at) AS viewed_at,
       min(CASE WHEN in_cart THEN arrived_at END) AS carted_at,
       min(CASE WHEN purchased THEN arrived_at END) AS bought_at
FROM (
    SELECT session_id, customer_number, arrived_at,
           coalesce('customer ' || CAST(customer_number AS varchar), 'session ' || session_id) AS visitor,
           browse_history[item.place].product_code AS product_code,
           browse_history[item.place].in_shopping_cart AS in_cart,
           browse_history[item.place].purchased AS purchased
    FROM (SELECT * FROM feedback_answered WHERE cardinality(browse_history) > 0) AS answered
    CROSS JOIN UNNEST(sequence(1, cardinality(browse_history))) AS item (place)
    UNION ALL
    SELECT session_id, customer_number, arrived_at,
           coalesce('customer ' || CAST(customer_number AS varchar), 'session ' || session_id) AS visitor,
           product_code, kind IN ('cart', 'purchase') AS in_cart, kind = 'purchase' AS purchased
    FROM feedback_recorded
    WHERE source = 'state' AND kind IN ('view', 'cart', 'purchase')
) AS history
GROUP BY session_id, visitor, customer_number, product_code;

-- Every purchase: each interaction event that says one, with what was paid if the event says it. A browse history repeats what was bought; it
-- counts once for each session and product, and not where an event says the same.
CREATE OR REPLACE VIEW feedback_bought AS
SELECT session_id, coalesce('customer ' || CAST(customer_number AS varchar), 'session ' || session_id) AS visitor,
       product_code, recommendation_id AS purchase, arrived_at AS bought_at, units, amount
FROM feedback_recorded
WHERE source = 'state' AND kind = 'purchase'
UNION ALL
SELECT history.session_id, history.visitor, history.product_code, '' AS purchase, history.bought_at, history.units,
       CAST(NULL AS decimal(18, 4)) AS amount
FROM (
    SELECT session_id, visitor, product_code, min(arrived_at) AS bought_at, max(units) AS units
    FROM (
        SELECT session_id, coalesce('customer ' || CAST(customer_number AS varchar), 'session ' || session_id) AS visitor, arrived_at,
               browse_history[item.place].product_code AS product_code,
               coalesce(TRY_CAST(browse_history[item.place].quantity AS decimal(10, 0)), 1) AS units,
               browse_history[item.place].purchased AS purchased
        FROM (SELECT * FROM feedback_answered WHERE cardinality(browse_history) > 0) AS answered
        CROSS JOIN UNNEST(sequence(1, cardinality(browse_history))) AS item (place)
    ) AS seen
    WHERE purchased
    GROUP BY session_id, visitor, product_code
) AS history
LEFT JOIN (
    SELECT DISTINCT session_id, product_code
    FROM feedback_recorded
    WHERE source = 'state' AND kind = 'purchase'
) AS event
       ON event.session_id = history.session_id AND event.product_code = history.product_code
WHERE event.product_code IS NULL;

-- What was paid for a product in a session: what the event says, else units times the last price that a product event had said by then.
-- unpriced counts purchases of which neither is known: they add nothing to the amount.
CREATE OR REPLACE VIEW feedback_amount AS
SELECT session_id, visitor, product_code,
       sum(CASE WHEN amount IS NULL THEN coalesce(TRY_CAST(units * price AS decimal(18, 4)), 0) WHEN amount > 0 THEN amount ELSE 0 END) AS amount,
       count(CASE WHEN amount IS NULL AND price IS NULL THEN 1 END) AS unpriced
FROM (
    SELECT bought.session_id, bought.visitor, bought.product_code, bought.units, bought.amount, price.price,
           row_number() OVER (PARTITION BY bought.session_id, bought.visitor, bought.product_code, bought.purchase
                              ORDER BY price.said_at DESC, price.price) AS number
    FROM feedback_bought AS bought
    LEFT JOIN feedback_price AS price
           ON price.product_code = bought.product_code AND price.said_at <= bought.bought_at
) AS priced
WHERE number = 1
GROUP BY session_id, visitor, product_code;

-- Every interaction event that names a recommendation.
CREATE OR REPLACE VIEW feedback_named AS
SELECT session_id, customer_number, product_code, named, arrived_at AS named_at,
       coalesce('customer ' || CAST(customer_number AS varchar), 'session ' || session_id) AS visitor
FROM feedback_recorded
WHERE source = 'state' AND kind IN ('view', 'cart', 'purchase') AND named <> '';

-- Every recommendation that may get the credit for a view. One that an event of the visitor names comes first.
CREATE OR REPLACE VIEW feedback_touch AS
SELECT looked.session_id, looked.visitor, looked.product_code,
       shown.recommendation_id, shown.model_version, shown.source, shown.place, shown.shown_at, 1 AS preference
FROM feedback_looked AS looked
JOIN feedback_shown AS shown
  ON shown.visitor = looked.visitor
 AND shown.product_code = looked.product_code
 AND shown.shown_at <= looked.viewed_at
 AND shown.shown_at >= looked.viewed_at - INTERVAL '7' DAY
UNION ALL
SELECT looked.session_id, looked.visitor, looked.product_code,
       shown.recommendation_id, shown.model_version, shown.source, shown.place, shown.shown_at, 0 AS preference
FROM feedback_named AS looked
JOIN feedback_shown AS shown
  ON shown.recommendation_id = looked.named
 AND shown.product_code = looked.product_code
 AND shown.shown_at <= looked.named_at
 AND shown.shown_at >= looked.named_at - INTERVAL '7' DAY
 AND (shown.for_nobody
      OR shown.session_id = looked.session_id AND looked.session_id <> ''
      OR shown.customer_number = looked.customer_number);

-- Every view, with the recommendation that gets the credit; NULL if no recommendation does.
CREATE OR REPLACE VIEW feedback_credited AS
SELECT credited.session_id, credited.visitor, credited.customer_number, credited.product_code, viewed_at, carted_at, bought_at,
       recommendation_id, model_version, source, place, amount.amount, amount.unpriced
FROM (
    SELECT looked.session_id, looked.visitor, looked.customer_number, looked.product_code, looked.viewed_at, looked.carted_at, looked.bought_at,
           touch.recommendation_id, touch.model_version, touch.source, touch.place,
           row_number() OVER (PARTITION BY looked.session_id, looked.visitor, looked.product_code
                              ORDER BY touch.preference, touch.shown_at DESC, touch.recommendation_id) AS number
    FROM feedback_looked AS looked
    LEFT JOIN feedback_touch AS touch
           ON touch.session_id = looked.session_id
          AND touch.visitor = looked.visitor
          AND touch.product_code = looked.product_code
) AS credited
LEFT JOIN feedback_amount AS amount
       ON amount.session_id = credited.session_id AND amount.visitor = credited.visitor AND amount.product_code = credited.product_code
WHERE number = 1;

-- Hit rates: how many of the products shown were viewed, put into the cart, or bought. placement is '' where a recommendation has none.
CREATE OR REPLACE VIEW feedback_hit_rate AS
SELECT shown.model_version, shown.source, shown.placement, shown.place,
       count(*) AS shown,
       count(hits.viewed_at) AS viewed,
       count(hits.carted_at) AS carted,
       count(hits.bought_at) AS bought,
       CAST(count(hits.viewed_at) AS double) / count(*) AS hit_rate
FROM feedback_shown AS shown
LEFT JOIN (
    SELECT recommendation_id, product_code, min(viewed_at) AS viewed_at, min(carted_at) AS carted_at, min(bought_at) AS bought_at
    FROM feedback_credited
    WHERE recommendation_id IS NOT NULL
    GROUP BY recommendation_id, product_code
) AS hits
       ON hits.recommendation_id = shown.recommendation_id AND hits.product_code = shown.product_code
GROUP BY shown.model_version, shown.source, shown.placement, shown.place;

-- What `train` reads in addition to the ratings: the strongest thing that a visitor did with a product in a session (view, cart or purchase),
-- and its time in milliseconds since 1970 UTC. Of a visitor who is no customer, customer_number is NULL, and session_id says who it was.
CREATE OR REPLACE VIEW feedback_interaction AS
SELECT customer_number, product_code,
       CASE WHEN bought_at IS NOT NULL THEN 'purchase' WHEN carted_at IS NOT NULL THEN 'cart' ELSE 'view' END AS action,
       date_diff('millisecond', CAST('1970-01-01 00:00:00' AS timestamp), coalesce(bought_at, carted_at, viewed_at)) AS occurred_at,
       session_id, recommendation_id, model_version, source, place
FROM feedback_credited;

-- What `train sessions` reads: every click of a session, in order. The first record's history is clicks, and what later ones add to it; where a
-- history does not grow, it was cut off or starts anew, and its last product is the click. Repeats of one product in a row are one click: a page
-- asks for several lists, and asks again.
CREATE OR REPLACE VIEW feedback_click AS
SELECT session_id, customer_number, product_code,
       date_diff('millisecond', CAST('1970-01-01 00:00:00' AS timestamp), arrived_at) AS occurred_at,
       recommendation_id, place
FROM (
    SELECT session_id, customer_number, product_code, arrived_at, recommendation_id, place,
           lag(product_code) OVER (PARTITION BY session_id ORDER BY arrived_at, recommendation_id, place) AS before
    FROM (
        SELECT session_id, customer_number, arrived_at, recommendation_id, item.place AS place,
               browse_history[item.place].product_code AS product_code
        FROM (
            SELECT session_id, customer_number, arrived_at, recommendation_id, browse_history, cardinality(browse_history) AS places,
                   lag(cardinality(browse_history)) OVER (PARTITION BY session_id ORDER BY arrived_at, recommendation_id) AS places_before
            FROM feedback_answered
            WHERE cardinality(browse_history) > 0
        ) AS answered
        CROSS JOIN UNNEST(sequence(CASE WHEN places > coalesce(places_before, 0) THEN coalesce(places_before, 0) + 1 ELSE places END, places)) AS item (place)
        UNION ALL
        SELECT session_id, customer_number, arrived_at, recommendation_id, 0 AS place, product_code
        FROM feedback_recorded
        WHERE source = 'state' AND kind = 'view'
    ) AS clicks
    WHERE session_id <> ''
) AS ordered
WHERE before IS NULL OR before <> product_code;

-- Every page of an experiment, of every visitor.
CREATE OR REPLACE VIEW feedback_page AS
SELECT experiment, arm, recommendation_id, arrived_at,
       coalesce('customer ' || CAST(customer_number AS varchar), 'session ' || session_id) AS visitor
FROM feedback_answered
WHERE experiment IS NOT NULL;

-- Every visitor of an experiment: the arm, or that the visitor saw both, or that the first day is not over yet.
CREATE OR REPLACE VIEW feedback_exposed AS
SELECT experiment, visitor, exposed_at,
       CASE WHEN arms > 1 THEN 'both'
            WHEN exposed_at < (SELECT max(arrived_at) FROM feedback_answered) - INTERVAL '1' DAY THEN arm
            ELSE 'waiting' END AS part
FROM (
    SELECT experiment, visitor, min(arm) AS arm, count(DISTINCT arm) AS arms, min(arrived_at) AS exposed_at
    FROM feedback_page
    GROUP BY experiment, visitor
) AS visitors;

-- What became of a page within the visitor's first day: how many of its products were viewed, put into the cart, or bought.
CREATE OR REPLACE VIEW feedback_page_outcome AS
SELECT exposed.experiment, exposed.visitor, exposed.part, page.recommendation_id,
       count(CASE WHEN hit.viewed_at < exposed.exposed_at + INTERVAL '1' DAY THEN 1 END) AS viewed,
       count(CASE WHEN hit.carted_at < exposed.exposed_at + INTERVAL '1' DAY THEN 1 END) AS carts,
       count(CASE WHEN hit.bought_at < exposed.exposed_at + INTERVAL '1' DAY THEN 1 END) AS purchases,
       coalesce(sum(CASE WHEN hit.bought_at < exposed.exposed_at + INTERVAL '1' DAY THEN hit.amount END), 0) AS amount,
       coalesce(sum(CASE WHEN hit.bought_at < exposed.exposed_at + INTERVAL '1' DAY THEN hit.unpriced END), 0) AS unpriced
FROM feedback_exposed AS exposed
INNER JOIN feedback_page AS page
        ON page.experiment = exposed.experiment AND page.visitor = exposed.visitor
       AND page.arrived_at < exposed.exposed_at + INTERVAL '1' DAY
LEFT JOIN feedback_credited AS hit
       ON hit.recommendation_id = page.recommendation_id
GROUP BY exposed.experiment, exposed.visitor, exposed.part, page.recommendation_id;

-- What became of all pages of a visitor. A hit is a page with a viewed product.
CREATE OR REPLACE VIEW feedback_visitor AS
SELECT experiment, visitor, part, count(*) AS pages, count(CASE WHEN viewed > 0 THEN 1 END) AS hits,
       sum(carts) AS carts, sum(purchases) AS purchases, sum(amount) AS amount, sum(unpriced) AS unpriced
FROM feedback_page_outcome
GROUP BY experiment, visitor, part;

-- Sums over visitors, by which publish compares the arms of an experiment.
CREATE OR REPLACE VIEW feedback_outcome AS
SELECT experiment, part, count(*) AS visitors,
       CAST(sum(pages) AS bigint) AS pages, CAST(sum(hits) AS bigint) AS hits,
       CAST(sum(carts) AS bigint) AS carts, CAST(sum(purchases) AS bigint) AS purchases,
       CAST(sum(pages * pages) AS bigint) AS pages_pages, CAST(sum(hits * pages) AS bigint) AS hits_pages,
       CAST(sum(hits * hits) AS bigint) AS hits_hits,
       CAST(sum(carts * carts) AS bigint) AS carts_carts, CAST(sum(purchases * purchases) AS bigint) AS purchases_purchases,
       CAST(sum(unpriced) AS bigint) AS unpriced
FROM feedback_visitor
GROUP BY experiment, part;

-- What each visitor of an experiment paid. The part `everyone` is what all visitors paid for recommended products, each day by itself.
CREATE OR REPLACE VIEW feedback_paid AS
SELECT experiment, part, amount
FROM feedback_visitor
WHERE amount > 0
UNION ALL
SELECT '' AS experiment, 'everyone' AS part, sum(amount) AS amount
FROM feedback_credited
WHERE amount > 0 AND recommendation_id IS NOT NULL
GROUP BY visitor, CAST(bought_at AS date);

-- Sums of what visitors paid, where of one visitor at most a cap counts: a few large orders would hide everything else. An experiment is decided
-- by the cap that was chosen before it began, by what everyone had paid.
CREATE OR REPLACE VIEW feedback_revenue AS
SELECT experiment, part, cap, count(*) AS buyers, count(CASE WHEN amount > cap THEN 1 END) AS above,
       CAST(sum(counted) AS double) AS revenue, CAST(sum(counted * counted) AS double) AS squares
FROM (
    SELECT experiment, part, step.cap AS cap, amount,
           CAST(CASE WHEN amount > step.cap THEN step.cap ELSE amount END AS decimal(18, 4)) AS counted
    FROM feedback_paid
    CROSS JOIN (VALUES (1), (2), (5), (10), (20), (50), (100), (200), (500), (1000), (2000), (5000), (10000), (20000), (50000), (100000),
                       (200000), (500000), (1000000), (2000000), (5000000), (10000000)) AS step (cap)
) AS capped
GROUP BY experiment, part, cap;
