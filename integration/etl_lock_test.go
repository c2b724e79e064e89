package integration

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"kindred/internal/job/etl"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// rangeShop has an index by customer, so its ratings are read in several ranges.
const rangeShop = `
CREATE TABLE customers (customerNumber int PRIMARY KEY, customerName varchar(50) NOT NULL, city varchar(50) NOT NULL,
	state varchar(50), postalCode varchar(15), country varchar(50), creditLimit decimal(10,2));
CREATE TABLE products (productCode varchar(15) PRIMARY KEY, productName varchar(70) NOT NULL, productLine varchar(50) NOT NULL,
	productScale varchar(10) NOT NULL, productVendor varchar(50) NOT NULL, quantityInStock int NOT NULL,
	buyPrice decimal(10,2) NOT NULL, MSRP decimal(10,2) NOT NULL);
CREATE TABLE ratings (customerNumber int, productCode varchar(15), productRating int, ratedAt datetime,
	PRIMARY KEY (customerNumber, productCode));
INSERT INTO customers SELECT seq, 'Ann', 'Paris', NULL, NULL, 'France', 1 FROM seq_1_to_400;
INSERT INTO products SELECT CONCAT('P', seq), 'Car', 'Cars', '1:10', 'V', 3, 1, 2 FROM seq_1_to_10;
INSERT INTO ratings SELECT c.seq, CONCAT('P', p.seq), 1 + (c.seq + p.seq) % 5, NULL FROM seq_1_to_400 c, seq_1_to_10 p;
ANALYZE TABLE ratings`

// alterComment needs the table for itself and rewrites nothing, so a snapshot can be read on.
const alterComment = "ALTER TABLE %s COMMENT 'altered while etl reads'"

// alteredSource calls during within the reading of each range of ratings, and after when it is over.
type alteredSource struct {
	*mysqlsource.Snapshot
	during, after func(part int)
	ranges        int
}

func (s *alteredSource) RatingsIn(ctx context.Context, in mysqlsource.Range, rating func(shop.Rating) error) error {
	first := true
	err := s.Snapshot.RatingsIn(ctx, in, func(r shop.Rating) error {
		if first {
			first = false
			s.during(s.ranges)
		}
		return rating(r)
	})
	s.after(s.ranges)
	s.ranges++
	return err
}

// TestAlterTableWaitsForOneRangeAtMost alters each table of a shop while etl reads it: the ratings
// within a range, and it must be done before the next range begins. Where the account may not have
// that, etl says so.
func TestAlterTableWaitsForOneRangeAtMost(t *testing.T) {
	t.Parallel()
	const reader = "CREATE USER reader IDENTIFIED BY 'kindred'; GRANT SELECT ON *.* TO reader; "
	logged := []string{"--log-bin=binlog", "--server-id=1", "--binlog-format=ROW"}
	for _, lane := range []struct {
		name      string
		options   []string
		right     bool // grant what sql_log_bin takes
		keepsLock bool // on MariaDB; MySQL never does
	}{
		{"without a binary log", []string{"--skip-log-bin"}, false, false},
		{"with a binary log and the right", logged, true, false},
		{"with a binary log without the right", logged, false, true},
	} {
		t.Run(lane.name, func(t *testing.T) {
			t.Parallel()
			server := mustMySQLServer(t, lane.options...)
			var version string
			var hasLog bool
			mustAsk(t, server, "SELECT VERSION(), @@log_bin", &version, &hasLog)
			mariaDB := strings.Contains(version, "MariaDB")
			if hasLog != (len(lane.options) > 1) { // or the lanes are alike
				t.Fatalf("%s has a binary log: %v", version, hasLog)
			}
			grant := ""
			if lane.right && mariaDB {
				grant = "GRANT BINLOG ADMIN ON *.* TO reader; "
			}
			cfg := mustLatin1Shop(t, server, reader+grant+rangeShop)
			admin, err := sql.Open("mysql", cfg.FormatDSN())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { admin.Close() })
			asReader := cfg.Clone()
			asReader.User = "reader"
			alterWhileReading(t, admin, asReader, lane.keepsLock && mariaDB)
		})
	}
}

// alterWhileReading runs etl as the reader. keeps says that the server keeps the locks until the end.
func alterWhileReading(t *testing.T, admin *sql.DB, reader *driver.Config, keeps bool) {
	t.Helper()
	alter := func(table string) chan error {
		done := make(chan error, 1)
		go func() {
			_, err := admin.ExecContext(t.Context(), fmt.Sprintf(alterComment, table))
			done <- err
		}()
		return done
	}
	snapshot, err := mysqlsource.Open(t.Context(), reader.FormatDSN(), mysqlsource.Options{RangeRows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if account, got := snapshot.KeepsLocks(); got != keeps || keeps && account != "reader@%" {
		t.Errorf("locks are kept: %v for %q, want %v", got, account, keeps)
	}
	var waiting chan error
	source := &alteredSource{Snapshot: snapshot}
	source.during = func(part int) {
		if part == 0 && !keeps { // these were read, and are free
			for _, table := range []string{"customers", "products"} {
				wantAltered(t, table, alter(table))
			}
		}
		if part == 0 || !keeps {
			waiting = alter("ratings")
		}
		mustBlock(t, admin)
	}
	source.after = func(int) {
		if !keeps {
			wantAltered(t, "ratings", waiting)
		}
	}
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	out, err := etl.Run(t.Context(), source, repo, etl.Options{ScratchDir: t.TempDir(), Limits: defaults.Limits})
	if err != nil {
		t.Fatal(err)
	}
	if out.Details.Counts.Read != 4000 || source.ranges < 3 {
		t.Errorf("%d ratings in %d ranges, want 4000 in several", out.Details.Counts.Read, source.ranges)
	}
	if keeps {
		mustBlock(t, admin)
	}
	if err := snapshot.Close(); err != nil {
		t.Error(err)
	}
	if keeps {
		wantAltered(t, "ratings", waiting)
	}
	checked := caseShop{cfg: reader, lake: t.TempDir()}.etl(t, "check")
	const grant = "SQL: GRANT BINLOG ADMIN ON *.* TO 'reader'@'%'"
	if checked.code != 0 || strings.Contains(checked.stdout, grant) != keeps {
		t.Errorf("etl check: exit %d, %s%s", checked.code, checked.stdout, checked.stderr)
	}
}

// wantAltered waits for an ALTER TABLE that nothing holds up any more.
func wantAltered(t *testing.T, table string, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("ALTER TABLE %s: %v", table, err)
		}
	case <-time.After(cleanupTime):
		t.Fatalf("ALTER TABLE %s still waits after the range", table)
	}
}
