-- kindred.keep_arms keeps the arms of visitors who have none yet, while their experiment runs, and returns
-- what is kept of these visitors then. Readers may call it, although they can write nothing themselves: all
-- it can do is to keep a visitor's arm.
CREATE OR REPLACE FUNCTION kindred.keep_arms(of text, visitors text[], arms text[]) RETURNS TABLE (kept_visitor text, kept_arm text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM kindred.experiment e WHERE e.name = of AND e.ended_at IS NULL) THEN
        RETURN; -- it has ended already
    END IF;
    -- In the order of their keys, so that two writers do not wait for each other in a circle.
    INSERT INTO kindred.exposure (experiment, visitor, arm)
        SELECT of, n.visitor, n.arm FROM unnest(visitors, arms) AS n (visitor, arm) ORDER BY n.visitor COLLATE "C"
        ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT x.visitor, x.arm FROM kindred.exposure x WHERE x.experiment = of AND x.visitor = ANY (visitors);
END $$;

REVOKE ALL ON FUNCTION kindred.keep_arms(text, text[], text[]) FROM PUBLIC;
