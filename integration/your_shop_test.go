package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page is docs/your-shop.md.
type page string

func mustPage(t *testing.T) page {
	t.Helper()
	return page(mustReadFile(t, filepath.Join("..", "docs"), "your-shop.md"))
}

// block is the n-th block of code in a language below a heading.
func (p page) block(t *testing.T, heading, language string) string {
	t.Helper()
	_, section, found := strings.Cut(string(p), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(section)
	if !found || m == nil {
		t.Fatalf("docs/your-shop.md has no block %s below %q", language, heading)
	}
	return m[1]
}

// TestYourShopsMakeTargetsAreThere asks make for every target that the page names, without running it, as on a new
// machine: nothing is built and nothing is downloaded yet.
func TestYourShopsMakeTargetsAreThere(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?m)^make ([a-z-]+)`).FindAllStringSubmatch(string(mustPage(t)), -1)
	if len(named) < 5 {
		t.Fatalf("the page names %d targets", len(named))
	}
	for _, m := range named {
		cmd := exec.CommandContext(t.Context(), "make", "-n", m[1])
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "KINDRED_STATE="+t.TempDir(), "KINDRED_RUNTIMES=", "DUCKDB=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("make %s: %v\n%s", m[1], err, out)
		}
	}
}

// mustOtherShop makes the shop of the page's mapping: people buy from one of two brands.
func mustOtherShop(t *testing.T, dsn string) {
	t.Helper()
	db := mustOpen(t, dsn)
	exec := func(query string, values ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query, values...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE article (sku varchar(64) PRIMARY KEY, title varchar(200) NOT NULL, brand varchar(40), price " +
		"decimal(10,2), stock int)")
	exec("CREATE TABLE account (account_id bigint PRIMARY KEY, country char(2), city varchar(40))")
	exec("CREATE TABLE orders (id bigint PRIMARY KEY, account_id bigint, placed_at datetime, state varchar(10))")
	exec("CREATE TABLE order_line (order_id bigint, sku varchar(64), quantity int, PRIMARY KEY (order_id, sku))")
	const articles, accounts, orders = 40, 8, 4 // too few for the gate to compare: it lets a first version live
	for i := range articles {
		exec("INSERT INTO article VALUES (?, ?, ?, ?, 5)", fmt.Sprintf("SKU-%03d", i), fmt.Sprintf("Article %d", i),
			[]string{"Red", "Blue"}[i%2], 10+i)
	}
	for i := range accounts {
		exec("INSERT INTO account VALUES (?, 'FR', 'Lyon')", 7_000_000_000_000+i)
		for o := range orders {
			id := i*orders + o + 1
			exec("INSERT INTO orders VALUES (?, ?, ADDDATE('2026-01-01', ?), ?)", id, 7_000_000_000_000+i, o*9+i%7,
				[]string{"paid", "sent"}[o%2])
			for l := range 3 {
				exec("INSERT IGNORE INTO order_line VALUES (?, ?, 1)", id,
					fmt.Sprintf("SKU-%03d", (i%2+2*((i*7+o*5+l*3)%20))%articles))
			}
		}
	}
}

// TestYourShopsCommandsRun runs the page's commands without LocalStack on the page's other shop, with
// the page's mapping file.
func TestYourShopsCommandsRun(t *testing.T) {
	t.Parallel()
	stack, p := mustStack(t), mustPage(t)
	dsn := stack.mustDatabase(t)
	mustOtherShop(t, dsn)
	folder := t.TempDir()
	mapping := filepath.Join(folder, "shop.sql")
	if err := os.WriteFile(mapping, []byte(p.block(t, "Another shop", "sql")), 0o600); err != nil {
		t.Fatal(err)
	}
	programs := mustCompile(t, "connect", "etl", "train", "publish")
	script := strings.NewReplacer(
		"'kindred:a password@tcp(db.example.com:3306)/shop'", "'"+dsn+"'",
		"'postgres://kindred:password@127.0.0.1:5432/kindred'", "'"+stack.mustVectorDatabase(t)+"'",
		"file:///srv/kindred/", "file://"+folder+"/",
		".kindred/bin/connect", programs+"/connect --json --mapping "+mapping,
		".kindred/bin/", programs+"/").Replace(p.block(t, "Without LocalStack", "sh"))
	for _, leftover := range []string{"example.com", "/srv/", ".kindred"} {
		if strings.Contains(script, leftover) {
			t.Fatalf("the page's commands are not those that this test knows:\n%s", script)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", script)
	cmd.Env = append(os.Environ(), "KINDRED_STATE="+folder+"/state", "AWS_ENDPOINT_URL=", "MYSQL_SECRET_ARN=",
		"ETL_MAPPING=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), `"live":true`) {
		t.Errorf("the shop is not live:\n%s", out)
	}
	if !strings.Contains(string(out), "too few orders") {
		t.Errorf("nothing says that the shop is too small to learn from:\n%s", out)
	}
}
