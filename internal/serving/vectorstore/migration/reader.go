package migration

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/vectorstore"
)

// rdsIAM is the role by which RDS knows who logs in by IAM; other servers have none.
const rdsIAM = "rds_iam"

// AdmitReader makes the role unless it exists, lets it read all versions, future ones included, and
// lets it write nothing. It gets no password; on RDS it logs in by IAM. Call Up first, which repeats
// the grants from then on. A second call changes nothing.
func AdmitReader(ctx context.Context, s *vectorstore.Store, role string) error {
	if err := admit(ctx, s, admitted{Role: role}); err != nil {
		return fmt.Errorf("admit reader %s: %w", role, err)
	}
	return nil
}

// AdmitWriter is AdmitReader for a role that may also write the state beside the versions, and nothing else.
func AdmitWriter(ctx context.Context, s *vectorstore.Store, role string) error {
	if err := admit(ctx, s, admitted{Role: role, Writes: true}); err != nil {
		return fmt.Errorf("admit writer %s: %w", role, err)
	}
	return nil
}

// admitted is a row of kindred.reader.
type admitted struct {
	Role   string
	Writes bool // the state beside the versions
}

func admit(ctx context.Context, s *vectorstore.Store, a admitted) error {
	role := a.Role
	return locked(ctx, s, func(tx pgx.Tx) error {
		if err := makeRole(ctx, tx, role); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `INSERT INTO kindred.reader AS r (role, writes) VALUES ($1, $2)
			ON CONFLICT (role) DO UPDATE SET writes = r.writes OR excluded.writes RETURNING writes`, role, a.Writes).Scan(&a.Writes)
		if err != nil {
			return err
		}
		return a.grant(ctx, tx)
	})
}

// makeRole makes the role unless it exists. On RDS it may log in by IAM.
func makeRole(ctx context.Context, tx pgx.Tx, role string) error {
	var there, rds bool
	err := tx.QueryRow(ctx, `SELECT coalesce(bool_or(rolname = $1), false), coalesce(bool_or(rolname = $2), false) FROM pg_roles`,
		role, rdsIAM).Scan(&there, &rds)
	if err != nil {
		return err
	}
	name := pgx.Identifier{role}.Sanitize()
	var statements []string
	if !there {
		statements = append(statements, `CREATE ROLE `+name+` LOGIN`)
	}
	if rds {
		statements = append(statements, `GRANT `+rdsIAM+` TO `+name)
	}
	return execAll(ctx, tx, statements...)
}

// grant gives the role what reading takes, and what writing takes if it may write.
func (a admitted) grant(ctx context.Context, tx pgx.Tx) error {
	role := a.Role
	var database string
	var login, connect, public bool
	err := tx.QueryRow(ctx, `SELECT current_database(), rolcanlogin, has_database_privilege(rolname, current_database(), 'CONNECT'),
		has_schema_privilege(rolname, 'public', 'USAGE') FROM pg_roles WHERE rolname = $1`, role).Scan(&database, &login, &connect, &public)
	if err != nil {
		return err
	}
	name := pgx.Identifier{role}.Sanitize()
	// A version's schema is made by the current user, when it is published.
	statements := []string{`ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO ` + name,
		`ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ` + name}
	if !login {
		statements = append(statements, `ALTER ROLE `+name+` LOGIN`)
	}
	if !connect {
		statements = append(statements, `GRANT CONNECT ON DATABASE `+pgx.Identifier{database}.Sanitize()+` TO `+name)
	}
	if !public { // where pgvector's operators are
		statements = append(statements, `GRANT USAGE ON SCHEMA public TO `+name)
	}
	// Only what lacks: a grant to a version that is being dropped by somebody else would fail.
	rows, err := tx.Query(ctx, `SELECT nspname FROM pg_namespace n WHERE (nspname = 'kindred' OR starts_with(nspname, 'model_'))
		AND (NOT has_schema_privilege($1, n.oid, 'USAGE') OR EXISTS (SELECT 1 FROM pg_class c
			WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND NOT has_table_privilege($1, c.oid, 'SELECT')))`, role)
	if err != nil {
		return err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		schema = pgx.Identifier{schema}.Sanitize()
		statements = append(statements, `GRANT USAGE ON SCHEMA `+schema+` TO `+name,
			`GRANT SELECT ON ALL TABLES IN SCHEMA `+schema+` TO `+name)
	}
	statements = append(statements, `GRANT EXECUTE ON FUNCTION kindred.canary_failed(text, text),
		kindred.keep_arms(text, text[], text[]) TO `+name)
	if a.Writes {
		statements = append(statements,
			`GRANT INSERT, UPDATE, DELETE ON kindred.product_state, kindred.catalogue_product, kindred.interaction,
				kindred.customer_state, kindred.visit, kindred.trend, kindred.trend_event TO `+name,
			`GRANT DELETE ON kindred.exposure TO `+name, // of experiments that have ended
			`GRANT UPDATE ON kindred.catalogue TO `+name, `GRANT EXECUTE ON FUNCTION kindred.analyze_state() TO `+name)
	}
	return execAll(ctx, tx, statements...)
}
