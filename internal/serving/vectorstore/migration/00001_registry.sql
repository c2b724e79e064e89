-- The registry of model versions, the live pointer and its history. The tables of a version are not here: each is loaded into a schema of its own.

-- +goose Up
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
CREATE SCHEMA kindred;

CREATE TABLE kindred.model_version (
    version         text        PRIMARY KEY,
    state           text        NOT NULL CHECK (state IN ('loading', 'ready', 'dropped')),
    training_run    text        NOT NULL,
    trainer_version text        NOT NULL,
    trained_at      timestamptz NOT NULL,
    dim             integer     NOT NULL CHECK (dim > 0),
    solver          jsonb       NOT NULL,
    gram            bytea       NOT NULL, -- dim × dim float32, little-endian, row-major
    encoder         jsonb       NOT NULL,
    report          jsonb       NOT NULL, -- figures and the gate's verdict
    items           integer     NOT NULL,
    customers       integer     NOT NULL,
    rated           bigint      NOT NULL,
    index_kind      text        NOT NULL CHECK (index_kind IN ('exact', 'hnsw')),
    started_at      timestamptz NOT NULL DEFAULT now(),
    loaded_at       timestamptz
);

-- Always one row.
CREATE TABLE kindred.live (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    version  text REFERENCES kindred.model_version,
    previous text REFERENCES kindred.model_version,
    moved_at timestamptz
);
INSERT INTO kindred.live DEFAULT VALUES;

CREATE TABLE kindred.promotion (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor        text        NOT NULL,
    action       text        NOT NULL CHECK (action IN ('promote', 'force', 'rollback', 'refuse')),
    from_version text,
    to_version   text        NOT NULL,
    reason       text        NOT NULL
);

-- History is only added to.
-- +goose StatementBegin
CREATE FUNCTION kindred.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'kindred.promotion is append-only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON kindred.promotion
    FOR EACH STATEMENT EXECUTE FUNCTION kindred.refuse_change();

-- +goose Down
DROP SCHEMA kindred CASCADE;
