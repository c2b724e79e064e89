-- Placements: the rules of the places on a shop's pages.

-- +goose Up
-- One row for each version, which never changes. rules is what functions read.
CREATE TABLE kindred.placements (
    version  text COLLATE "C" PRIMARY KEY,
    rules    jsonb            NOT NULL,
    added_at timestamptz      NOT NULL DEFAULT clock_timestamp()
);

-- The version that is live; NULL: the shop has no placements.
ALTER TABLE kindred.live ADD COLUMN placements text;

-- The history of that pointer.
CREATE TABLE kindred.placements_move (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor        text        NOT NULL,
    action       text        NOT NULL CHECK (action IN ('publish', 'rollback')),
    from_version text,
    to_version   text        NOT NULL,
    reason       text        NOT NULL
);

-- +goose Down
DROP TABLE kindred.placements_move;
ALTER TABLE kindred.live DROP COLUMN placements;
DROP TABLE kindred.placements;
