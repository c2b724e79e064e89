-- Experiments that are decided by what visitors paid.

-- +goose Up
ALTER TABLE kindred.experiment DROP CONSTRAINT experiment_outcome_check;
ALTER TABLE kindred.experiment ADD CONSTRAINT experiment_outcome_check CHECK (outcome IN ('hits', 'carts', 'purchases', 'revenue'));
-- How much of a visitor's revenue counts at most.
ALTER TABLE kindred.experiment ADD COLUMN revenue_cap double precision CHECK (revenue_cap > 0);
ALTER TABLE kindred.experiment ADD CONSTRAINT experiment_cap_check CHECK ((outcome = 'revenue') = (revenue_cap IS NOT NULL));

-- +goose Down
DELETE FROM kindred.experiment WHERE outcome = 'revenue';
ALTER TABLE kindred.experiment DROP CONSTRAINT experiment_cap_check;
ALTER TABLE kindred.experiment DROP COLUMN revenue_cap;
ALTER TABLE kindred.experiment DROP CONSTRAINT experiment_outcome_check;
ALTER TABLE kindred.experiment ADD CONSTRAINT experiment_outcome_check CHECK (outcome IN ('hits', 'carts', 'purchases'));
