package migration

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"kindred/internal/serving/vectorstore"
)

// rdsIAM is the role by which RDS knows who logs in by IAM; other servers have none.
const rdsIAM = "rds_iam"

// AdmitReader makes the role unless it is there, and lets it read all versions, those to come too,
// and write nothing. It gets no password; on RDS it logs in by IAM. Call Up first. A second time
// changes nothing.
func AdmitReader(ctx context.Context, s *vectorstore.Store, role string) error {
	pool, err := pgxpool.NewWithConfig(ctx, s.Config())
	if err != nil {
		return fmt.Errorf("admit reader %s: %w", role, err)
	}
	defer pool.Close()
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// CREATE ROLE knows no IF NOT EXISTS; migrators take turns.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, migrationLock); err != nil {
			return err
		}
		var there, rds bool
		err := tx.QueryRow(ctx, `SELECT coalesce(bool_or(rolname = $1), false), coalesce(bool_or(rolname = $2), false) FROM pg_roles`, role, rdsIAM).Scan(&there, &rds)
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
		// A version's schema is made by this role, when it is published.
		statements = append(statements, `ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO `+name, `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO `+name)
		rows, err := tx.Query(ctx, `SELECT nspname FROM pg_namespace WHERE nspname = 'kindred' OR starts_with(nspname, 'model_')`)
		if err != nil {
			return err
		}
		schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, schema := range schemas {
			schema = pgx.Identifier{schema}.Sanitize()
			statements = append(statements, `GRANT USAGE ON SCHEMA `+schema+` TO `+name, `GRANT SELECT ON ALL TABLES IN SCHEMA `+schema+` TO `+name)
		}
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("admit reader %s: %w", role, err)
	}
	return nil
}
