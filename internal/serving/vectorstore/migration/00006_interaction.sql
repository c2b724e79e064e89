-- What visitors have done lately. Like the products' state it belongs to no version.

-- +goose Up
-- What customers bought: one row for each session and product. place is where the event that says so stands in the order of all
-- writes, as in product_state.written: the earliest of its session, because each event repeats what its session bought before.
CREATE TABLE kindred.interaction (
    customer text COLLATE "C" NOT NULL,
    session  text COLLATE "C" NOT NULL,
    product  text COLLATE "C" NOT NULL,
    kind     text             NOT NULL CHECK (kind IN ('purchase')),
    place    jsonb            NOT NULL,
    PRIMARY KEY (customer, session, product)
);
ALTER TABLE kindred.interaction ALTER place SET STATISTICS 0; -- nothing searches by it

-- +goose Down
DROP TABLE kindred.interaction;
