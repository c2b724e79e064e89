-- What visitors have done lately. Like the products' state it belongs to no version.

-- +goose Up
-- Of an event that says what somebody bought, one row for each of these products. place is where the event stands in the order
-- of all writes, as in product_state.written; an event that came more than once has the earliest of its places.
CREATE TABLE kindred.interaction (
    customer text COLLATE "C" NOT NULL,
    event    text COLLATE "C" NOT NULL,
    product  text COLLATE "C" NOT NULL,
    kind     text             NOT NULL CHECK (kind IN ('purchase')),
    place    jsonb            NOT NULL,
    PRIMARY KEY (customer, event, product)
);
ALTER TABLE kindred.interaction ALTER place SET STATISTICS 0; -- nothing searches by it

-- +goose Down
DROP TABLE kindred.interaction;
