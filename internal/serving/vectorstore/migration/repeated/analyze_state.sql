-- kindred.analyze_state renews the planner's statistics of product_state, which only the table's owner may do. A writer calls it
-- after it has changed many rows: else the plans that functions keep could go on scanning a table that was small.
CREATE OR REPLACE FUNCTION kindred.analyze_state() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    ANALYZE kindred.product_state (id); -- which also counts rows and pages
END $$;

REVOKE ALL ON FUNCTION kindred.analyze_state() FROM PUBLIC;
