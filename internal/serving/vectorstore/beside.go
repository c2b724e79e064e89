package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/platform/envconfig"
)

// database is the database of a DSN that is no URL.
var database = regexp.MustCompile(`(^|\s)dbname\s*=\s*(\S+)`)

// Beside is the address of a shop's own database: that of cfg with the shop's name behind its database's.
func Beside(cfg envconfig.PGVector, shop string) (envconfig.PGVector, error) {
	at, err := pgx.ParseConfig(cfg.DSN)
	if err != nil || at.Database == "" {
		return cfg, errors.New("PGVECTOR_DSN names no database") // pgx's error may show a password
	}
	name := at.Database + "_" + shop
	const longest = 63 // PostgreSQL cuts longer names off
	if len(name) > longest {
		return cfg, fmt.Errorf("the database %s would have a name of more than %d bytes; set PGVECTOR_DSN to a database of "+
			"the shop's own",
			name, longest)
	}
	switch u, err := url.Parse(cfg.DSN); {
	case err == nil && u.Scheme != "":
		u.Path, u.RawPath = "/"+name, ""
		cfg.DSN = u.String()
	case database.MatchString(cfg.DSN):
		cfg.DSN = database.ReplaceAllString(cfg.DSN, "${1}dbname="+name)
	default:
		cfg.DSN += " dbname=" + name
	}
	return cfg, nil
}

// CreateDatabase makes the database that other names, on the server of cfg, unless it is there.
func CreateDatabase(ctx context.Context, cfg, other envconfig.PGVector) error {
	at, err := pgx.ParseConfig(other.DSN)
	if err != nil {
		return errors.New("PGVECTOR_DSN cannot be read")
	}
	s, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	var there bool
	if err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, at.Database).
		Scan(&there); err != nil {
		return fmt.Errorf("look for database %s: %w", at.Database, err)
	}
	if there {
		return nil
	}
	create := `CREATE DATABASE ` + pgx.Identifier{at.Database}.Sanitize()
	_, err = s.pool.Exec(ctx, create, pgx.QueryExecModeSimpleProtocol)
	var state *pgconn.PgError
	switch {
	case errors.As(err, &state) && state.Code == "42P04": // somebody else was first
		return nil
	case denied(err):
		return fmt.Errorf("the user of PGVECTOR_DSN may not make the shop's database; run `%s` as one who may: %w", create,
			err)
	case err != nil:
		return fmt.Errorf("make database %s: %w", at.Database, err)
	}
	return nil
}
