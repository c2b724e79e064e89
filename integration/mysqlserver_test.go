package integration

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"kindred/localstack/stack"

	driver "github.com/go-sql-driver/mysql"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/mysql"
	readiness "github.com/testcontainers/testcontainers-go/wait"
)

// latin1 is what makes a server's defaults those of MySQL 5.7, and of MariaDB before 11.6.
var latin1 = []string{"--character-set-server=latin1", "--collation-server=latin1_swedish_ci"}

// mustLatin1Server starts a MySQL-protocol server of the test's own whose default character set is
// latin1, and returns the address of a user who may do everything there.
func mustLatin1Server(t *testing.T) *driver.Config {
	t.Helper()
	cfg := mustMySQLServer(t, latin1...)
	var charset string
	mustAsk(t, cfg, "SELECT @@character_set_server", &charset)
	if charset != "latin1" {
		t.Fatalf("the server's character set is %q", charset)
	}
	return cfg
}

// mustMySQLServer starts a MySQL-protocol server of the test's own with these options, and returns
// the address of a user who may do everything there.
func mustMySQLServer(t *testing.T, options ...string) *driver.Config {
	t.Helper()
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net = "root", "kindred", "tcp"
	cfg.ParseTime, cfg.MultiStatements = true, true
	if mustStack(t).Containers {
		cfg.Addr = mustMySQLContainer(t, cfg.Passwd, options)
	} else {
		cfg.Addr = mustMariaDBProcess(t, cfg, options)
	}
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wait(t, "the server", func() bool { return db.PingContext(t.Context()) == nil })
	return cfg
}

// mustAsk scans the one row of an answer.
func mustAsk(t *testing.T, server *driver.Config, query string, into ...any) {
	t.Helper()
	db, err := sql.Open("mysql", server.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query).Scan(into...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// mustMySQLContainer starts the compose file's MySQL.
func mustMySQLContainer(t *testing.T, password string, options []string) (address string) {
	t.Helper()
	services, err := readServices(filepath.Join("..", stack.ComposeFile),
		map[string]string{"KINDRED_POSTGRES_PASSWORD": password, "KINDRED_MYSQL_PASSWORD": password})
	if err != nil {
		t.Fatal(err)
	}
	s := services["mysql"]
	s.Command = append(s.Command, options...)
	ready := readiness.ForLog("port: 3306  MySQL Community Server").WithStartupTimeout(containerTime)
	ctx, stop := context.WithTimeout(t.Context(), 2*containerTime)
	defer stop()
	shop, err := mysql.Run(ctx, s.Image, s.run(ready, "", nil, "3306/tcp", "33060/tcp")...)
	testcontainers.CleanupContainer(t, shop)
	if err != nil {
		t.Fatal(err)
	}
	port, err := shop.MappedPort(ctx, "3306/tcp")
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + port.Port()
}

// mustMariaDBProcess starts the MariaDB that the native stack unpacked, or the machine's.
func mustMariaDBProcess(t *testing.T, cfg *driver.Config, more []string) (address string) {
	t.Helper()
	local, err := stack.Open(stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(local.Runtimes(), "opt", "*", "usr", "sbin", "mariadbd"))
	if err != nil {
		t.Fatal(err)
	}
	options, env := []string{"--no-defaults"}, os.Environ()
	var server string
	if len(found) > 0 {
		server = found[0]
		usr := filepath.Dir(filepath.Dir(server))
		options = append(options, "--basedir="+usr, "--lc-messages-dir="+filepath.Join(usr, "share", "mysql"))
		libraries, _ := filepath.Glob(filepath.Join(usr, "lib", "*-linux-*")) // only a bad pattern is an error
		env = append(env, "LD_LIBRARY_PATH="+strings.Join(append(libraries, filepath.Join(usr, "lib")), ":"))
	} else if server, err = exec.LookPath("mariadbd"); err != nil {
		server = "/usr/sbin/mariadbd"
	}
	folder := t.TempDir()
	// of its own: a server that starts deletes tables that others keep in a shared one
	temporary := filepath.Join(folder, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	env = append(env, "TMPDIR="+temporary)
	data, init, port := filepath.Join(folder, "data"), filepath.Join(folder, "init.sql"), freePort(t)
	options = append(options, "--datadir="+data)
	if os.Geteuid() == 0 {
		options = append(options, "--user=root")
	}
	installer := filepath.Join(filepath.Dir(filepath.Dir(server)), "bin", "mariadb-install-db")
	install := exec.CommandContext(t.Context(), installer,
		append(options, "--auth-root-authentication-method=socket", "--skip-test-db", "--skip-log-bin")...)
	install.Env, install.Dir = env, folder
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("make the server's data: %v\n%s", err, out)
	}
	account := fmt.Sprintf("CREATE USER '%[1]s'@'127.0.0.1' IDENTIFIED BY '%[2]s';\n"+
		"GRANT ALL ON *.* TO '%[1]s'@'127.0.0.1' WITH GRANT OPTION;\n", cfg.User, cfg.Passwd)
	if err := os.WriteFile(init, []byte(account), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(server, append(append(options, more...), "--bind-address=127.0.0.1", fmt.Sprint("--port=", port),
		"--socket="+filepath.Join(folder, "s"), "--pid-file="+filepath.Join(folder, "pid"), "--init-file="+init,
		"--skip-name-resolve", "--innodb-buffer-pool-size=32M")...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, folder, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			if said, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("MariaDB: %s", said)
			}
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(cleanupTime):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	return fmt.Sprint("127.0.0.1:", port)
}

// mustLatin1Shop makes a database on that server and runs a file of statements in it, through a
// connection whose character set is utf8mb4. The database's own character set is utf8mb4 too. A file
// may go on to a database of its own with USE, whose name is returned then.
func mustLatin1Shop(t *testing.T, server *driver.Config, statements string) *driver.Config {
	t.Helper()
	cfg := server.Clone()
	cfg.DBName = "kindred_" + randomName()
	connection := server.Clone()
	connection.Params = map[string]string{"charset": "utf8mb4"}
	db, err := sql.Open("mysql", connection.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	one, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	statements = strings.ReplaceAll(statements, "'@'127.0.0.1'", "'@'%'") // to a container, this machine is another
	statements = "CREATE DATABASE " + cfg.DBName + " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci; USE " + cfg.DBName +
		";\n" + numberTables(t, one, statements) + statements
	if _, err := one.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	if err := one.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&cfg.DBName); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// numberTable is the name of a table of numbers, which MariaDB has without it being made.
var numberTable = regexp.MustCompile(`\bseq_(\d+)_to_(\d+)\b`)

// numberTables makes the tables of numbers that the statements read, where the server has none.
func numberTables(t *testing.T, db *sql.Conn, statements string) (made string) {
	t.Helper()
	var version string
	if err := db.QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(version, "MariaDB") {
		return ""
	}
	tables := map[string]bool{}
	for _, found := range numberTable.FindAllStringSubmatch(statements, -1) {
		if !tables[found[0]] {
			made += fmt.Sprintf("CREATE TABLE %s WITH RECURSIVE n (seq) AS (SELECT %s UNION ALL SELECT seq + 1 FROM n "+
				"WHERE seq < %s) SELECT seq FROM n;\n", found[0], found[1], found[2])
		}
		tables[found[0]] = true
	}
	return made
}
