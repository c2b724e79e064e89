package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// unnamed is for a question that is asked once: its types come from the server, because functions are
// built without pgx's list of Go types, and no prepared statement stays.
const unnamed = pgx.QueryExecModeDescribeExec

// Check asks what serving asks, over a connection of its own, which it opens for that: what new
// connections meet counts, and a busy pool does not delay it. It returns the versions that answer.
// A canary that cannot answer is in Traffic.CanaryFault; a live version that cannot is an error.
// Nothing is taken from memory. Errors: ErrNoLiveVersion, ErrCannotAnswer, and those of connecting.
func (s *Store) Check(ctx context.Context) (recommend.Traffic, error) {
	conn, err := s.fresh(ctx)
	if err != nil {
		return recommend.Traffic{}, fmt.Errorf("check live version: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it only read
	traffic, err := checkTraffic(ctx, conn)
	if err == nil {
		err = s.owns(ctx, conn, traffic.Live.Version)
	}
	if err != nil {
		return recommend.Traffic{}, fmt.Errorf("check live version: %w", err)
	}
	return traffic, nil
}

// fresh is a connection that the pool does not know: it meets what new connections meet. The caller
// closes it.
func (s *Store) fresh(ctx context.Context) (*pgx.Conn, error) {
	config := s.pool.Config()
	if config.BeforeConnect != nil {
		if err := config.BeforeConnect(ctx, config.ConnConfig); err != nil {
			return nil, err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	if err := prepareSession(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// CheckVersion asks a version's questions as each admitted reader, and as the current user where
// there is none, over a fresh connection. It changes nothing. Errors: ErrCannotAnswer, and those of
// connecting.
func (s *Store) CheckVersion(ctx context.Context, version string) error {
	readers, err := s.readers(ctx)
	if err != nil {
		return fmt.Errorf("check version %s: %w", version, err)
	}
	conn, err := s.fresh(ctx)
	if err != nil {
		return fmt.Errorf("check version %s: %w", version, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it only read
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		return asReaders(ctx, tx, readers, func(db querier) error { return checkVersion(ctx, db, version) })
	})
	if err != nil {
		return fmt.Errorf("check version %s: %w", version, err)
	}
	return nil
}

// checkTraffic asks the versions that the pointer shows.
func checkTraffic(ctx context.Context, db querier) (recommend.Traffic, error) {
	versions, live := registry["model_version"], registry["live"]
	// A database that is not migrated yet lacks the last ones, and answers.
	versions, live = versions[:len(versions)-1], live[:len(live)-3]
	faults, err := lacking(ctx, db, "kindred", columns{"live": live, "model_version": versions}, "")
	if err != nil {
		return recommend.Traffic{}, err
	}
	models := map[string]*model{}
	traffic, err := readTraffic(ctx, db, func(ctx context.Context, version string, _ said) (m *model, err error) {
		m, err = readModel(ctx, db, version)
		models[version] = m
		return m, err
	}, placementsReader{
		func(ctx context.Context, version string) (*recommend.Placements, error) {
			return readPlacements(ctx, db, version)
		},
		func(ctx context.Context, name string) (placementsArms, error) { return readArms(ctx, db, name) },
	})
	switch {
	case err != nil:
		return recommend.Traffic{}, err
	case len(faults) > 0:
		return recommend.Traffic{}, fmt.Errorf("%w: %s", ErrCannotAnswer, strings.Join(faults, "; "))
	}
	if err := models[traffic.Live.Version].check(ctx, db); err != nil {
		return recommend.Traffic{}, err
	}
	if traffic.Canary != nil && traffic.CanaryFault == nil {
		traffic.CanaryFault = models[traffic.Canary.Version].check(ctx, db)
	}
	return traffic, ctx.Err()
}

// checkVersion is check of a version.
func checkVersion(ctx context.Context, db querier, version string) error {
	m, err := readModel(ctx, db, version)
	if err != nil {
		return fmt.Errorf("%w: version %s: %w", ErrCannotAnswer, version, err)
	}
	return m.check(ctx, db)
}

// check asks a version one question of each kind, by the statements of serving, and looks at the
// answers. Errors: ErrCannotAnswer, joined with the cause.
func (m *model) check(ctx context.Context, db querier) error {
	if err := m.ask(ctx, db); err != nil {
		return fmt.Errorf("%w: version %s: %w", ErrCannotAnswer, m.Version, err)
	}
	return nil
}

func (m *model) ask(ctx context.Context, db querier) error {
	if err := mayConnect(ctx, db); err != nil {
		return err
	}
	version := m.Version
	faults, err := lacking(ctx, db, m.schema, m.form.tables(m.near != nil, m.newItems, m.together), markOf(version))
	if err == nil && len(faults) > 0 {
		err = errors.New(strings.Join(faults, "; "))
	}
	if err != nil {
		return err
	}
	var code string
	var customer *string
	var lost bool // a whole table's rows; counting them would take too long here
	err = db.QueryRow(ctx, `SELECT coalesce((SELECT i.code FROM `+m.schema+`.item i WHERE `+m.shown(`i`)+` LIMIT 1), ''),
			(SELECT `+m.form.customerID()+` FROM `+m.schema+`.customer LIMIT 1),
			customers > 0 AND NOT EXISTS (SELECT FROM `+m.schema+`.customer) OR rated > 0 AND NOT EXISTS (SELECT FROM `+m.schema+`.rated)
				`+m.lostNear()+`
		FROM kindred.model_version WHERE version = $1`, unnamed, version).Scan(&code, &customer, &lost)
	switch {
	case err != nil:
		return fmt.Errorf("choose a product and a customer: %w", questionFault(err, version))
	case lost:
		return errors.New("a table has lost its rows")
	case code == "":
		return errors.New("no product is in stock: every answer would be empty")
	}
	var customers []string
	if customer == nil { // a model without customers: ask for one that it does not know
		customer = new("0")
	} else {
		customers = []string{*customer}
	}
	found, err := m.lookUp(ctx, db, []string{code}, customers, []string{"of the check"}, activity.Order{})
	if err != nil {
		return fmt.Errorf("look up: %w", err)
	}
	if found.Items[code].Vector == nil || len(found.Customers) != len(customers) {
		return errors.New("a look-up does not find what the tables hold")
	}
	candidates, similar, err := m.retrieve(ctx, db, []recommend.Search{
		{Limit: 1},
		{Vector: found.Items[code].Vector, Limit: 1, New: 1},
		{Vector: found.Items[code].Vector, Customer: customer, Exclude: []string{code}, Limit: 1},
		{Vector: found.Items[code].Vector, Added: found.Items[code].Near, Limit: 1},
	}, []recommend.Neighbours{{Code: code, Limit: 1}})
	if err != nil {
		return fmt.Errorf("retrieve: %w", err)
	}
	if len(candidates[0]) == 0 || len(candidates[1]) == 0 || len(candidates[3]) == 0 {
		return errors.New("a search finds nothing, although products are in stock")
	}
	if len(candidates[2]) > 0 && candidates[2][0].Code == code || len(similar[0]) > 0 && similar[0][0].Code == code {
		return errors.New("a search finds what it was to leave out")
	}
	return nil
}

// mayConnect checks whether the current role could log in again. A connected session stays
// connected even if the role has lost this right.
func mayConnect(ctx context.Context, db querier) error {
	var login, connect bool
	err := db.QueryRow(ctx, `SELECT rolcanlogin, has_database_privilege(current_database(), 'CONNECT') FROM pg_roles
		WHERE rolname = current_user`, unnamed).Scan(&login, &connect)
	switch {
	case err != nil:
		return fmt.Errorf("look at the role: %w", err)
	case !login:
		return errors.New("the role may not log in")
	case !connect:
		return errors.New("the role may not connect to the database")
	}
	return nil
}

// readers are the admitted roles that exist.
func (s *Store) readers(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT role FROM kindred.reader JOIN pg_roles ON rolname = role ORDER BY role`)
	if err == nil {
		var roles []string
		if roles, err = pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
			return roles, nil
		}
	}
	if undefined(err) { // not migrated since readers are recorded
		return nil, nil
	}
	return nil, fmt.Errorf("list readers: %w", err)
}

// asReaders lets ask ask as each of the roles, or as the current one where there is none. Whatever
// it does in the database is undone.
func asReaders(ctx context.Context, tx pgx.Tx, roles []string, ask func(querier) error) error {
	if len(roles) == 0 {
		return undone(ctx, tx, func(db pgx.Tx) error { return ask(db) })
	}
	for _, role := range roles {
		if err := asReader(ctx, tx, role, ask); err != nil {
			return fmt.Errorf("as reader %s: %w", role, err)
		}
	}
	return nil
}

// asReader runs ask as the role. On RDS the current user may create roles, but is not a superuser,
// and so is not a member of the role. It must not become one permanently: the role is a member of
// rds_iam, and members of rds_iam cannot log in by password. So the membership exists only inside a
// transaction that is rolled back. If the current user may not give itself the membership, asReader
// runs ask as the current user, and checks the role's rights.
func asReader(ctx context.Context, tx pgx.Tx, role string, ask func(querier) error) error {
	name := pgx.Identifier{role}.Sanitize()
	for _, become := range [][]string{{`SET LOCAL ROLE ` + name}, {`GRANT ` + name + ` TO CURRENT_USER`,
		`SET LOCAL ROLE ` + name}} {
		became := false
		err := undone(ctx, tx, func(tx pgx.Tx) error {
			if err := execAll(ctx, tx, become...); err != nil {
				return err
			}
			became = true
			// A statement that this connection has prepared as another role would not ask for the right to
			// use a schema: PostgreSQL checks that once, when it parses the statement.
			if err := tx.Conn().DeallocateAll(ctx); err != nil {
				return err
			}
			return ask(tx)
		})
		if became || !denied(err) {
			return err
		}
	}
	return undone(ctx, tx, func(tx pgx.Tx) error {
		if err := mayRead(ctx, tx, role); err != nil {
			return err
		}
		return ask(tx)
	})
}

// mayRead looks at the rights of a role on the registry and on the versions that are ready.
func mayRead(ctx context.Context, db querier, role string) error {
	var what *string
	err := db.QueryRow(ctx, `SELECT min(n.nspname || '.' || c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND (n.nspname = 'kindred' AND c.relname IN ('live', 'model_version', 'product_state',
			'catalogue', 'interaction', 'customer_state', 'visit', 'trend', 'placements')
			OR n.nspname IN (SELECT 'model_' || version FROM kindred.model_version WHERE state = 'ready'))
		AND NOT (has_schema_privilege($1, n.oid, 'USAGE') AND has_table_privilege($1, c.oid, 'SELECT'))`, role).Scan(&what)
	if err == nil && what != nil {
		err = fmt.Errorf("it may not read %s", *what)
	}
	return err
}

// undone runs do inside a savepoint and takes back what it did.
func undone(ctx context.Context, tx pgx.Tx, do func(pgx.Tx) error) error {
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	err = do(inner)
	return errors.Join(err, inner.Rollback(ctx))
}

// denied reports PostgreSQL's insufficient_privilege.
func denied(err error) bool {
	var state *pgconn.PgError
	return errors.As(err, &state) && state.Code == "42501"
}
