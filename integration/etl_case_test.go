package integration

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"kindred/internal/job/etl"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// oddShop is a small shop without keys on its ratings.
const oddShop = `
CREATE TABLE customers (customerNumber int PRIMARY KEY, customerName varchar(50) NOT NULL, city varchar(50) NOT NULL, state varchar(50),
	postalCode varchar(15), country varchar(50), creditLimit decimal(10,2));
CREATE TABLE products (productCode varchar(15) PRIMARY KEY, productName varchar(70) NOT NULL, productLine varchar(50) NOT NULL,
	productScale varchar(10) NOT NULL, productVendor varchar(50) NOT NULL, quantityInStock int NOT NULL, buyPrice decimal(10,2) NOT NULL,
	MSRP decimal(10,2) NOT NULL) COLLATE utf8mb4_general_ci;
CREATE TABLE ratings (customerNumber int, productCode varchar(15), productRating int, ratedAt datetime) COLLATE utf8mb4_general_ci;
INSERT INTO customers VALUES (1, 'Ann', 'Paris', NULL, NULL, 'France', 100), (2, 'Bob', 'Rome', NULL, NULL, 'Italy', NULL),
	(3, 'Łukasz', '北京', NULL, NULL, 'Ελλάδα', 1);
INSERT INTO products VALUES ('S10', 'Car', 'Cars', '1:10', 'V', 3, 1, 2), ('S11', 'Bus', 'Buses', '1:10', 'V', 3, 1, 2),
	('日本-1', '東京', 'Cars', '1:10', 'V', 3, 1, 2);
INSERT INTO ratings VALUES (1, 'S10', 5, '2025-01-02'), (2, 'S11', 4, NULL), (3, '日本-1', 3, NULL)`

// withoutUTF8 stands between a client and its server, as a proxy does that keeps its sessions in
// latin1: what asks for utf8mb4 asks the server for latin1.
func withoutUTF8(t *testing.T, dsn string) string {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	server := cfg.Addr
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
			go func() {
				defer server.Close()
				for said := make([]byte, 64<<10); ; {
					n, err := client.Read(said) // a statement comes in one packet
					if err != nil {
						return
					}
					asked := bytes.Replace(said[:n], []byte("SET NAMES utf8mb4"), []byte("SET NAMES latin1 "), 1)
					if _, err := server.Write(asked); err != nil {
						return
					}
				}
			}()
		}
	}()
	cfg.Addr = listener.Addr().String()
	return cfg.FormatDSN()
}

// The server's word counts, not that it took the statement.
func TestAnAnswerInAnotherCharacterSetIsRefused(t *testing.T) {
	t.Parallel()
	dsn, _ := mustStack(t).mustShop(t, oddShop)
	snapshot, err := mysqlsource.Open(t.Context(), withoutUTF8(t, dsn), mysqlsource.Options{})
	if err == nil {
		snapshot.Close()
	}
	if !errors.Is(err, mysqlsource.ErrSettings) || !strings.Contains(err.Error(),
		`character_set_client is "latin1" after SET NAMES utf8mb4`) {
		t.Errorf("error %v", err)
	}
}

// extractCase runs etl with its default limits, and gives the set when it is taken.
func extractCase(t *testing.T, dsn string, o etl.Options) (set *trainingset.Set, out etl.Outcome, err error) {
	t.Helper()
	snapshot, err := mysqlsource.Open(t.Context(), dsn, mysqlsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	o.ScratchDir = t.TempDir()
	if out, err = etl.Run(t.Context(), snapshot, repo, o); err != nil {
		return nil, out, err
	}
	set, err = trainingset.Read(t.Context(), repo, out.Manifest, t.TempDir())
	return set, out, err
}

// defaults are the limits of the command line.
var defaults = etl.Options{Limits: etl.Limits{MissingKeys: 0.01, StarsRange: 0.01, Orphans: 0.01, Duplicates: 0.01,
	FutureDates: 0.01, BadDates: 0.5, BadText: 0.01, Customers: 0.01, Products: 0.01, Values: 0.5,
	Amounts: 0.5, Stock: 0.5},
	MaxShrink: 0.5}

func TestTextIsExactWhateverTheServersCharacterSet(t *testing.T) {
	t.Parallel()
	dsn, _ := mustStack(t).mustShop(t, oddShop)
	for _, address := range []string{dsn, mustLatin1Shop(t, mustLatin1Server(t), oddShop).FormatDSN()} {
		set, _, err := extractCase(t, address, defaults)
		if err != nil {
			t.Fatal(err)
		}
		c, p := set.Customers[2], set.Products[2]
		if c.Name != "Łukasz" || c.City != "北京" || c.Country != "Ελλάδα" || p.Code != "日本-1" || p.Name != "東京" ||
			len(set.Interactions) != 3 {
			t.Errorf("customer %+v, product %+v, %d ratings", c, p, len(set.Interactions))
		}
	}
}

func TestOddRowsAreKeptOrNamed(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	tests := []struct {
		name, spoil string
		want        string // of the refusal; "" is taken
		rule        shop.Rule
		example     string
		ratings     int
	}{
		{"codes that the collation holds equal", "UPDATE ratings SET productCode = 's10 ' WHERE productCode = 'S10'", "",
			shop.RatingSpelling, `rating of customer 1 for product "s10 ": the database holds it equal to product "S10"`, 3},
		{"a NUL in a rated product's code",
			"UPDATE products SET productCode = CONCAT('S', CHAR(0), '10') WHERE productCode = 'S10';\n" +
				"UPDATE ratings SET productCode = CONCAT('S', CHAR(0), '10') WHERE productCode = 'S10'",
			`rating of customer 1 for product "S\x0010": productCode holds a NUL at byte 1`, shop.RatingText, "", 0},
		{"a NUL in cities", "UPDATE customers SET city = CONCAT('P', CHAR(0)) WHERE customerNumber < 3",
			"customer 1: city holds a NUL at byte 1, customer 2: city holds a NUL at byte 1", shop.CustomerText, "", 0},
		{"dates that do not exist", "SET SESSION sql_mode = 'ALLOW_INVALID_DATES';\n" +
			"UPDATE ratings SET ratedAt = '2025-00-15' WHERE customerNumber = 1", "", shop.RatingDate,
			`rating of customer 1 for product "S10": ratedAt is a date that does not exist`, 3},
		{"much stock", "UPDATE products SET quantityInStock = 40000 WHERE productCode = 'S10'", "", shop.ProductStock,
			`product "S10": quantityInStock is 40000, taken as 32767`, 3},
		{"a negative price", "UPDATE products SET buyPrice = -1 WHERE productCode = 'S10'", "", shop.ProductAmount,
			`product "S10": buyPrice is -1.00, want an amount from 0 to 99999999.99; taken as 0`, 3},
		{"a country that is NULL", "UPDATE customers SET country = NULL WHERE customerNumber = 1", "", shop.CustomerValue,
			"customer 1: country is NULL", 3},
		{"no stock", "UPDATE products SET quantityInStock = 0", "no product has any stock", "", "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dsn, db := stack.mustShop(t, oddShop)
			db.SetMaxOpenConns(1) // the session's sql_mode
			for one := range strings.SplitSeq(test.spoil, ";\n") {
				mustExec(t, db, one)
			}
			set, out, err := extractCase(t, dsn, defaults)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := out.Details.Examples[test.rule]; len(set.Interactions) != test.ratings || len(got) != 1 ||
				got[0] != test.example {
				t.Errorf("%d ratings, examples %q, want %d and %q", len(set.Interactions), got, test.ratings, test.example)
			}
		})
	}
}

// A table is altered after etl's snapshot has begun: etl begins another.
func TestTableThatIsAlteredMeanwhileIsReadInANewSnapshot(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, db := stack.mustShop(t, oddShop)
	l := stack.mustLake(t)
	locker, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer locker.Close()
	if _, err := locker.ExecContext(t.Context(), "LOCK TABLES customers WRITE"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan answer, 1)
	go func() { ended <- l.etl(t, dsn) }()
	mustBlock(t, db)
	mustExec(t, db, "ALTER TABLE ratings ADD COLUMN note int, ALGORITHM=COPY")
	if _, err := locker.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	if a := <-ended; a.code != 0 || !strings.Contains(a.stderr, "beginning a new snapshot") {
		t.Errorf("exit %d, %s", a.code, a.stderr)
	}
	if set := l.wantWhole(t); len(set.Interactions) != 3 {
		t.Errorf("%d ratings, want 3", len(set.Interactions))
	}
}

// mustBlock waits until a statement of the database waits for a table's lock.
func mustBlock(t *testing.T, db *sql.DB) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	for waiting := 0; waiting == 0; time.Sleep(20 * time.Millisecond) {
		const query = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE LIKE 'Waiting " +
			"for table%lock'"
		if err := db.QueryRowContext(ctx, query).Scan(&waiting); err != nil {
			t.Fatalf("etl does not wait for the lock: %v", err)
		}
	}
}

func TestCheckSaysWhatEtlWouldRefuseAndHowToMendIt(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, db := stack.mustShop(t, oddShop, "ALTER TABLE products MODIFY productCode varchar(200);\n"+
		"ALTER TABLE ratings MODIFY productCode varchar(200)")
	l := stack.mustLake(t)
	out := l.mustEtl(t, dsn, "check").stdout
	for _, want := range []string{"products.quantityInStock is integer of 4 bytes: a stock above 32767 is taken as 32767",
		"products.productCode is text of 200 characters: rows with an id of more than 128 bytes are left out",
		"customers.country may be NULL: it is then taken as empty",
		"SQL: CREATE INDEX kindred ON ratings (customerNumber, productCode)", "query   ratings: about",
		"Nothing was found that etl would refuse."} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	long := strings.Repeat("018f3c1e", 16) + "9"
	mustExec(t, db, "INSERT INTO products SELECT '"+long+"', productName, productLine, productScale, "+
		"productVendor, quantityInStock, buyPrice, MSRP FROM products WHERE productCode = 'S10'")
	mustExec(t, db, "UPDATE ratings SET productCode = '"+long+"' WHERE productCode = 'S10'")
	for _, args := range [][]string{{"check"}, {"--dry-run"}} {
		a := l.etl(t, dsn, args...)
		if a.code != 1 || !strings.Contains(a.stderr, "etl would refuse this shop") ||
			!strings.Contains(a.stdout, `product "`+long+`": productCode is too long: 129 bytes, at most 128 are allowed`) {
			t.Errorf("etl %q: exit %d, %s%s", args, a.code, a.stdout, a.stderr)
		}
	}
	if left := objects(t, l.store); len(left) != 0 {
		t.Errorf("a look wrote %v", left)
	}
}

// A look reads so many rows of each data set and no more, however many there are.
func TestCheckReadsFewRows(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, db := stack.mustShop(t, oddShop)
	for i := range 15 { // 3 rows, doubled
		mustExec(t, db, "INSERT INTO ratings SELECT * FROM ratings")
		if i < 13 {
			mustExec(t, db, fmt.Sprintf("INSERT INTO customers SELECT customerNumber + %d, customerName, city, state, "+
				"postalCode, country, creditLimit FROM customers", 3<<i))
		}
	}
	var found etl.Inspection
	l := stack.mustLake(t)
	a := l.etl(t, dsn, "check", "--json", "--max-duplicates=1")
	if err := readResult(a.stdout, &found); err != nil {
		t.Fatalf("%v: %s", err, a.stderr)
	}
	if want := (etl.Rows{Ratings: 10_000, Customers: 10_000, Products: 3}); found.Sampled != want || found.Whole {
		t.Errorf("read %+v, want %+v; whole %v", found.Sampled, want, found.Whole)
	}
}
