-- What has changed in product_state since a reader looked last.

-- +goose Up
-- transaction is the one that wrote the row last. A reader asks for rows from the oldest transaction that was still running when
-- it looked last (pg_snapshot_xmin): so it misses none that begins first and commits last.
-- Because of the index, an update is no longer HOT: the free space that fillfactor leaves (migration 5) still lets a changed row
-- stay on its page, but each change adds an entry to both indexes.
ALTER TABLE kindred.product_state ADD COLUMN transaction xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX product_state_transaction ON kindred.product_state (transaction);

-- generation is the transaction that last deleted rows of product_state, or migrated. When it changes, a reader starts anew.
ALTER TABLE kindred.catalogue ADD COLUMN generation xid8 NOT NULL DEFAULT pg_current_xact_id();

-- Triggers, because programs of before write these tables too.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kindred.stamp_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.transaction := pg_current_xact_id();
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER stamp_state BEFORE INSERT OR UPDATE ON kindred.product_state
    FOR EACH ROW EXECUTE FUNCTION kindred.stamp_state();

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kindred.forgot_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE kindred.catalogue SET generation = pg_current_xact_id();
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER forgot_state AFTER DELETE OR TRUNCATE ON kindred.product_state
    FOR EACH STATEMENT EXECUTE FUNCTION kindred.forgot_state();

-- +goose Down
DROP TRIGGER forgot_state ON kindred.product_state;
DROP TRIGGER stamp_state ON kindred.product_state;
DROP FUNCTION kindred.forgot_state(), kindred.stamp_state();
ALTER TABLE kindred.product_state DROP COLUMN transaction;
ALTER TABLE kindred.catalogue DROP COLUMN generation;
