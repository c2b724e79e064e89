-- Experiments whose arms are versions of the placements.

-- +goose Up
-- What control and treatment are versions of.
ALTER TABLE kindred.experiment ADD COLUMN compares text NOT NULL DEFAULT 'versions' CHECK (compares IN ('versions', 'placements'));

-- The name of the running experiment if it compares placements: the live ones are its control. It is a column of its own, because
-- programs of before take column experiment for one whose treatment is the canary.
ALTER TABLE kindred.live ADD COLUMN placements_experiment text;

-- Whoever makes other placements live ends the experiment: also programs of before.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kindred.end_placements_experiment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.placements IS DISTINCT FROM OLD.placements THEN
        NEW.placements_experiment := NULL;
        UPDATE kindred.experiment SET ended_at = clock_timestamp(), decision = 'stopped',
            why = 'the live placements were changed: the history tells by whom'
            WHERE name = OLD.placements_experiment AND ended_at IS NULL;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER end_placements_experiment BEFORE UPDATE ON kindred.live FOR EACH ROW WHEN (OLD.placements_experiment IS NOT NULL)
    EXECUTE FUNCTION kindred.end_placements_experiment();

-- +goose Down
DROP TRIGGER end_placements_experiment ON kindred.live;
DROP FUNCTION kindred.end_placements_experiment();
ALTER TABLE kindred.live DROP COLUMN placements_experiment;
DELETE FROM kindred.exposure WHERE experiment IN (SELECT name FROM kindred.experiment WHERE compares = 'placements');
DELETE FROM kindred.experiment WHERE compares = 'placements';
ALTER TABLE kindred.experiment DROP COLUMN compares;
