-- Experiments: two arms that visitors are drawn into.

-- +goose Up
-- control and treatment are model versions. share is the treatment's, of the visitors. An experiment ends once, and keeps its row.
CREATE TABLE kindred.experiment (
    name         text COLLATE "C"  PRIMARY KEY,
    control      text              NOT NULL,
    treatment    text              NOT NULL,
    share        double precision  NOT NULL CHECK (share > 0 AND share < 1),
    outcome      text              NOT NULL CHECK (outcome IN ('hits', 'carts', 'purchases')),
    error_rate   double precision  NOT NULL,
    max_visitors bigint            NOT NULL,
    actor        text              NOT NULL,
    reason       text              NOT NULL,
    started_at   timestamptz       NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    decision     text CHECK (decision IN ('promote', 'roll back', 'inconclusive', 'stopped')),
    why          text,
    CHECK ((ended_at IS NULL) = (decision IS NULL) AND (ended_at IS NULL) = (why IS NULL))
);
CREATE UNIQUE INDEX experiment_running ON kindred.experiment ((true)) WHERE ended_at IS NULL; -- one at most

-- The arms that visitors of the running experiment were drawn into. visitor is 'customer ID' or 'session ID'.
CREATE TABLE kindred.exposure (
    experiment text COLLATE "C" NOT NULL,
    visitor    text COLLATE "C" NOT NULL,
    arm        text             NOT NULL CHECK (arm IN ('control', 'treatment')),
    PRIMARY KEY (experiment, visitor)
);

-- The name of the running experiment. Its treatment is the canary.
ALTER TABLE kindred.live ADD COLUMN experiment text;

-- Whoever moves the pointer or the canary ends the experiment: also programs of before, and a canary that ends itself.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kindred.end_experiment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.version, NEW.canary, NEW.canary_share) IS DISTINCT FROM (OLD.version, OLD.canary, OLD.canary_share) THEN
        NEW.experiment := NULL;
        UPDATE kindred.experiment SET ended_at = clock_timestamp(), decision = 'stopped',
            why = 'the live version or the canary was changed: the history tells by whom'
            WHERE name = OLD.experiment AND ended_at IS NULL;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER end_experiment BEFORE UPDATE ON kindred.live FOR EACH ROW WHEN (OLD.experiment IS NOT NULL)
    EXECUTE FUNCTION kindred.end_experiment();

-- The arm of a customer who is forgotten is forgotten too.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kindred.forget_arms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM kindred.exposure WHERE visitor = 'customer ' || NEW.customer
        AND experiment IN (SELECT name FROM kindred.experiment);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER forget_arms AFTER INSERT OR UPDATE ON kindred.customer_state FOR EACH ROW WHEN (NEW.field = 'forgotten')
    EXECUTE FUNCTION kindred.forget_arms();

-- +goose Down
DROP TRIGGER forget_arms ON kindred.customer_state;
DROP TRIGGER end_experiment ON kindred.live;
DROP FUNCTION kindred.forget_arms(), kindred.end_experiment();
ALTER TABLE kindred.live DROP COLUMN experiment;
DROP TABLE kindred.exposure, kindred.experiment;
