-- kindred.canary_failed records that the canary could not answer a request which the live version
-- then answered. Ten such requests within ten minutes end the canary. It returns whether this one
-- did. Readers may call it, although they can write nothing themselves: all it can do is to give
-- sessions back to the live version.
CREATE OR REPLACE FUNCTION kindred.canary_failed(failed text, why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    enough CONSTANT integer := 10;
    period CONSTANT interval := '10 minutes';
    at_moves bigint;
    live text;
    errors integer;
BEGIN
    SELECT moves, version INTO at_moves, live FROM kindred.live WHERE canary = failed;
    IF NOT FOUND THEN
        RETURN false; -- it has ended already
    END IF;
    DELETE FROM kindred.canary_error WHERE moves <> at_moves OR at < clock_timestamp() - period;
    INSERT INTO kindred.canary_error (version, moves, reason) VALUES (failed, at_moves, left(why, 300));
    SELECT count(*) INTO errors FROM kindred.canary_error;
    IF errors < enough THEN
        RETURN false;
    END IF;
    UPDATE kindred.live SET canary = NULL, canary_share = NULL, moves = moves + 1 WHERE moves = at_moves AND canary = failed;
    IF NOT FOUND THEN
        RETURN false; -- somebody else changed the pointer
    END IF;
    INSERT INTO kindred.promotion (actor, action, from_version, to_version, reason)
    VALUES (session_user, 'canary-off', failed, live,
        format('the canary ended itself: it could not answer %s requests within %s minutes; the last one: %s',
            errors, extract(minutes FROM period), left(why, 300)));
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION kindred.canary_failed(text, text) FROM PUBLIC;
