package integration

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop"
)

// caseTables is the contract's shop with two customers and two products.
const caseTables = `
CREATE TABLE customers (customerNumber int PRIMARY KEY, customerName varchar(50) NOT NULL, city varchar(50) NOT NULL,
	state varchar(50), postalCode varchar(15), country varchar(50) NOT NULL, creditLimit decimal(10,2));
CREATE TABLE products (productCode varchar(15) PRIMARY KEY, productName varchar(70) NOT NULL,
	productLine varchar(50) NOT NULL, productScale varchar(10) NOT NULL, productVendor varchar(50) NOT NULL,
	quantityInStock smallint NOT NULL, buyPrice decimal(10,2) NOT NULL, MSRP decimal(10,2) NOT NULL);
CREATE TABLE ratings (customerNumber int, productCode varchar(15), productRating int, ratedAt datetime);
INSERT INTO customers VALUES (7, 'Ida', 'Oslo', NULL, NULL, 'Norway', 10), (8, 'Jan', 'Gent', NULL, NULL, 'Belgium', NULL);
INSERT INTO products VALUES ('T1', 'Tram', 'Trams', '1:10', 'V', 3, 1, 2), ('T2', 'Van', 'Vans', '1:10', 'V', 3, 1, 2);
`

// caseRatings are enough ratings for training.
const caseRatings = `
INSERT INTO customers SELECT seq + 100, concat('C', seq), 'Oslo', NULL, NULL, 'Norway', 1 FROM seq_1_to_150;
INSERT INTO products SELECT concat('Q', seq), concat('Name ', seq), concat('L', seq % 4), '1:10', 'V', 3, 1, 2
	FROM seq_1_to_25;
INSERT INTO ratings SELECT c.seq + 100, concat('Q', p.seq), 1 + (c.seq * 5 + p.seq * 11 + c.seq * p.seq) % 5,
	'2024-03-01' + INTERVAL (c.seq * p.seq) % 300 DAY FROM seq_1_to_150 c, seq_1_to_25 p
	WHERE (c.seq * 29 + p.seq * 13) % 4 = 0;
`

// shopCases are shops that etl must take as they are, or refuse with every fault and its key.
func shopCases() []faultCase {
	file := func(statements string) map[string]string {
		return map[string]string{"shop.sql": caseTables + statements}
	}
	return []faultCase{
		{"01-server-charset-latin1", file(`INSERT INTO products VALUES ('ключ-7', 'बस', 'Ω', '1:10', 'V', 3, 1, 2),
			('ключ-8', '🚲', 'é', '1:10', 'V', 3, 1, 2);
			INSERT INTO customers VALUES (9, 'Şule', 'Gdańsk', NULL, 'Ⅷ', 'ไทย', 1);
			INSERT INTO ratings VALUES (9, 'ключ-7', 5, NULL), (7, 'ключ-8', 4, NULL), (8, 'T1', 1, NULL);`), false, wantExactText},
		{"06-nul-product-code", file(caseRatings + `UPDATE products SET productCode = concat('Q', char(0), '5') WHERE productCode = 'Q5';
			UPDATE ratings SET productCode = concat('Q', char(0), '5') WHERE productCode = 'Q5';`),
			false, wantNoNUL("productCode")},
		{"07-nul-in-city", file(caseRatings + `UPDATE products SET productName = concat('a', char(0), 'b') WHERE productCode = 'Q7';
			UPDATE customers SET city = concat(char(0), 'Oslo') WHERE customerNumber = 120;`), false, wantNoNUL("productName", "city")},
		{"08-ci-collation", file(`INSERT INTO ratings VALUES (7, 't1', 5, '2025-01-02'), (7, 'T2 ', 4, NULL), (8, 'T1', 3, NULL),
			(8, 't2 ', 1, NULL);`), false, wantRatingsKept("ratings")},
		{"10-partial-zero-date", file(`SET sql_mode = 'ALLOW_INVALID_DATES';
			INSERT INTO ratings VALUES (7, 'T1', 5, '2024-11-00'), (8, 'T2', 2, '2023-04-31'), (8, 'T1', 2, '2023-04-30');`),
			false, wantRatingsKept("ratedAt")},
		{"11-stock-40000", file(`ALTER TABLE products MODIFY quantityInStock bigint;
			UPDATE products SET quantityInStock = 3000000000 WHERE productCode = 'T2';
			INSERT INTO ratings VALUES (7, 'T1', 5, NULL), (8, 'T2', 2, NULL);`), false, wantRatingsKept("quantityInStock")},
		{"13-null-country", file(`ALTER TABLE customers MODIFY country varchar(50) NULL, MODIFY city varchar(50) NULL;
			UPDATE customers SET country = NULL WHERE customerNumber = 8; UPDATE customers SET city = NULL WHERE customerNumber = 7;
			INSERT INTO ratings VALUES (7, 'T1', 5, NULL), (8, 'T2', 2, NULL);`), false, wantRatingsKept("country")},
		{"14-uuid-product-code", file(`ALTER TABLE products MODIFY productCode varchar(100);
			ALTER TABLE ratings MODIFY productCode varchar(100);
			INSERT INTO products VALUES ('7c9e6679-7425-40de-944b-e07fc1f90ae7', 'Bus', 'Cars', '1:10', 'V', 3, 1, 2);
			INSERT INTO ratings VALUES (7, '7c9e6679-7425-40de-944b-e07fc1f90ae7', 5, NULL), (8, 'T1', 1, NULL);`), false, wantAnyKey},
		{"15-customer-above-2-31", file(`ALTER TABLE ratings MODIFY customerNumber int unsigned;
			ALTER TABLE customers MODIFY customerNumber int unsigned;
			INSERT INTO customers VALUES (4294967295, 'Eva', 'P', NULL, NULL, 'F', 1);
			INSERT INTO ratings VALUES (7, 'T1', 1, NULL), (4294967295, 'T1', 5, NULL);`), false, wantAnyKey},
		{"16-column-grants", map[string]string{"shop.sql": "CREATE DATABASE grants; USE grants;" + caseTables + `
			ALTER TABLE customers ADD phone varchar(20); ALTER TABLE products ADD supplier varchar(20);
			INSERT INTO ratings VALUES (7, 'T1', 5, NULL), (8, 'T2', 2, NULL);
			CREATE USER 'columns'@'127.0.0.1' IDENTIFIED BY 'columns';
			GRANT SELECT (customerNumber, productCode, productRating, ratedAt) ON grants.ratings TO 'columns'@'127.0.0.1';
			GRANT SELECT (productCode, productName, productLine, productScale, productVendor, quantityInStock, buyPrice, MSRP)
				ON grants.products TO 'columns'@'127.0.0.1';
			GRANT SELECT (customerNumber, customerName, city, state, postalCode, country, creditLimit)
				ON grants.customers TO 'columns'@'127.0.0.1';`}, false, wantGrantsSuffice},
		{"24-ddl-during-snapshot", file(`INSERT INTO ratings VALUES (7, 'T1', 5, NULL), (8, 'T2', 2, NULL);`),
			false, wantNewSnapshot},
	}
}

// caseShop is a case's shop on the latin1 server, and a lake of its own.
type caseShop struct {
	cfg  *driver.Config
	db   *sql.DB // utf8mb4
	lake string  // a folder
}

func mustCaseShop(t *testing.T, b *caseBench, folder string) caseShop {
	t.Helper()
	s := caseShop{cfg: mustLatin1Shop(t, b.latin1, mustReadFile(t, folder, "shop.sql")), lake: t.TempDir()}
	utf8 := s.cfg.Clone()
	utf8.Params = map[string]string{"charset": "utf8mb4"}
	db, err := sql.Open("mysql", utf8.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s.db = db
	return s
}

// command is a program on the shop and the lake.
func (s caseShop) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	dsn := s.cfg.Clone()
	dsn.MultiStatements = false
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "MYSQL_DSN="+dsn.FormatDSN(), "LAKE_BUCKET=file://"+s.lake,
		"ARTIFACTS_BUCKET=file://"+s.lake, "ETL_MAPPING=")
	return cmd
}

func (s caseShop) etl(t *testing.T, args ...string) answer {
	t.Helper()
	cmd := s.command(t, mustProgram(t, "etl"), args...)
	return run(t, cmd.Env, cmd.Path, cmd.Args[1:]...)
}

// mustSet reads the training set that etl made.
func (s caseShop) mustSet(t *testing.T) *trainingset.Set {
	t.Helper()
	repo := commit.NewRepository(objectstore.NewFolder(s.lake), envconfig.TrainingSetPrefix)
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := trainingset.Read(t.Context(), repo, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// wantExactText: every text of the training set is the database's, or etl refuses and names the
// character set.
func wantExactText(b *caseBench, t *testing.T, folder string) {
	s := mustCaseShop(t, b, folder)
	if a := s.etl(t); a.code != 0 {
		t.Fatalf("etl: exit %d: %s", a.code, a.stderr)
	}
	set := s.mustSet(t)
	var customers []shop.Customer
	for _, c := range set.Customers {
		customers = append(customers, shop.Customer{ID: c.ID, Name: c.Name, City: c.City, PostalCode: c.PostalCode,
			Country: c.Country})
	}
	var products []shop.Product
	for _, p := range set.Products {
		products = append(products, shop.Product{Code: p.Code, Name: p.Name, Line: p.Line})
	}
	wantCustomers := mustScan(t, s.db, "SELECT customerNumber, customerName, city, postalCode, country FROM customers "+
		"ORDER BY customerNumber",
		func(c *shop.Customer) []any { return []any{&c.ID, &c.Name, &c.City, &c.PostalCode, &c.Country} })
	wantProducts := mustScan(t, s.db, "SELECT productCode, productName, productLine FROM products ORDER BY BINARY "+
		"productCode",
		func(p *shop.Product) []any { return []any{&p.Code, &p.Name, &p.Line} })
	if diff := cmp.Diff(wantCustomers, customers) + cmp.Diff(wantProducts, products); diff != "" {
		t.Errorf("the training set differs from the database (-database +set):\n%s", diff)
	}
}

// mustScan reads rows.
func mustScan[T any](t *testing.T, db *sql.DB, query string, into func(*T) []any) (all []T) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one T
		if err := rows.Scan(into(&one)...); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// wantNoNUL: etl refuses the text with a NUL that its limits do not allow, and names a column. With the
// flags that allow it, it says what it left out, and what it makes can be published.
func wantNoNUL(columns ...string) func(*caseBench, *testing.T, string) {
	return func(b *caseBench, t *testing.T, folder string) {
		s := mustCaseShop(t, b, folder)
		a, flags := s.etlWithLimits(t, func(refusal string) {
			named := slices.ContainsFunc(columns, func(column string) bool { return strings.Contains(refusal, column) })
			if !named || !strings.Contains(refusal, "NUL") {
				t.Errorf("etl's refusal names neither NUL nor one of %q: %s", columns, refusal)
			}
		})
		if !strings.Contains(a.stdout+a.stderr, "NUL") {
			t.Errorf("etl %q takes the shop and says nothing of NUL: %s%s", flags, a.stdout, a.stderr)
		}
		p := mustPrograms(t, nil, "train", "publish")
		dsn := b.stack.mustVectorDatabase(t)
		for _, job := range [][]string{{"train"}, {"publish", "--pgvector-dsn", dsn, "--force", "--reason",
			"a test's shop"}} {
			cmd := s.command(t, filepath.Join(p.folder, job[0]), job[1:]...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("etl: exit %d; %s: %v: %s", a.code, job[0], err, out)
			}
		}
	}
}

// limitFlag is a flag that allows more rows to break a rule.
var limitFlag = regexp.MustCompile(`--(max-[a-z-]+|accept-[a-z-]+)`)

// etlWithLimits runs etl, and again with the flags that its refusals name, until it takes the shop.
func (s caseShop) etlWithLimits(t *testing.T, refused func(refusal string)) (a answer, flags []string) {
	t.Helper()
	a = s.etl(t)
	for tries := 0; a.code != 0 && tries < 5; tries++ {
		refused(a.stderr)
		named := limitFlag.FindAllStringSubmatch(a.stderr, -1)
		if named == nil {
			t.Fatalf("the refusal names no flag that allows it: %s", a.stderr)
		}
		for _, flag := range named {
			if strings.HasPrefix(flag[1], "accept-") {
				flags = append(flags, flag[0])
			} else {
				flags = append(flags, flag[0]+"=1")
			}
		}
		a = s.etl(t, flags...)
	}
	if a.code != 0 {
		t.Fatalf("etl %q: exit %d: %s", flags, a.code, a.stderr)
	}
	return a, flags
}

// wantRatingsKept: etl keeps every rating of the shop. It may refuse the shop first: then it names
// the column and the flag that allows it, and --dry-run does not say that all is well.
func wantRatingsKept(column string) func(*caseBench, *testing.T, string) {
	return func(b *caseBench, t *testing.T, folder string) {
		s := mustCaseShop(t, b, folder)
		dry := s.etl(t, "--dry-run")
		a, flags := s.etlWithLimits(t, func(refusal string) {
			if !strings.Contains(refusal, column) {
				t.Errorf("the refusal does not name column %s: %s", column, refusal)
			}
			if column != "ratedAt" && dry.code == 0 && !strings.Contains(dry.stdout+dry.stderr, column) {
				t.Errorf("--dry-run finds nothing wrong with %s: %s", column, dry.stdout)
			}
		})
		var want int
		if err := s.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM ratings").Scan(&want); err != nil {
			t.Fatal(err)
		}
		set := s.mustSet(t)
		if len(set.Interactions) != want {
			t.Errorf("%d of %d ratings are in the training set; etl %q says %s%s", len(set.Interactions), want, flags, a.stdout,
				a.stderr)
		}
	}
}

// wantAnyKey: etl takes the shop as it is, and the ids in the set are those of the tables.
func wantAnyKey(b *caseBench, t *testing.T, folder string) {
	wantRatingsKept("productCode")(b, t, folder)
	s := mustCaseShop(t, b, folder)
	if a := s.etl(t); a.code != 0 {
		t.Fatalf("etl: exit %d: %s", a.code, a.stderr)
	}
	set := s.mustSet(t)
	type pair struct{ customer, product string }
	want := mustScan(t, s.db, "SELECT CAST(customerNumber AS CHAR), productCode FROM ratings",
		func(p *pair) []any { return []any{&p.customer, &p.product} })
	for _, i := range set.Interactions {
		got := pair{set.Customers[i.Customer].ID, set.Products[i.Product].Code}
		if !slices.Contains(want, got) {
			t.Errorf("the set has a rating of %+v, the table only %+v", got, want)
		}
	}
}

var grantee = regexp.MustCompile(`CREATE USER '(\w+)'@'[^']*' IDENTIFIED BY '(\w+)'`)

// wantGrantsSuffice: a user who may read the contract's columns and no others runs etl.
func wantGrantsSuffice(b *caseBench, t *testing.T, folder string) {
	s := mustCaseShop(t, b, folder)
	found := grantee.FindStringSubmatch(mustReadFile(t, folder, "shop.sql"))
	if found == nil {
		t.Fatal("shop.sql makes no user")
	}
	s.cfg.User, s.cfg.Passwd = found[1], found[2]
	if a := s.etl(t); a.code != 0 {
		t.Errorf("etl: exit %d: %s", a.code, a.stderr)
	}
}

// wantNewSnapshot: a table that is changed after the snapshot has begun, and before it is read,
// makes etl begin anew.
func wantNewSnapshot(b *caseBench, t *testing.T, folder string) {
	s := mustCaseShop(t, b, folder)
	mustExec(t, s.db, "INSERT INTO ratings SELECT customerNumber, MIN(productCode), 4, NULL FROM customers, products "+
		"WHERE NOT EXISTS (SELECT 1 FROM ratings) GROUP BY customerNumber")
	locker, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer locker.Close()
	if _, err := locker.ExecContext(t.Context(), "LOCK TABLES customers WRITE"); err != nil {
		t.Fatal(err)
	}
	cmd := s.command(t, mustProgram(t, "etl"))
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	wait(t, "etl, which waits for the locked table", func() bool {
		var waiting int
		if err := s.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = "+
			"DATABASE() "+
			"AND STATE LIKE 'Waiting for table%lock'").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting > 0 || len(ended) > 0
	})
	mustExec(t, s.db, "ALTER TABLE ratings ADD made_meanwhile int, ALGORITHM=COPY")
	if _, err := locker.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("etl: %v: %s", err, said.String())
	}
	if set := s.mustSet(t); len(set.Interactions) == 0 {
		t.Error("the training set has no rating")
	}
}
