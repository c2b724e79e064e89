-- What visitors do more often than usual, and which products are new.

-- +goose Up
-- How often a product was clicked lately, and usually: the sum of 2^(age / half-life) over its clicks, with ages since 2026 began
-- and half-lives of 10 minutes and a day, as its logarithm to the base 2. So the order of two products changes with clicks only,
-- and clicks may come in any order.
CREATE TABLE kindred.trend (
    product text COLLATE "C" PRIMARY KEY,
    lately  float8 NOT NULL,
    usually float8 NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX trend_lately ON kindred.trend (lately);

-- The events that were counted: a hash, so that an event that comes again does not count again, until it is too old to count.
CREATE TABLE kindred.trend_event (
    event bytea PRIMARY KEY,
    at    timestamptz NOT NULL
);
CREATE INDEX trend_event_at ON kindred.trend_event (at);

CREATE INDEX product_state_first_seen ON kindred.product_state (first_seen);

-- +goose Down
DROP INDEX kindred.product_state_first_seen;
DROP TABLE kindred.trend_event, kindred.trend;
