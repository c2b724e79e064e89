-- What events say of customers. Like the products' state it belongs to no version.

-- +goose Up
-- One row for each thing that was said: country, city or credit_limit; 'hidden', whether a product is left out of the customer's
-- answers; 'forgotten': what the customer said and did before is forgotten. written is where the value stands in the order of all
-- writes, as in product_state.written: the later one stays. Nothing of a customer is older than the row 'forgotten'.
CREATE TABLE kindred.customer_state (
    customer text COLLATE "C" NOT NULL,
    field    text COLLATE "C" NOT NULL,
    product  text COLLATE "C" NOT NULL DEFAULT '', -- of field hidden
    value    jsonb,                                -- NULL: not known
    written  jsonb            NOT NULL,
    PRIMARY KEY (customer, field, product)
);
-- Nothing searches by these.
ALTER TABLE kindred.customer_state ALTER value SET STATISTICS 0, ALTER written SET STATISTICS 0;

-- +goose Down
DROP TABLE kindred.customer_state;
