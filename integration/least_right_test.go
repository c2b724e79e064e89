package integration

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/job/publish"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/erasure"
	"kindred/internal/serving/vectorstore/migration"
)

// TestOwnerPublishesWithoutBeingTheMaster hands what a master has made, who is no superuser, over to a role that is
// nothing else. That role publishes, goes live, rolls back, and erases, and the reader reads what it makes. It may
// neither make roles nor read what is not kindred's. The master migrates afterwards as before.
func TestOwnerPublishesWithoutBeingTheMaster(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	role := "publisher_" + randomName()
	t.Cleanup(func() {
		drop()
		ctx, stop := cleanupContext()
		defer stop()
		execPostgres(t, ctx, mustStack(t).PGVectorDSN, "DROP OWNED BY "+role+"; DROP ROLE "+role)
	})
	if err := d.goLive(t.Context()); err != nil { // as before there was an owner
		t.Fatal(err)
	}
	for range 2 { // the second time finds all as it should be
		if err := migration.AdmitOwner(t.Context(), d.store, role); err != nil {
			t.Fatal(err)
		}
	}
	execPostgres(t, t.Context(), d.admin, "ALTER ROLE "+role+" PASSWORD 'kindred'; CREATE TABLE public.private (n int)")
	u, err := url.Parse(d.admin)
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	u.User = url.UserPassword(role, "kindred")
	owner, err := vectorstore.Open(t.Context(), envconfig.PGVector{DSN: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()

	first, second := d.versions[0].ID, randomVersion("m310000000000002", 2, 40, 6, 4)
	d.versions = append(d.versions, second)
	if _, err := publish.Run(t.Context(), publish.Database{Store: owner}, d.versions, "", byTest); err != nil {
		t.Fatalf("publish: %v", err)
	}
	if live := mustLive(t, d.store); live != second.ID {
		t.Errorf("%s is live", live)
	}
	if answers, err := d.answers(t.Context()); err != nil || len(answers) != 4 || len(answers[0].Items) == 0 {
		t.Errorf("the reader's answers from a version that the owner has made: %v, %v", answers, err)
	}
	if _, err := owner.Rollback(t.Context(), byTest); err != nil || mustLive(t, d.store) != first {
		t.Errorf("roll back: %v, %s is live", err, mustLive(t, d.store))
	}
	checkErases(t, owner, "101")
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, forbidden := range []string{"CREATE ROLE another", "SELECT * FROM public.private",
		"ALTER DATABASE " + conn.Config().Database + " OWNER TO " + role} {
		_, err := conn.Exec(t.Context(), forbidden)
		if said := (&pgconn.PgError{}); !errors.As(err, &said) || said.Code != "42501" {
			t.Errorf("%s: %v", forbidden, err)
		}
	}
	if err := migration.Up(t.Context(), d.store); err != nil {
		t.Errorf("the master migrates: %v", err)
	}
	d.versions = append(d.versions, randomVersion("m310000000000003", 3, 40, 6, 4))
	if _, err := publish.Run(t.Context(), publish.Database{Store: owner}, d.versions, "", byTest); err != nil {
		t.Errorf("publish after the master migrated: %v", err)
	}
}

// checkErases deletes a customer from every table of every version.
func checkErases(t *testing.T, store *vectorstore.Store, customer string) {
	t.Helper()
	database, err := erasure.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	tables, unknown, err := database.Tables(t.Context())
	if err != nil || len(unknown) > 0 {
		t.Fatalf("tables: %v, unknown %v", err, unknown)
	}
	for again, want := range []bool{true, false} {
		held := false
		for _, table := range tables {
			found, err := database.Find(t.Context(), table, func(p erasure.Person) bool { return p.Customer == customer })
			if err == nil && found.Rows > 0 {
				held = true
				err = database.Delete(t.Context(), found)
			}
			if err != nil {
				t.Errorf("erase from %s: %v", table, err)
			}
		}
		if held != want {
			t.Errorf("look %d: the customer is held: %t", again, held)
		}
	}
}

// TestEtlReadsTheShopAsAUserWhoCannotWrite makes two users, and gives the first one another password. Each reads
// the whole shop with etl, and cannot write, nor see another database, however many rights it had. Only the
// newest password of a user is valid.
func TestEtlReadsTheShopAsAUserWhoCannotWrite(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	stack.MySQLAdminDSN = mustMySQLServer(t).FormatDSN() // whose user may make users, as RDS's master may
	dsn, db := stack.mustShop(t, etlShop)
	other, _ := stack.mustShop(t, "CREATE TABLE private (n INT)")
	all := stack.mustLake(t)
	master, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("parse MySQL address")
	}
	foreign, err := mysql.ParseDSN(other)
	if err != nil {
		t.Fatal("parse MySQL address")
	}
	suffix, passwords := randomName(), map[string]string{}
	for i, user := range []string{"etl_a_" + suffix, "etl_b_" + suffix, "etl_a_" + suffix} {
		t.Cleanup(func() { _, _ = db.Exec("DROP USER IF EXISTS '" + user + "'@'%'") }) // with a connection of its own
		login := map[string]string{"username": user, "password": strings.Repeat("pass", 4) + randomName() + suffix}
		text, err := json.Marshal(login)
		if err != nil {
			t.Fatal(err)
		}
		secret := mustSecret(t, stack, string(text))
		for n := range 2 { // the second time takes away what somebody has given it
			admitted := run(t, append(all.env(dsn, ""), "MYSQL_READER_SECRET_ARN="+secret), mustProgram(t, "etl"), "admit")
			if admitted.code != 0 || strings.Contains(admitted.stdout+admitted.stderr, login["password"]) {
				t.Fatalf("exit %d: %s%s", admitted.code, admitted.stdout, admitted.stderr)
			}
			if i == 0 && n == 0 {
				mustExec(t, db, "GRANT ALL ON `"+foreign.DBName+"`.* TO '"+user+"'@'%'")
				mustExec(t, db, "GRANT INSERT ON `"+master.DBName+"`.* TO '"+user+"'@'%'")
			}
		}
		reader := master.Clone()
		reader.User, reader.Passwd = login["username"], login["password"]
		l := all.another()
		if a := run(t, l.env(reader.FormatDSN(), ""), mustProgram(t, "etl")); a.code != 0 {
			t.Fatalf("etl as %s: exit %d: %s", user, a.code, a.stderr)
		}
		l.wantWhole(t, l.current(t))
		as, err := sql.Open("mysql", reader.FormatDSN())
		if err != nil {
			t.Fatal(err)
		}
		defer as.Close()
		for _, forbidden := range []string{"INSERT INTO customers (customerNumber) VALUES (1)", "DELETE FROM ratings",
			"DROP TABLE ratings", "CREATE TABLE mine (n INT)", "SELECT * FROM `" + foreign.DBName + "`.private",
			"CREATE USER another"} {
			_, err := as.ExecContext(t.Context(), forbidden)
			var said *mysql.MySQLError
			if denied := []uint16{1142, 1227, 1044}; !errors.As(err, &said) || !slices.Contains(denied, said.Number) {
				t.Errorf("%s as %s: %v", forbidden, user, err)
			}
		}
		if before := passwords[user]; before != "" {
			reader.Passwd = before
			as, err := sql.Open("mysql", reader.FormatDSN())
			if err != nil {
				t.Fatal(err)
			}
			defer as.Close()
			if err := as.PingContext(t.Context()); err == nil {
				t.Errorf("%s logs in with the password of before", user)
			}
		}
		passwords[user] = login["password"]
	}
}
