-- A second version for a share of the sessions; how well a version's indexes search; a count of the pointer's moves.

-- +goose Up
-- canary answers for canary_share of the sessions. moves counts every change of the row, so that a compare-and-swap
-- notices a pointer that went away and came back.
ALTER TABLE kindred.live
    ADD COLUMN canary       text REFERENCES kindred.model_version,
    ADD COLUMN canary_share double precision,
    ADD COLUMN moves        bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT live_canary CHECK ((canary IS NULL) = (canary_share IS NULL)
        AND (canary IS NULL OR canary IS DISTINCT FROM version AND canary_share > 0 AND canary_share < 1));

ALTER TABLE kindred.promotion
    ADD COLUMN share double precision, -- of the sessions, for action canary
    DROP CONSTRAINT promotion_action_check,
    ADD CONSTRAINT promotion_action_check
        CHECK (action IN ('promote', 'force', 'rollback', 'refuse', 'canary', 'canary-off')),
    ADD CONSTRAINT promotion_share_check CHECK ((action = 'canary') = (share IS NOT NULL));

-- How wide a search of the index looks, and the recall@10 against the exact scan that this gave at load; NULL where the version is scanned.
ALTER TABLE kindred.model_version
    ADD COLUMN ef_search      integer,
    ADD COLUMN recall         real, -- of searches by inner product
    ADD COLUMN similar_recall real; -- of similar items by cosine

-- +goose Down
ALTER TABLE kindred.model_version DROP COLUMN ef_search, DROP COLUMN recall, DROP COLUMN similar_recall;
ALTER TABLE kindred.live DROP CONSTRAINT live_canary, DROP COLUMN canary, DROP COLUMN canary_share, DROP COLUMN moves;
ALTER TABLE kindred.promotion DROP CONSTRAINT promotion_share_check, DROP COLUMN share;
