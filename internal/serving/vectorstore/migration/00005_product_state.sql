-- What is known of the shop's products now. It belongs to no version: publish, rollback, a canary and a refusing gate leave it.

-- +goose Up
-- A product that is hidden or not available is never recommended. available is NULL where nobody has said it: the version's own
-- stock counts then. written has an entry for each field that was ever written: where its value stands in the order of all
-- writes, as [microseconds since 1970, sequence number, number within the record]. Of two values the one further back stays.
CREATE TABLE kindred.product_state (
    id         text COLLATE "C" PRIMARY KEY,
    available  boolean,
    hidden     boolean     NOT NULL DEFAULT false,
    stock      bigint,
    price      numeric(18, 4),
    currency   text,
    categories text[],
    brand      text,
    name       text,
    url        text,
    image      text,
    attributes jsonb,
    first_seen timestamptz NOT NULL, -- the time of the earliest write
    changed    timestamptz NOT NULL, -- the time of the latest write
    written    jsonb       NOT NULL
) WITH (fillfactor = 80); -- a changed row finds room on its own page
-- Nothing searches by these: comparing thousands of them for statistics would be in vain.
ALTER TABLE kindred.product_state ALTER attributes SET STATISTICS 0, ALTER written SET STATISTICS 0, ALTER categories SET STATISTICS 0;

-- The newest reading of the shop's products by `publish catalogue`: always one row. shop is NULL until there was a reading.
CREATE TABLE kindred.catalogue (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    shop      text,
    read_at   timestamptz,
    products  bigint NOT NULL DEFAULT 0,
    available bigint NOT NULL DEFAULT 0
);
INSERT INTO kindred.catalogue DEFAULT VALUES;

-- What that reading found: digest is a hash of each field, 8 bytes each, and empty for a product that the shop does not have.
CREATE TABLE kindred.catalogue_product (
    id     text COLLATE "C" PRIMARY KEY,
    digest bytea NOT NULL
);

ALTER TABLE kindred.reader ADD COLUMN writes boolean NOT NULL DEFAULT false; -- the state of products

-- +goose Down
DROP TABLE kindred.catalogue_product, kindred.catalogue, kindred.product_state;
ALTER TABLE kindred.reader DROP COLUMN writes;
