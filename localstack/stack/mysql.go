package stack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	mysqlName     = "mysql"
	mysqlUser     = "kindred"
	mysqlDatabase = "shop"
)

// mysqlOptions are the server's in both modes: compose.yaml has them too. Those that only one of
// MySQL and MariaDB knows begin with loose.
var mysqlOptions = []string{
	"--skip-name-resolve", "--loose-mysqlx=OFF",
	"--character-set-server=utf8mb4", "--local-infile=1",
	"--server-id=1", "--log-bin=binlog", "--binlog-format=ROW", "--binlog-row-image=FULL",
	"--loose-binlog-row-metadata=FULL",
	"--binlog-expire-logs-seconds=86400",
	"--innodb-buffer-pool-size=256M", "--max-connections=200", // tests that run side by side
	// survives kill -9; a crash of the machine may cost a second of seeding
	"--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0",
}

// mysqlServer is a server that speaks MySQL's protocol: the machine's own program, or MariaDB from
// the distribution's packages, unpacked and not installed.
type mysqlServer struct{ *Stack }

func (m *mysqlServer) name() string         { return mysqlName }
func (m *mysqlServer) portVariable() string { return "KINDRED_MYSQL_PORT" }
func (m *mysqlServer) defaultPort() int     { return DefaultMySQLPort }

func (m *mysqlServer) stopping() stopping {
	return stopping{signal: syscall.SIGTERM, grace: 20 * time.Second}
}

// server is one installation of MariaDB or MySQL.
type server struct {
	program  string
	mariadb  bool
	packages string // the folder it was unpacked into, "" for one that the machine has
}

// choice is the file in the data folder that names the program that created the data. Another
// program may not be able to read them.
func (m *mysqlServer) choice() string {
	return filepath.Join(m.folder.data(mysqlName), "made-by")
}

func (m *mysqlServer) install(ctx context.Context) error {
	if _, err := m.chosen(ctx); err == nil {
		return nil
	}
	if len(m.installed(ctx)) > 0 {
		return nil
	}
	_, err := m.unpackMariaDB(ctx)
	return err
}

// chosen is the server that made the data.
func (m *mysqlServer) chosen(ctx context.Context) (server, error) {
	program, err := os.ReadFile(m.choice())
	if err != nil {
		return server{}, fmt.Errorf("read which server made the data: %w", err)
	}
	return m.inspect(ctx, string(program))
}

// inspect runs a program to learn what it is.
func (m *mysqlServer) inspect(ctx context.Context, program string) (server, error) {
	s := server{program: program}
	if root := m.packages(); strings.HasPrefix(program, root+string(filepath.Separator)) {
		s.packages = root
	}
	cmd := exec.CommandContext(ctx, program, "--no-defaults", "--version")
	cmd.Env = s.env()
	out, err := cmd.Output()
	if err != nil {
		return server{}, fmt.Errorf("run %s: %w", program, err)
	}
	s.mariadb = strings.Contains(string(out), "MariaDB")
	return s, nil
}

// installed are the servers of the machine, then those of unpacked packages.
func (m *mysqlServer) installed(ctx context.Context) []server {
	var candidates []string
	for _, name := range []string{"mariadbd", "mysqld"} {
		if path, err := exec.LookPath(name); err == nil {
			candidates = append(candidates, path)
		}
		for _, dir := range serverFolders() {
			found, _ := filepath.Glob(filepath.Join(dir, name)) // only a bad pattern is an error
			candidates = append(candidates, found...)
		}
	}
	candidates = append(candidates, filepath.Join(m.packages(), "usr/sbin/mariadbd"))
	var servers []server
	seen := map[string]bool{}
	for _, path := range candidates {
		if seen[path] {
			continue
		}
		seen[path] = true
		if s, err := m.inspect(ctx, path); err == nil {
			servers = append(servers, s)
		}
	}
	return servers
}

// serverFolders are where distributions and Homebrew put servers, beside the PATH.
func serverFolders() []string {
	return []string{
		"/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/mysql/bin",
		"/opt/homebrew/opt/m*/bin", "/usr/local/opt/m*/bin",
	}
}

// env is the environment of the server's programs.
func (s server) env() []string {
	path := "PATH=/usr/bin:/bin:/usr/sbin:/sbin"
	if s.packages == "" {
		return []string{"LC_ALL=C", "TZ=UTC", path + ":" + filepath.Dir(s.program)}
	}
	libraries, _ := filepath.Glob(filepath.Join(s.packages, "usr/lib", "*-linux-*")) // only a bad pattern is an error
	libraries = append(libraries, filepath.Join(s.packages, "usr/lib"))
	return []string{"LC_ALL=C", "TZ=UTC", path, "LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
}

// base are the options that every run of the server takes.
func (s server) base(data string) []string {
	args := []string{"--no-defaults"}
	if s.packages != "" {
		usr := filepath.Join(s.packages, "usr")
		args = append(args, "--basedir="+usr, "--lc-messages-dir="+filepath.Join(usr, "share/mysql"))
	}
	return append(args, "--datadir="+data)
}

// prepare creates the data folder under a temporary name, with the first server that can do so, and
// renames it when it is complete. A server of the machine can fail: Ubuntu's AppArmor lets mysqld
// write below /var/lib/mysql only.
func (m *mysqlServer) prepare(ctx context.Context) error {
	if err := m.makeTemporary(); err != nil {
		return err
	}
	if _, err := os.Stat(m.choice()); err == nil {
		if _, err := m.chosen(ctx); err != nil {
			return fmt.Errorf("%w; its data are in %s: `make local-reset` starts afresh", err, m.folder.data(mysqlName))
		}
		return m.writeAccounts()
	}
	done := m.step(mysqlName, "making the data folder")
	var failures []error
	for _, s := range m.installed(ctx) {
		if err := m.initialise(ctx, s); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.program, err))
			continue
		}
		done("made the data folder")
		return m.writeAccounts()
	}
	s, err := m.unpackMariaDB(ctx)
	if err == nil {
		err = m.initialise(ctx, s)
	}
	if err != nil {
		return errors.Join(append(failures, err)...)
	}
	done("made the data folder")
	return m.writeAccounts()
}

// temporary is the server's own folder for temporary tables: a server that starts deletes those that
// another one keeps in a shared folder.
func (m *mysqlServer) temporary() string { return m.folder.run("mysql-tmp") }

func (m *mysqlServer) makeTemporary() error {
	owner, err := m.databaseAccount()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.temporary(), 0o700); err != nil {
		return fmt.Errorf("make folder of temporary tables: %w", err)
	}
	return giveAway(m.temporary(), owner)
}

// env is the environment of a server's programs that may make temporary tables.
func (m *mysqlServer) env(s server) []string { return append(s.env(), "TMPDIR="+m.temporary()) }

func (m *mysqlServer) initialise(ctx context.Context, s server) error {
	dir := m.folder.data(mysqlName)
	partial := dir + ".partial"
	if err := errors.Join(os.RemoveAll(partial), os.RemoveAll(dir)); err != nil {
		return fmt.Errorf("clear half a data folder: %w", err)
	}
	if err := os.Mkdir(partial, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	owner, err := m.databaseAccount()
	if err != nil {
		return err
	}
	if err := giveAway(partial, owner); err != nil {
		return err
	}
	c := command{path: s.program, args: append(s.base(partial), "--initialize-insecure"), env: m.env(s),
		dir: "/", as: owner}
	if s.mariadb {
		if c.path, err = s.installer(); err != nil {
			return err
		}
		// Socket: the other way makes roots without a password that TCP reaches.
		c.args = append(s.base(partial), "--auth-root-authentication-method=socket", "--skip-test-db", "--skip-log-bin")
	}
	if err := m.run(ctx, c); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(partial, filepath.Base(m.choice())), []byte(s.program), 0o644); err != nil {
		return fmt.Errorf("write which server made the data: %w", err)
	}
	if err := os.Rename(partial, dir); err != nil {
		return fmt.Errorf("put data folder in place: %w", err)
	}
	return nil
}

// installer is MariaDB's script that makes a data folder.
func (s server) installer() (string, error) {
	bin := filepath.Dir(s.program)
	for _, dir := range []string{bin, filepath.Join(bin, "../bin"), filepath.Join(bin, "../scripts"), "/usr/bin"} {
		for _, name := range []string{"mariadb-install-db", "mysql_install_db"} {
			if path := filepath.Join(dir, name); isFile(path) {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s comes without mariadb-install-db", s.program)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// accounts is the file of statements that the server runs before it lets anybody in: they make the
// shop and the user with the password of this state folder, in place of earlier ones. It has one
// statement per line. It belongs to the server's user, often `nobody`, under which other daemons
// run too. So it exists only while the server starts.
func (m *mysqlServer) accounts() string { return m.folder.run("mysql-accounts.sql") }

func (m *mysqlServer) writeAccounts() error {
	// The user may read binlog coordinates, beside what is its own: the shop, and databases that tests make.
	statements := fmt.Sprintf(`CREATE DATABASE IF NOT EXISTS %[1]s CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '%[2]s'@'127.0.0.1' IDENTIFIED BY '%[3]s';
ALTER USER '%[2]s'@'127.0.0.1' IDENTIFIED BY '%[3]s';
GRANT ALL ON %[1]s.* TO '%[2]s'@'127.0.0.1';
GRANT ALL ON `+"`kindred\\_%%`"+`.* TO '%[2]s'@'127.0.0.1';
GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO '%[2]s'@'127.0.0.1';
ALTER USER IF EXISTS 'root'@'localhost' IDENTIFIED BY '%[3]s';
`, mysqlDatabase, mysqlUser, m.secrets.MySQL)
	if err := writeSecret(m.accounts(), []byte(statements)); err != nil {
		return err
	}
	owner, err := m.databaseAccount()
	if err != nil {
		return err
	}
	return giveAway(m.accounts(), owner)
}

// forget removes the file with the password, which the running server has read.
func (m *mysqlServer) forget() error {
	if err := os.Remove(m.accounts()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the file of accounts: %w", err)
	}
	return nil
}

func (m *mysqlServer) command(ctx context.Context) (command, error) {
	s, err := m.chosen(ctx)
	if err != nil {
		return command{}, err
	}
	args := append(s.base(m.folder.data(mysqlName)),
		"--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", m.ports[mysqlName]),
		// relative to the data folder: a socket's whole path may have 107 bytes
		"--socket=server.sock", "--pid-file=server.pid",
		"--init-file="+m.accounts(),
	)
	args = append(args, mysqlOptions...)
	if s.packages != "" {
		plugins := filepath.Join(s.packages, "usr/lib/mysql/plugin")
		args = append(args, "--plugin-dir="+plugins)
	}
	as, err := m.databaseAccount()
	return command{path: s.program, args: args, env: m.env(s), dir: "/", as: as}, err
}

func (m *mysqlServer) ready(ctx context.Context) (string, error) {
	db, err := m.openMySQL()
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	var version, format string
	var binlog bool
	if err := db.QueryRowContext(ctx, "SELECT VERSION(), @@log_bin + 0, @@binlog_format").Scan(&version, &binlog,
		&format); err != nil {
		return "", fmt.Errorf("ask MySQL for its version: %w", err)
	}
	if !binlog || format != "ROW" {
		return "", fmt.Errorf("it keeps no binlog of rows (on: %t, format: %s)", binlog, format)
	}
	kind := "MySQL"
	if strings.Contains(version, "MariaDB") {
		kind = "MariaDB"
	}
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "5.5.5-"), "-") // MariaDB's prefix for old replicas
	return kind + " " + version, nil
}

func (s *Stack) mysqlConfig(database string) *mysql.Config {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.DBName, c.ParseTime = mysqlUser, s.secrets.MySQL, "tcp", database, true
	c.Addr = fmt.Sprintf("127.0.0.1:%d", s.ports[mysqlName])
	return c
}

func (s *Stack) mysqlDSN(database string) string { return s.mysqlConfig(database).FormatDSN() }

// openMySQL does not connect yet.
func (s *Stack) openMySQL() (*sql.DB, error) {
	c := s.mysqlConfig(mysqlDatabase)
	c.Logger = &mysql.NopLogger{} // it would print that a server which is starting hung up
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("open MySQL: %w", err)
	}
	return sql.OpenDB(connector), nil
}
