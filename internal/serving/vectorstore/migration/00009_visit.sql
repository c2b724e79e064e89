-- What visitors did lately, for events that do not say it again.

-- +goose Up
-- One row for each event: its products and what was done with them (kinds), oldest first. session is empty if the event has none,
-- and customer is NULL if it names none. place is its place on the stream, the earliest one if it came more than once; said is where
-- it stands by the time at which it occurred. Both are as in product_state.written.
CREATE TABLE kindred.visit (
    session  text COLLATE "C" NOT NULL,
    event    text COLLATE "C" NOT NULL,
    customer text COLLATE "C",
    products text[]           NOT NULL,
    kinds    text[]           NOT NULL,
    place    jsonb            NOT NULL,
    said     jsonb            NOT NULL,
    PRIMARY KEY (session, event)
);
CREATE INDEX visit_session ON kindred.visit (session, place);
CREATE INDEX visit_customer ON kindred.visit (customer, place) WHERE customer IS NOT NULL;
ALTER TABLE kindred.visit ALTER products SET STATISTICS 0, ALTER kinds SET STATISTICS 0, ALTER said SET STATISTICS 0;

-- When it was bought, where that is not the place: what is older than a forgetting is forgotten.
ALTER TABLE kindred.interaction ADD COLUMN said jsonb;

-- +goose Down
ALTER TABLE kindred.interaction DROP COLUMN said;
DROP TABLE kindred.visit;
