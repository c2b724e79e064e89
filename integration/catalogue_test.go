package integration

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/publish"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/awsclient"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/stream/activity"
)

// catalogueProducts is the size of the shop of TestACatalogueOfMany.
var catalogueProducts = flag.Int("catalogue-products", 2000, "products of the shop whose catalogue is timed")

// catalogue is a shop, a vector database and the programs that know both.
type catalogue struct {
	programs

	shop   *sql.DB
	vector string // DSN
	store  *vectorstore.Store
	env    map[string]string
}

// catalogueMapping reads table goods.
const catalogueMapping = `-- kindred: products
SELECT id, title AS name, price, 'EUR' AS currency, stock, colour FROM goods;
-- kindred: interactions
SELECT 'c' AS customer, id AS product, 'purchase' AS kind FROM goods;
`

// mustCatalogue makes a shop with the products S000000, S000001, …
func mustCatalogue(t *testing.T, products int) catalogue {
	t.Helper()
	stack := mustStack(t)
	c := catalogue{vector: stack.mustVectorDatabase(t)}
	c.store = mustVectorStore(t, c.vector)
	dsn := stack.mustDatabase(t)
	c.shop = mustOpen(t, dsn)
	mapping := filepath.Join(t.TempDir(), "shop.sql")
	if err := os.WriteFile(mapping, []byte(catalogueMapping), 0o600); err != nil {
		t.Fatal(err)
	}
	mustExec(t, c.shop, "CREATE TABLE goods (id varchar(20) PRIMARY KEY, title varchar(80), price decimal(10,2), stock "+
		"int, colour varchar(20))")
	for first := 0; first < products; first += 1000 {
		var rows []string
		for i := first; i < min(first+1000, products); i++ {
			rows = append(rows, fmt.Sprintf("('S%06d', 'Product %d of the shop', %d.50, 5, '%s')", i, i, 10+i%90,
				[]string{"red", "blue"}[i%2]))
		}
		mustExec(t, c.shop, "INSERT INTO goods VALUES "+strings.Join(rows, ", "))
	}
	c.env = map[string]string{"MYSQL_DSN": dsn, "PGVECTOR_DSN": c.vector, "ETL_MAPPING": mapping, "ETL_PRESET": "",
		"MYSQL_SECRET_ARN": "", "SHOP_NAME": "", "AWS_ENDPOINT_URL": ""}
	c.programs = mustPrograms(t, c.env, "publish")
	return c
}

// mustRead runs `publish catalogue`.
func (c catalogue) mustRead(t *testing.T, args ...string) (r publish.CatalogueResult) {
	t.Helper()
	c.mustRun(t, &r, "publish", append([]string{"catalogue"}, args...)...)
	return r
}

// wantRefused runs it and expects a refusal that says all of the words, and that nothing was written.
func (c catalogue) wantRefused(t *testing.T, args []string, words ...string) {
	t.Helper()
	conn := mustVectorConn(t, c.vector)
	before := mustState(t, t.Context(), conn)
	code, stderr := c.run(t, nil, "publish", append([]string{"catalogue"}, args...)...)
	for _, word := range words {
		if code != 1 || !strings.Contains(stderr, word) {
			t.Errorf("publish catalogue %v: exit %d, want %q: %s", args, code, word, stderr)
		}
	}
	if diff := cmp.Diff(before, mustState(t, t.Context(), conn)); diff != "" {
		t.Errorf("it wrote something: %s", diff)
	}
}

// goodVersion is a random version in which one product is the most popular one, and another would be if
// the version did not call it sold out.
func goodVersion(id string, seed uint64, best, soldOut int) *modelversion.Version {
	v := randomVersion(id, seed, 60, 6, 4)
	v.Items[best].Positives, v.Items[best].QuantityInStock = 100, 3
	v.Items[soldOut].Positives, v.Items[soldOut].QuantityInStock = 99, 0
	return v
}

// TestACatalogueCountsWhicheverVersionAnswers sells out the best product in MySQL, brings back one that
// the versions call sold out, and removes a third one. λ and serve follow at once and keep to it, while
// versions are published, refused, tried as a canary and rolled back.
func TestACatalogueCountsWhicheverVersionAnswers(t *testing.T) {
	t.Parallel()
	const best, back, removed = "S000004", "S000005", "S000006"
	c := mustCatalogue(t, 60)
	first, second, refused := goodVersion("m530000000000001", 1, 4, 5), goodVersion("m530000000000002", 2, 4, 5),
		goodVersion("m530000000000003", 3, 4, 5)
	first.Items[6].Positives, first.Items[6].QuantityInStock = 98, 1
	refused.Report.Verdict.Pass = false
	mustGoLive(t, c.store, first)
	a := mustAnswerers(t, c.vector)
	a.want(t, "before any catalogue", []string{best, removed}, []string{back})

	if r := c.mustRead(t); r.New != 60 || r.Products != 60 || r.Available != 60 || r.Changed+r.Gone > 0 || r.Shop == "" {
		t.Errorf("the first catalogue: %+v", r)
	}
	a.want(t, "after the first catalogue", []string{best, back, removed}, nil)
	mustExec(t, c.shop, "UPDATE goods SET stock = 0 WHERE id = '"+best+"'")
	mustExec(t, c.shop, "DELETE FROM goods WHERE id = '"+removed+"'")
	if r := c.mustRead(t); r.New != 0 || r.Changed != 1 || r.Gone != 1 || r.Available != 58 || r.Values != 3 {
		t.Errorf("a product sold out and one removed: %+v", r)
	}
	a.want(t, "sold out", []string{back}, []string{best, removed})
	mustGoLive(t, c.store, second)
	a.want(t, "sold out, after a promotion", []string{back}, []string{best, removed})
	if _, err := publish.Run(t.Context(), publish.Database{Store: c.store}, trained{refused}, "", byTest); !errors.Is(err,
		vectorstore.ErrRefused) {
		t.Fatal(err)
	}
	a.want(t, "sold out, after a refused gate", []string{back}, []string{best, removed})
	if err := c.store.StartCanary(t.Context(), first.ID, 0.9, byTest); err != nil {
		t.Fatal(err)
	}
	a.want(t, "sold out, beside a canary", []string{back}, []string{best, removed})
	if _, err := c.store.Rollback(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	a.want(t, "sold out, after a rollback", []string{back}, []string{best, removed})
	mustExec(t, c.shop, "UPDATE goods SET stock = 7 WHERE id = '"+best+"'")
	mustExec(t, c.shop, "INSERT INTO goods VALUES ('"+removed+"', 'again', 1, 1, 'red')")
	if r := c.mustRead(t); r.Changed != 1 || r.New != 1 || r.Gone != 0 {
		t.Errorf("back again: %+v", r)
	}
	a.want(t, "back again", []string{best, back, removed}, nil)
}

// answerers are serve and λ of one vector database.
type answerers struct {
	base     string
	function *function
	client   *s3.Client
	bucket   string
}

func mustAnswerers(t *testing.T, dsn string) answerers {
	t.Helper()
	stack := mustStack(t)
	bucket := stack.mustBucket(t)
	return answerers{base: mustServe(t, dsn), function: mustFunction(t, stack, dsn, bucket),
		client: awsclient.S3(stack.AWS), bucket: bucket}
}

// want asks both, by popularity, for products that must be recommended and products that must not.
func (a answerers) want(t *testing.T, when string, shown, hidden []string) {
	t.Helper()
	event := "event of " + when
	body := fmt.Sprintf(`{"session_id":%q,"event_id":%q,"browse_history":[]}`, when, event)
	clicks := newMemoryStream([]click{{when, []byte(body)}})
	if failures := a.function.mustInvoke(t, clicks.batch(0, 1)); len(failures) > 0 {
		t.Fatalf("%s: recommend gives %v back", when, failures)
	}
	ctx, stop := context.WithTimeout(t.Context(), cleanupTime)
	defer stop()
	record, err := delivered(ctx, a.client, a.bucket, event, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatalf("%s: the record: %v", when, err)
	}
	var session, customer httpAnswer
	mustAskJSON(t, "POST", a.base+"/recommendations", fmt.Sprintf(`{"session_id":%q,"browse_history":[]}`, when), &session)
	mustGetJSON(t, a.base+"/customers/"+url.PathEscape("nobody "+when)+"/recommendations", &customer)
	for by, items := range map[string][]activity.RecommendedItem{"recommend": record.RecommendedItems,
		"serve, of a session": session.RecommendedItems, "serve, of a customer": customer.RecommendedItems} {
		found := map[string]bool{}
		for _, item := range items {
			found[item.ID] = true
		}
		for _, id := range shown {
			if !found[id] {
				t.Errorf("%s, %s: %s is not recommended: %v", when, by, id, items)
			}
		}
		for _, id := range hidden {
			if found[id] {
				t.Errorf("%s, %s: %s is recommended", when, by, id)
			}
		}
	}
}

// TestACatalogueWritesOnlyWhatTheShopChanged: a re-run writes nothing, values arrive as the shop has
// them, and a row that is older than an event does not undo it.
func TestACatalogueWritesOnlyWhatTheShopChanged(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, 20)
	mustGoLive(t, c.store, goodVersion("m540000000000001", 1, 4, 5)) // the shop lacks 40 of its products
	c.wantRefused(t, nil, "40 of the 60", "--accept-shrink")
	if r := c.mustRead(t, "--accept-shrink"); r.Gone != 40 || r.New != 20 {
		t.Errorf("a shop that lacks products of the version: %+v", r)
	}
	conn := mustVectorConn(t, c.vector)
	state := mustState(t, t.Context(), conn)
	row := state["S000003"]
	if row.Price == nil || *row.Price != "13.5000" || row.Stock == nil || *row.Stock != 5 || !*row.Available ||
		*row.Texts[0] != "EUR" || *row.Texts[2] != "Product 3 of the shop" ||
		fmt.Sprint(row.Attributes) != "map[colour:blue]" || row.Hidden || !state["S000050"].Hidden {
		t.Errorf("the state is %+v", row)
	}
	for range 2 {
		if r := c.mustRead(t); !r.Unchanged() || r.Available != 20 {
			t.Errorf("a re-run: %+v", r)
		}
	}
	if diff := cmp.Diff(state, mustState(t, t.Context(), conn)); diff != "" {
		t.Errorf("a re-run changed the state: %s", diff)
	}
	sold := activity.ProductWrite{ID: "S000003", Order: activity.Order{At: time.Now(), Sequence: "7"},
		Values: map[activity.Field]any{activity.FieldAvailable: false, activity.FieldStock: int64(0)}}
	if err := write(t.Context(), c.vector, sold); err != nil {
		t.Fatal(err)
	}
	mustExec(t, c.shop, "UPDATE goods SET price = 99.99 WHERE id = 'S000003'") // its stock is as old as before
	if r := c.mustRead(t); r.Changed != 1 || r.Values != 1 {
		t.Errorf("a price: %+v", r)
	}
	if row := mustState(t, t.Context(), conn)["S000003"]; *row.Available || *row.Stock != 0 || *row.Price != "99.9900" {
		t.Errorf("an old row undid an event: %+v", row)
	}
	mustExec(t, c.shop, "UPDATE goods SET stock = 4 WHERE id = 'S000003'")
	c.mustRead(t)
	if row := mustState(t, t.Context(), conn)["S000003"]; !*row.Available || *row.Stock != 4 {
		t.Errorf("a new stock of the shop: %+v", row)
	}
	late := vectorstore.Catalogue{ReadAt: time.Now().Add(-time.Minute)}
	if _, err := c.store.WriteCatalogue(t.Context(), late, vectorstore.CatalogueOptions{MaxShrink: 1}); !errors.Is(err,
		vectorstore.ErrOlderReading) {
		t.Errorf("an older reading that comes late: %v", err)
	}
	late.ReadAt = time.Now().Add(activity.MaxAhead + time.Minute)
	if _, err := c.store.WriteCatalogue(t.Context(), late, vectorstore.CatalogueOptions{MaxShrink: 1}); !errors.Is(err,
		vectorstore.ErrAhead) {
		t.Errorf("a reading by a clock that is ahead: %v", err)
	}
}

// TestACatalogueIsRefusedAsASetIs: a shop that is empty, sold out, another one's, or not to be read.
func TestACatalogueIsRefusedAsASetIs(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, 30)
	c.mustRead(t)
	mustExec(t, c.shop, "UPDATE goods SET stock = 0")
	c.wantRefused(t, nil, "no product can be bought", "--accept-shrink")
	mustExec(t, c.shop, "UPDATE goods SET stock = 1 WHERE id < 'S000010'")
	c.wantRefused(t, nil, "10 products can be bought, and 30 could be before")
	mustExec(t, c.shop, "UPDATE goods SET stock = 1")
	mustExec(t, c.shop, "DELETE FROM goods WHERE id < 'S000020'")
	c.wantRefused(t, nil, "20 of the 30")
	c.wantRefused(t, []string{"--name", "other", "--accept-shrink"}, "shop other", "--replace-shop")
	if r := c.mustRead(t, "--name", "other", "--replace-shop"); r.New != 10 || r.Gone != 0 || r.Shop != "other" {
		t.Errorf("another shop's catalogue in its place: %+v", r)
	}
	if state := mustState(t, t.Context(), mustVectorConn(t, c.vector)); len(state) != 10 {
		t.Errorf("the other shop's state has %d products", len(state))
	}
	live := goodVersion("m550000000000001", 1, 4, 5)
	live.Shop = "third"
	mustGoLive(t, c.store, live)
	c.wantRefused(t, []string{"--name", "other"}, "shop third", "shop other")
	if code, stderr := c.run(t, nil, "publish", "catalogue", "--max-shrink", "2"); code != 2 {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestACatalogueBearsThatAVersionIsDropped drops the tables of a version when the catalogue has listed the
// version and not read it yet.
func TestACatalogueBearsThatAVersionIsDropped(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, 60)
	mustGoLive(t, c.store, goodVersion("m570000000000001", 1, 4, 5))
	if _, err := c.store.Load(t.Context(), goodVersion("m570000000000002", 2, 4, 5)); err != nil {
		t.Fatal(err)
	}
	exec := mustBegin(t, c.vector)
	if err := exec("DROP TABLE model_m570000000000002.item CASCADE"); err != nil {
		t.Fatal(err)
	}
	type end struct {
		code   int
		stderr string
	}
	read := make(chan end, 1)
	go func() {
		defer close(read)
		code, stderr := c.run(t, nil, "publish", "catalogue")
		read <- end{code, stderr}
	}()
	mustWait(t, c.vector, nil)
	if err := exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if r, ended := <-read; !ended || r.code != 0 ||
		len(mustState(t, t.Context(), mustVectorConn(t, c.vector))) != 60 {
		t.Errorf("nothing was written: exit code %d, %s", r.code, r.stderr)
	}
}

// TestACatalogueOfAShopOfRatings reads kindred's own tables of ratings.
func TestACatalogueOfAShopOfRatings(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	env := mustConnectEnv(t, stack, stack.mustDatabase(t))
	env["ETL_PRESET"] = ""
	mustVectorStore(t, env["PGVECTOR_DSN"])
	p := mustPrograms(t, env, "seed", "publish")
	p.mustRun(t, nil, "seed", "generate", "--scale", "0.05")
	var r, again publish.CatalogueResult
	p.mustRun(t, &r, "publish", "catalogue")
	p.mustRun(t, &again, "publish", "catalogue")
	if r.New == 0 || r.New != r.Products || r.Available == 0 || r.Available > r.Products || !again.Unchanged() {
		t.Errorf("%+v, then %+v", r, again)
	}
	var same int // in both databases
	shop := mustOpen(t, env["MYSQL_DSN"])
	for id, row := range mustState(t, t.Context(), mustVectorConn(t, env["PGVECTOR_DSN"])) {
		var stock int64
		var price, line, vendor, name string
		err := shop.QueryRowContext(t.Context(),
			"SELECT quantityInStock, CAST(MSRP AS CHAR), productLine, productVendor, productName FROM products "+
				"WHERE productCode = ?", id).Scan(&stock, &price, &line, &vendor, &name)
		if err != nil || *row.Stock != stock || *row.Available != (stock > 0) || *row.Price != price+"00" ||
			row.Categories[0] != line ||
			*row.Texts[1] != vendor || *row.Texts[2] != name {
			t.Errorf("%s: %+v, %v", id, row, err)
		}
		same++
	}
	if same != r.Products {
		t.Errorf("%d of %d products", same, r.Products)
	}
}

// TestACatalogueOfMany times a catalogue in which one product in a hundred has changed, written by the
// writer role:
// go test ./integration -run TestACatalogueOfMany -v -catalogue-products 100000
func TestACatalogueOfMany(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t, *catalogueProducts)
	role := "writer_" + randomName()
	if err := migration.AdmitWriter(t.Context(), c.store, role); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		execPostgres(t, ctx, c.vector, "DROP OWNED BY "+role+"; DROP ROLE "+role)
	})
	execPostgres(t, t.Context(), c.vector, "ALTER ROLE "+role+" PASSWORD 'kindred'")
	u, err := url.Parse(c.vector)
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	u.User = url.UserPassword(role, "kindred")
	v := randomVersion("m560000000000001", 1, *catalogueProducts, 10, 8)
	mustGoLive(t, c.store, v)
	conn := mustVectorConn(t, c.vector)
	vectors := func() (rows string) { // where each lies, and which transaction wrote it
		if err := conn.QueryRow(t.Context(),
			"SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY code)) FROM model_"+v.ID+
				".item").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	say := func(when string, r publish.CatalogueResult) {
		t.Logf("%s: %d products, %d new, %d changed, %d values in %.2f s, of which reading the shop took %.2f s", when,
			r.Products, r.New, r.Changed, r.Values, r.Seconds, r.ReadSeconds)
	}
	before := vectors()
	args := []string{"--pgvector-dsn", u.String()}
	say("first", c.mustRead(t, args...))
	for round := range 3 {
		mustExec(t, c.shop, fmt.Sprintf("UPDATE goods SET stock = stock + 1, price = price + 1 WHERE "+
			"MOD(CAST(SUBSTRING(id, 2) AS UNSIGNED), 100) = %d", round))
		r := c.mustRead(t, args...)
		if say("1 % changed", r); r.Changed != *catalogueProducts/100 || r.Values != 3*r.Changed {
			t.Errorf("%+v", r)
		}
	}
	say("unchanged", c.mustRead(t, args...))
	if after := vectors(); after != before {
		t.Error("vectors were rewritten")
	}
}

// TestStateGoesWithItsShop makes another shop live in the place of one whose catalogue says that nothing
// can be bought, and goes back.
func TestStateGoesWithItsShop(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	first, second := goodVersion("m520000000000001", 1, 0, 1), goodVersion("m520000000000002", 2, 0, 1)
	first.Shop, second.Shop = "books", "toys"
	catalogueOf := func(v *modelversion.Version, available bool) (vectorstore.CatalogueResult, error) {
		c := vectorstore.Catalogue{Shop: v.Shop, ReadAt: time.Now()}
		for _, item := range v.Items {
			c.Products = append(c.Products, vectorstore.Product{ID: item.Code, Available: available})
		}
		return store.WriteCatalogue(t.Context(), c, vectorstore.CatalogueOptions{MaxShrink: 1})
	}
	answers := func(when string) {
		t.Helper()
		if _, err := store.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	mustGoLive(t, store, first)
	if _, err := catalogueOf(first, false); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	o := vectorstore.PromoteOptions{Actor: "test", Force: true, Reason: "test", ReplaceShop: true}
	if err := store.Promote(t.Context(), second.ID, o); err != nil {
		t.Fatal(err)
	}
	answers("the second shop")
	result, err := catalogueOf(second, false)
	if err != nil || result.New != len(second.Items) || result.Gone != 0 {
		t.Errorf("the second shop's catalogue: %+v, %v", result, err)
	}
	if version, err := store.Rollback(t.Context(), o); err != nil || version != first.ID {
		t.Fatalf("back to the first shop: %s, %v", version, err)
	}
	answers("the first shop again")
	if result, err = catalogueOf(first, true); err != nil || result.New != len(first.Items) {
		t.Errorf("the first shop's catalogue again: %+v, %v", result, err)
	}
}
