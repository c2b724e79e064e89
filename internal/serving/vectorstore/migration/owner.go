package migration

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/vectorstore"
)

// AdmitOwner makes the role unless it exists, and makes it the owner of the registry and of all versions. As this role,
// publish and erase do all that they do, and need not be the server's master. It gets no password; on RDS it logs in by
// IAM. The session's own user stays able to migrate. Call Up first and admit the readers, and AdmitOwner after each
// Up: it hands over what Up has made. A second call changes nothing. It waits for whoever loads a version.
func AdmitOwner(ctx context.Context, s *vectorstore.Store, role string) error {
	if err := locked(ctx, s, func(tx pgx.Tx) error { return own(ctx, tx, role) }); err != nil {
		return fmt.Errorf("admit owner %s: %w", role, err)
	}
	return nil
}

// ourSchemas are the registry's and those of the versions.
const ourSchemas = `(n.nspname = 'kindred' OR starts_with(n.nspname, 'model_'))`

func own(ctx context.Context, tx pgx.Tx, role string) error {
	if err := makeRole(ctx, tx, role); err != nil {
		return err
	}
	name := pgx.Identifier{role}.Sanitize()
	var database, me string
	var uses, creates, connects, public bool
	err := tx.QueryRow(ctx, `SELECT current_database(), current_user, pg_has_role(current_user, $1, 'USAGE'),
		has_database_privilege($1, current_database(), 'CREATE'), has_database_privilege($1, current_database(), 'CONNECT'),
		has_schema_privilege($1, 'public', 'USAGE') AND has_schema_privilege($1, 'public', 'CREATE')`,
		role).Scan(&database, &me, &uses, &creates, &connects, &public)
	if err != nil {
		return err
	}
	var statements []string
	if !uses { // to hand over, and to migrate later what was handed over
		statements = append(statements, `GRANT `+name+` TO `+pgx.Identifier{me}.Sanitize())
	}
	if !creates || !connects {
		statements = append(statements, `GRANT CREATE, CONNECT ON DATABASE `+pgx.Identifier{database}.Sanitize()+` TO `+name)
	}
	if !public { // pgvector's operators are there, and the two views of the live version
		statements = append(statements, `GRANT USAGE, CREATE ON SCHEMA public TO `+name)
	}
	// It asks as a reader whether a version can answer, before that goes live.
	rows, err := tx.Query(ctx, `SELECT role FROM kindred.reader JOIN pg_roles ON rolname = role
		WHERE NOT pg_has_role($1, role, 'MEMBER WITH ADMIN OPTION') ORDER BY role`, role)
	if err != nil {
		return err
	}
	readers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, reader := range readers {
		statements = append(statements, `GRANT `+pgx.Identifier{reader}.Sanitize()+` TO `+name+` WITH ADMIN OPTION`)
	}
	if err := execAll(ctx, tx, statements...); err != nil {
		return err
	}
	return handOver(ctx, tx, role)
}

// handOver makes the role the owner of all that is ours and somebody else's.
func handOver(ctx context.Context, tx pgx.Tx, role string) error {
	rows, err := tx.Query(ctx, `SELECT statement FROM (
		SELECT 1 AS step, format('ALTER SCHEMA %I OWNER TO %I', n.nspname, $1::text) AS statement
			FROM pg_namespace n WHERE `+ourSchemas+` AND n.nspowner <> $1::regrole
		UNION ALL SELECT 2, format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, c.relname, $1::text)
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE (`+ourSchemas+` AND c.relkind IN ('r', 'p', 'v', 'm')
				OR n.nspname = 'public' AND c.relname IN ('kindred_migration', 'item_emb', 'user_emb') AND c.relkind IN ('r', 'v'))
			AND c.relowner <> $1::regrole
		UNION ALL SELECT 3, format('ALTER SEQUENCE %I.%I OWNER TO %I', n.nspname, c.relname, $1::text)
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE `+ourSchemas+` AND c.relkind = 'S' AND c.relowner <> $1::regrole
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')) -- goes with its table
		UNION ALL SELECT 4, format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, $1::text)
			FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			WHERE `+ourSchemas+` AND p.proowner <> $1::regrole
		UNION ALL SELECT 5, format('ALTER TYPE %I.%I OWNER TO %I', n.nspname, t.typname, $1::text)
			FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
			WHERE `+ourSchemas+` AND t.typtype IN ('d', 'e') AND t.typowner <> $1::regrole) a ORDER BY step, statement`, role)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	return execAll(ctx, tx, statements...)
}
