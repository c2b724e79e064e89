-- The products that a version does not know get vectors when the state of products is written: in the same transaction, for every
-- version that is loaded, so that going live, a canary and a rollback find them there (docs/decisions/0060). A version's schema has
-- what it takes: table feature has the vector of each feature, and of none (''); table number has the edges of each number; table
-- new_item has the vectors. They are made when the version is loaded. Versions of before have none of them, and know no new products.

-- kindred.encode_products gives vectors to the products of these ids (NULL: to all), as far as the version in the schema does not know
-- them. A version has at most 10,000 such products: the newest ones. Hidden ones have a place only while nobody else needs it.
CREATE OR REPLACE FUNCTION kindred.encode_products(place text, ids text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most CONSTANT integer := 10000;
    unknown text[];
    places bigint;
    gone bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I.new_item', place) INTO places;
    EXECUTE format($sql$SELECT array_agg(id) FROM (
            SELECT n.code AS id FROM %1$I.new_item n WHERE $1 IS NULL OR n.code = ANY($1)
            UNION ALL (SELECT s.id FROM kindred.product_state s WHERE ($1 IS NULL OR s.id = ANY($1))
                AND NOT EXISTS (SELECT FROM %1$I.item i WHERE i.code = s.id)
                AND NOT EXISTS (SELECT FROM %1$I.new_item n WHERE n.code = s.id)
                AND ($3 < $2 OR NOT s.hidden)
                ORDER BY s.hidden, s.first_seen DESC, s.id LIMIT $2 + 1)) u$sql$, place) -- one too many says that some wait
        INTO unknown USING ids, most, places;
    IF unknown IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format($sql$INSERT INTO %1$I.new_item AS n (code, embedding)
        SELECT s.id, public.sum(f.embedding) FROM kindred.product_state s, LATERAL (
            SELECT '' AS name
            UNION SELECT 'category=' || c FROM unnest(s.categories) c
            UNION SELECT 'brand=' || s.brand
            UNION SELECT 'attribute ' || a.key || '=' || (a.value #>> '{}') FROM jsonb_each(s.attributes) a
                WHERE jsonb_typeof(a.value) IN ('string', 'boolean')
            UNION SELECT e.name || '=' || (SELECT count(*) FROM unnest(e.edges) edge WHERE edge < v.value)
                FROM (SELECT 'price', s.price::float8
                    UNION ALL SELECT 'attribute ' || a.key, (a.value #>> '{}')::float8 FROM jsonb_each(s.attributes) a
                        WHERE jsonb_typeof(a.value) = 'number') v (number, value)
                JOIN %1$I.number e ON e.name = v.number WHERE v.value IS NOT NULL) has
            JOIN %1$I.feature f ON f.name = has.name
        WHERE s.id = ANY($1) GROUP BY s.id ORDER BY s.id
        ON CONFLICT (code) DO UPDATE SET embedding = excluded.embedding
            WHERE n.embedding OPERATOR(public.<>) excluded.embedding$sql$, place) USING unknown;
    IF places + cardinality(unknown) <= most THEN
        RETURN;
    END IF;
    EXECUTE format($sql$WITH gone AS (DELETE FROM %1$I.new_item WHERE code IN (
            SELECT code FROM %1$I.new_item WHERE code IN (
                SELECT n.code FROM %1$I.new_item n JOIN kindred.product_state s ON s.id = n.code
                ORDER BY s.hidden, s.first_seen DESC, s.id OFFSET $1)
            FOR UPDATE SKIP LOCKED) RETURNING code) -- another writer's are left to the next write
        SELECT count(*) FROM gone JOIN kindred.product_state s ON s.id = gone.code WHERE NOT s.hidden$sql$, place)
        INTO gone USING most;
    IF gone > 0 THEN
        RAISE WARNING 'there are more than % new products in %: the oldest ones have no vector until the next version', most, place;
    END IF;
END $$;

REVOKE ALL ON FUNCTION kindred.encode_products(text, text[]) FROM PUBLIC;

-- The lock (SELECT kindred.lock_products(true) where a version is loaded or dropped) makes a write see a version either whole or not.
CREATE OR REPLACE FUNCTION kindred.lock_products(alone boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    key CONSTANT bigint := 7739838812307940356; -- 'kindred', 4
BEGIN
    IF alone THEN
        PERFORM pg_advisory_xact_lock(key);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(key);
    END IF;
END $$;

-- A version whose tables are damaged does not stop anybody from writing: publish mends it.
CREATE OR REPLACE FUNCTION kindred.new_products() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids text[];
    place text;
BEGIN
    IF TG_OP <> 'TRUNCATE' THEN
        SELECT array_agg(id) INTO ids FROM changed;
        IF ids IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM kindred.lock_products(false);
    FOR place IN SELECT 'model_' || version FROM kindred.model_version
        WHERE state = 'ready' AND to_regclass('model_' || version || '.new_item') IS NOT NULL
    LOOP
        BEGIN
            IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
                EXECUTE format('DELETE FROM %I.new_item WHERE $1 IS NULL OR code = ANY($1)', place) USING ids;
            ELSE
                PERFORM kindred.encode_products(place, ids);
            END IF;
        EXCEPTION WHEN undefined_table OR undefined_column THEN
            RAISE WARNING 'no vectors of new products in %: %', place, SQLERRM;
        END;
    END LOOP;
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION kindred.new_products() FROM PUBLIC;

-- Making a trigger waits for all who write the table, and they wait for it. So it is done only where one is missing.
DO $$
BEGIN
    IF (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'kindred.product_state'::regclass AND tgenabled <> 'D'
            AND tgfoid = 'kindred.new_products()'::regprocedure
            AND (tgname, tgtype, coalesce(tgnewtable, ''), coalesce(tgoldtable, '')) IN (
                ('new_products_inserted', 4, 'changed', ''), ('new_products_updated', 16, 'changed', ''),
                ('new_products_deleted', 8, '', 'changed'), ('new_products_truncated', 32, '', ''))) = 4 THEN
        RETURN;
    END IF;
    CREATE OR REPLACE TRIGGER new_products_inserted AFTER INSERT ON kindred.product_state
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION kindred.new_products();
    CREATE OR REPLACE TRIGGER new_products_updated AFTER UPDATE ON kindred.product_state
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION kindred.new_products();
    CREATE OR REPLACE TRIGGER new_products_deleted AFTER DELETE ON kindred.product_state
        REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION kindred.new_products();
    CREATE OR REPLACE TRIGGER new_products_truncated AFTER TRUNCATE ON kindred.product_state
        FOR EACH STATEMENT EXECUTE FUNCTION kindred.new_products();
END $$;
