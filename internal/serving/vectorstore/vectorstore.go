// Package vectorstore keeps model versions in PostgreSQL with pgvector, and answers from them. Each
// version has a schema of its own. There is a registry, one pointer to the live version, the history
// of that pointer, and beside all versions the state of the shop's products. The package owns the
// tables, the swap of the pointer, the order in which state is written, the queries, and the check
// that a version can answer. It does not decide what to recommend (package recommend), and it trains
// nothing.
//
// Each version has a schema, and no version column, because it is written once and dropped whole:
// loading is a plain COPY into fresh tables, an index never mixes two versions, and dropping is
// instant.
package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxvector "github.com/pgvector/pgvector-go/pgx"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/patience"
)

const (
	// defaultMaxConns is the number of connections of a process, unless the DSN has pool_max_conns. A
	// Lambda instance serves one batch at a time, and PostgreSQL pays for every connection.
	defaultMaxConns = 2
	// defaultConnectTimeout is the longest wait for a login, unless the DSN has connect_timeout. A batch
	// must fail while there is time left to report it.
	defaultConnectTimeout = 5 * time.Second
	// closeTime is how long a program waits for its connections to end.
	closeTime = time.Second
	// cachedModels is how many versions' solvers stay in memory: live, previous, canary and the next one.
	cachedModels = 4
	// maxVersion is the longest version in bytes, of the 63 that PostgreSQL keeps of an identifier.
	maxVersion = 40
)

// session sets the parameters of a connection and asks for the ids of the vector types, in one statement:
// poolers refuse start-up parameters.
//   - Iterative scans: a filter would leave too few rows of a plain HNSW scan.
//   - Generic plans: the many equal searches are planned once. Vectors are bound in binary, so such a
//     plan does not parse them for each row.
//   - No JIT and no parallel workers: they cost more than such short queries take.
//   - Idle connections end: Lambda may remove a function's process without closing its
//     connections. If the process continues after a pause, its pool notices closed connections
//     before it uses them.
//   - The wait for a lock ends. By default PostgreSQL waits without a limit.
const session = `SELECT set_config('hnsw.iterative_scan', 'strict_order', false),
	set_config('idle_session_timeout', '10min', false), set_config('plan_cache_mode', 'force_generic_plan', false),
	set_config('jit', 'off', false), set_config('max_parallel_workers_per_gather', '0', false),
	set_config('lock_timeout', $1, false), to_regtype('vector')::oid::int8, to_regtype('_vector')::oid::int8`

// Store is a connection to the vector database, and the store that package recommend answers from.
// It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	shop     string // it answers for this one only; empty: for whichever is live
	mu       sync.Mutex
	models   map[string]*model // by version, at most cachedModels
	placed   placed
	counting counting
}

// Open checks the configuration and returns a store that connects when first used: it makes no
// request itself. A login by IAM uses the credentials that Lambda sets.
func Open(ctx context.Context, cfg envconfig.PGVector) (*Store, error) {
	return OpenAs(ctx, cfg, onLambda)
}

// OpenAs is Open for a program that is no function: who finds its credentials if it logs in by IAM.
func OpenAs(ctx context.Context, cfg envconfig.PGVector, who Who) (*Store, error) {
	if cfg.DSN == "" {
		return nil, fmt.Errorf("open vector database: %w", envconfig.NotSetError{Variable: "PGVECTOR_DSN"})
	}
	config, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		reason := err.Error() // quotes the DSN first, with most passwords crossed out, but not all
		if end := strings.LastIndex(reason, "`: "); end >= 0 {
			reason = reason[end+len("`: "):]
		}
		return nil, fmt.Errorf("read PGVECTOR_DSN: %s", reason)
	}
	if !strings.Contains(cfg.DSN, "pool_max_conns") {
		config.MaxConns = defaultMaxConns
	}
	if cfg.IAM {
		if config.BeforeConnect, err = loginByIAM(ctx, config.ConnConfig, who); err != nil {
			return nil, err
		}
	}
	if err := through(config.ConnConfig, cfg.Via); err != nil {
		return nil, err
	}
	if err := limitWaits(config, strings.Contains(cfg.DSN, "connect_timeout")); err != nil {
		return nil, err
	}
	config.AfterConnect = prepareSession
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open vector database: %w", err)
	}
	return &Store{pool: pool, models: map[string]*model{}}, nil
}

// Close ends all connections. It waits at most closeTime for them: a connection whose question was
// broken off first asks the server to stop working on it, which takes pgx 15 seconds when the server
// does not answer.
func (s *Store) Close() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeTime):
	}
}

// Connect opens a connection that a later question finds, within the limit for a login (package patience). If that
// fails, it says nothing: the question tries again, and says why.
func (s *Store) Connect(ctx context.Context) {
	if conn, err := s.pool.Acquire(ctx); err == nil {
		conn.Release()
	}
}

// Connections is how many questions the store sends at the same time; others wait.
func (s *Store) Connections() int { return int(s.pool.Config().MaxConns) }

// Config is how the store's connections are made; package migration needs one without the vector types.
func (s *Store) Config() *pgxpool.Config { return s.pool.Config() }

// prepareSession makes a fresh connection bind vectors in binary and sets the session's parameters.
func prepareSession(ctx context.Context, conn *pgx.Conn) error {
	wait, err := LockTime()
	if err != nil {
		return err
	}
	var set [6]string
	var vector, array *uint32
	err = conn.QueryRow(ctx, session, pgx.QueryExecModeSimpleProtocol, wait).Scan(&set[0], &set[1], &set[2], &set[3],
		&set[4], &set[5], &vector, &array)
	if err != nil {
		return fmt.Errorf("set session parameters: %w", err)
	}
	if vector == nil || array == nil {
		return errors.New("register vector types: vector type not found in the database")
	}
	types, one := conn.TypeMap(), &pgtype.Type{Name: "vector", OID: *vector, Codec: &pgxvector.VectorCodec{}}
	types.RegisterType(one)
	types.RegisterType(&pgtype.Type{Name: "_vector", OID: *array, Codec: &pgtype.ArrayCodec{ElementType: one}})
	return nil
}

// LockTime is how long a statement waits for a lock that another session holds, as PostgreSQL's
// setting lock_timeout has it.
func LockTime() (string, error) {
	wait, err := patience.ForLock()
	return strconv.FormatInt(max(wait.Milliseconds(), 1), 10), err // 0 would be no limit
}

// schemaOf names the version's schema. A version that could not be part of an identifier is ErrInvalid.
func schemaOf(version string) (string, error) {
	letter := func(c byte) bool { return 'a' <= c && c <= 'z' }
	fit := version != "" && len(version) <= maxVersion && letter(version[0])
	for i := range len(version) {
		fit = fit && (letter(version[i]) || '0' <= version[i] && version[i] <= '9')
	}
	if !fit {
		return "", fmt.Errorf("name schema of version %q: %w: want a lower-case letter, then up to 39 letters and digits",
			version, ErrInvalid)
	}
	return "model_" + version, nil
}
