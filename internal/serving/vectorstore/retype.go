package vectorstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// retypeView drops user_emb if it was made when customers had numbers, because no view may change the
// type of a column, and makes an empty one with the same owner, grants and comment in its place. The
// caller points it at a version.
func retypeView(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT format(statement, 'public.user_emb') FROM (
		SELECT c.oid, c.relowner, c.relacl FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'
		WHERE c.oid = to_regclass('public.user_emb') AND c.relkind = 'v' AND a.atttypid = 'integer'::regtype) AS v
		CROSS JOIN LATERAL (
			SELECT 1, 'DROP VIEW %s'
			UNION ALL SELECT 2, 'CREATE VIEW %s AS SELECT ''''::text COLLATE "C" AS id, NULL::vector AS embedding WHERE false'
			UNION ALL SELECT 3, 'ALTER VIEW %s OWNER TO ' || replace(quote_ident(pg_get_userbyid(v.relowner)), '%', '%%')
				WHERE v.relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
			UNION ALL SELECT 4, 'COMMENT ON VIEW %s IS ' || quote_literal(replace(obj_description(v.oid, 'pg_class'), '%', '%%'))
				WHERE obj_description(v.oid, 'pg_class') IS NOT NULL
			UNION ALL SELECT 5, 'GRANT ' || g.privilege_type || ' ON %s TO '
					|| CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE replace(quote_ident(pg_get_userbyid(g.grantee)), '%', '%%') END
					|| CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
				FROM aclexplode(v.relacl) g WHERE g.grantee <> v.relowner
		) AS steps (step, statement) ORDER BY step`)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	err = execAll(ctx, tx, statements...)
	var state *pgconn.PgError
	if errors.As(err, &state) && state.Code == "2BP01" { // something depends on it
		return fmt.Errorf("%w: public.user_emb is to show ids as text, but other views were made from it; drop them, "+
			"publish, and make them again", ErrNameTaken)
	}
	return err
}
