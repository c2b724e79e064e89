package integration

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
	"kindred/localstack/settings"
)

var (
	eraseScale   = flag.Float64("erase-scale", 0.1, "scale of the shop of TestErasing; 10 has 20,000 customers")
	erasePersons = flag.Int("erase-persons", 10, "persons whom TestErasing erases in each of its two runs")
	eraseEvents  = flag.Int("erase-events", 600, "events that arrive while TestErasing erases, 200 a second")
	eraseKills   = flag.Int("erase-kills", 4, "times that TestErasing kills an erasing")
	eraseLimit   = flag.Float64("erase-limit", 0, "seconds that an undisturbed erasing may take; 0: any number")
)

// erasedShop is a shop with versions, answers, dead letters, feedback and files for e-mail.
type erasedShop struct {
	t         *testing.T
	programs  programs
	dsn       string // of the vector database
	stores    map[string]objectstore.Store
	customers []string
	products  []string
	live      string
}

// mustShopToErase makes the shop: five versions, of which one is live, one came before it and one is a canary.
func mustShopToErase(t *testing.T) *erasedShop {
	t.Helper()
	stack := mustStack(t)
	shop := stack.mustDatabase(t)
	own, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	own = own.WithSuffix(randomName())
	env := mustPlacesOf(t, stack, shop, own, map[string]string{"ERASE_SECRET": "a secret of the tests",
		"DUCKDB": filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")})
	e := &erasedShop{t: t, programs: mustPrograms(t, env), dsn: env["PGVECTOR_DSN"],
		stores: map[string]objectstore.Store{}}
	for _, bucket := range []string{own.Buckets.Lake.Name, own.Buckets.Artifacts.Name, own.Buckets.Recommendations.Name} {
		e.stores[bucket] = objectstore.NewS3(awsclient.S3(stack.AWS), bucket, "")
	}
	e.programs.mustRun(t, nil, "seed", "generate", "--scale", fmt.Sprint(*eraseScale))
	e.programs.mustRun(t, nil, "etl")
	db, err := sql.Open("mysql", shop)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e.customers = mustColumn(t, db, `SELECT customerNumber FROM customers`)
	e.products = mustColumn(t, db, `SELECT productCode FROM products WHERE quantityInStock > 0`)
	versions := make([]struct {
		ID string `json:"model_version"`
	}, 5)
	for i := range versions {
		e.programs.mustRun(t, &versions[i], "train", "--dim", "16", "--tune-budget", "0", "--seed", fmt.Sprint(i+1))
		if i < 4 {
			e.programs.mustRun(t, nil, "publish", "--force", "--reason", "test")
		}
	}
	e.live = versions[3].ID
	e.programs.mustRun(t, nil, "publish", "canary", versions[4].ID, "--share", "0.2", "--force", "--reason", "test")
	return e
}

func mustColumn(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// mustVisits writes events of customers, each in a session of theirs. poison adds one for each customer that asks for a
// placement which there is not.
func (e *erasedShop) mustVisits(customers []string, events int, name string, poison bool) (file string) {
	e.t.Helper()
	rng := rand.New(rand.NewPCG(uint64(events), uint64(len(customers))))
	var lines bytes.Buffer
	for i := range events {
		c := customers[i%len(customers)]
		fmt.Fprintf(&lines, `{"event_id":"%[1]s-%[2]d","session_id":"%[1]s-%[3]s","customer_number":%[3]s,`+
			`"browse_history":[{"product_code":%[4]q,"quantity":1,"in_shopping_cart":true}]}`+"\n", name, i, c,
			e.products[rng.IntN(len(e.products))])
		if poison && i < len(customers) {
			fmt.Fprintf(&lines, `{"event_id":"%[1]s-p-%[2]d","session_id":"%[1]s-%[3]s","customer_number":%[3]s,`+
				`"browse_history":[],"kindred":{"placement":"none"}}`+"\n", name, i, c)
		}
	}
	file = filepath.Join(e.t.TempDir(), name+".jsonl")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return file
}

// mustSettle waits until every event is answered or in quarantine.
func (e *erasedShop) mustSettle() {
	e.t.Helper()
	e.programs.mustRun(e.t, nil, "verify", "--wait", catchUp.String())
}

// kept is what there is: the rows of each object, and of each table of a version, as hashes.
type kept struct {
	objects, tables map[string]map[[32]byte]int
	answers         []recommend.Answer
}

// mustLook reads all objects and all tables of versions, and asks for answers of the customers.
func (e *erasedShop) mustLook(asked []string) (k kept) {
	e.t.Helper()
	k.objects, k.tables = map[string]map[[32]byte]int{}, map[string]map[[32]byte]int{}
	for bucket, store := range e.stores {
		for info, err := range store.List(e.t.Context(), "") {
			if err != nil {
				e.t.Fatal(err)
			}
			data, _, err := objectstore.ReadAll(e.t.Context(), store, info.Key)
			if err != nil {
				e.t.Fatal(err)
			}
			rows := map[[32]byte]int{}
			for row := range mustRowsOf(e.t, info.Key, data) {
				rows[sha256.Sum256([]byte(row))]++
			}
			k.objects[bucket+" "+info.Key] = rows
		}
	}
	conn := mustVectorConn(e.t, e.dsn)
	var tables []string
	if err := conn.QueryRow(e.t.Context(), `SELECT array_agg(format('%I.%I', schemaname, tablename)) FROM pg_tables
		WHERE schemaname LIKE 'model\_%'`).Scan(&tables); err != nil || len(tables) == 0 {
		e.t.Fatalf("tables %v: %v", tables, err)
	}
	for _, table := range tables {
		rows, err := conn.Query(e.t.Context(), `SELECT t::text FROM `+table+` t`)
		if err != nil {
			e.t.Fatal(err)
		}
		k.tables[table] = map[[32]byte]int{}
		var row string
		if _, err := pgx.ForEachRow(rows, []any{&row}, func() error {
			k.tables[table][sha256.Sum256([]byte(row))]++
			return nil
		}); err != nil {
			e.t.Fatal(err)
		}
	}
	var events []*activity.Event
	for _, c := range asked {
		events = append(events, &activity.Event{SessionID: "asked " + c, CustomerID: new(activity.ID(c))})
	}
	answers, err := recommend.New(mustVectorStore(e.t, e.dsn)).Batch(e.t.Context(), events)
	if err != nil {
		e.t.Fatal(err)
	}
	k.answers = answers
	return k
}

// mustRowsOf yields the rows of an object as text: of a Parquet file, or the lines of another one.
func mustRowsOf(t *testing.T, key string, data []byte) func(func(string) bool) {
	t.Helper()
	return func(yield func(string) bool) {
		if path.Ext(key) != ".parquet" {
			if zipped, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
				if data, err = io.ReadAll(zipped); err != nil {
					t.Fatalf("%s: %v", key, err)
				}
			}
			for line := range strings.SplitSeq(string(data), "\n") {
				if !yield(line) {
					return
				}
			}
			return
		}
		file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		columns := file.Schema().Columns()
		for _, group := range file.RowGroups() {
			rows := group.Rows()
			buffer := make([]parquet.Row, 100)
			for err == nil {
				var n int
				n, err = rows.ReadRows(buffer)
				for _, row := range buffer[:n] {
					var text strings.Builder
					for _, v := range row {
						fmt.Fprintf(&text, "%s=%v;", strings.Join(columns[v.Column()], "."), v)
					}
					if !yield(text.String()) {
						return
					}
				}
			}
			if !errors.Is(err, io.EOF) {
				t.Fatalf("%s: %v", key, err)
			}
			if err = rows.Close(); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
		}
	}
}

// whose finds the customer that a row or a line names.
var whose = regexp.MustCompile(`(?:^|;)(?:customerNumber|customer_number|customer|id)=([^;]+);|` +
	`"customer_number"\s*:\s*"?([0-9]+)`)

// wantNobody looks for the persons in every object, in every version of an object that S3 keeps, and in every table.
func (e *erasedShop) wantNobody(persons map[string]bool) {
	e.t.Helper()
	look := func(where string, data []byte) {
		for row := range mustRowsOf(e.t, where, data) {
			for _, found := range whose.FindAllStringSubmatch(row, -1) {
				if id := cmp.Or(found[1], found[2]); persons[id] {
					e.t.Errorf("%s still has %s: %.200s", where, id, row)
					return
				}
			}
		}
	}
	for bucket, store := range e.stores {
		for info, err := range store.List(e.t.Context(), "") {
			data, _, readErr := objectstore.ReadAll(e.t.Context(), store, info.Key)
			if err := cmp.Or(err, readErr); err != nil {
				e.t.Fatal(err)
			}
			look(bucket+" "+info.Key, data)
		}
		for v, err := range store.(objectstore.Keeper).Versions(e.t.Context(), "") {
			if err != nil {
				e.t.Fatal(err)
			}
			old, err := store.(objectstore.Keeper).GetVersion(e.t.Context(), v)
			if err != nil {
				e.t.Fatal(err)
			}
			data, err := io.ReadAll(old)
			if err = errors.Join(err, old.Close()); err != nil {
				e.t.Fatal(err)
			}
			look(bucket+" "+v.Key, data)
		}
	}
	conn := mustVectorConn(e.t, e.dsn)
	rows, err := conn.Query(e.t.Context(), `SELECT format('SELECT count(*) FROM %I.%I WHERE %I::text = ANY ($1)',
			table_schema, table_name, column_name)
		FROM information_schema.columns WHERE (table_schema = 'kindred' OR table_schema LIKE 'model\_%')
		AND data_type = 'text' AND (column_name IN ('customer', 'customer_number')
			OR table_name = 'customer' AND column_name = 'id')`)
	if err != nil {
		e.t.Fatal(err)
	}
	questions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(questions) < 5 {
		e.t.Fatalf("tables with customers: %v, %v", questions, err)
	}
	for _, question := range questions {
		var n int
		if err := conn.QueryRow(e.t.Context(), question, slices.Collect(maps.Keys(persons))).Scan(&n); err != nil || n > 0 {
			e.t.Errorf("%s: %d, %v", question, n, err)
		}
	}
}

// wantOthers compares what there is with what there was: objects and tables that are still there have lost rows of
// the persons alone, and the others are answered as before.
func (e *erasedShop) wantOthers(before kept, persons map[string]bool, asked []string) {
	e.t.Helper()
	after := e.mustLook(asked)
	compare := func(where string, was, is map[[32]byte]int) {
		lost := 0
		for row, n := range was {
			if is[row] > n {
				e.t.Errorf("%s has a row %d times, before %d times", where, is[row], n)
			}
			lost += n - is[row]
		}
		for row := range is {
			if was[row] == 0 {
				e.t.Errorf("%s has a row that was not there", where)
			}
		}
		if lost > 0 && len(is) == 0 {
			e.t.Errorf("%s has lost all %d rows", where, lost)
		}
	}
	compared := 0
	for where, rows := range after.objects {
		if was, there := before.objects[where]; there && path.Ext(where) == ".parquet" {
			compare(where, was, rows)
			compared++
		}
	}
	for table, rows := range after.tables {
		if was, there := before.tables[table]; there {
			compare(table, was, rows)
			lost := 0
			for row, n := range was {
				lost += n - rows[row]
			}
			if strings.HasSuffix(table, ".customer") && lost != len(persons) {
				e.t.Errorf("%s has lost %d rows of %d persons", table, lost, len(persons))
			}
			if strings.HasSuffix(table, ".item") && lost > 0 {
				e.t.Errorf("%s has lost %d products", table, lost)
			}
			compared++
		}
	}
	if compared < 10 {
		e.t.Errorf("only %d files and tables were compared", compared)
	}
	for i := range asked {
		was, is := before.answers[i], after.answers[i]
		if was.ModelVersion != is.ModelVersion || !slices.EqualFunc(was.Items, is.Items, sameItem) {
			e.t.Errorf("customer %s was answered %v by %s, and now %v by %s", asked[i], was.Items, was.ModelVersion, is.Items,
				is.ModelVersion)
		}
	}
}

func sameItem(a, b activity.RecommendedItem) bool {
	return a.ID == b.ID && a.Score == b.Score && a.Because == b.Because
}

// draw takes n customers, each once.
func draw(rng *rand.Rand, customers []string, n int) (drawn, rest []string) {
	rest = slices.Clone(customers)
	rng.Shuffle(len(rest), func(i, k int) { rest[i], rest[k] = rest[k], rest[i] })
	return rest[:n], rest[n:]
}

func setOf(ids []string) map[string]bool {
	set := map[string]bool{}
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// TestErasing erases persons while events arrive and the live version changes, and again while the program is killed
// at random points. Nobody of them is left, nor comes back, not even with a database of before, and everybody else
// keeps rows and answers.
func TestErasing(t *testing.T) {
	t.Parallel()
	e := mustShopToErase(t)
	rng := rand.New(rand.NewPCG(22, 22))
	first, rest := draw(rng, e.customers, *erasePersons)
	second, rest := draw(rng, rest, *erasePersons)
	visitors, quiet := draw(rng, rest, len(rest)/5)
	quiet = quiet[:min(len(quiet), 500)]
	everybody := slices.Concat(first, second, visitors)
	before := e.mustVisits(everybody, 2*len(everybody), "before", true)
	e.programs.mustRun(t, nil, "replay", "file", before)
	e.mustSettle()
	for _, program := range []string{"feedback", "infer", "rollup"} {
		e.programs.mustRun(t, nil, program)
	}

	was, yesterday := e.mustLook(quiet), mustStack(t).mustBackUp(t, e.dsn)
	load := exec.CommandContext(t.Context(), filepath.Join(e.programs.folder, "replay"), "file", "--rate", "200",
		e.mustVisits(visitors, *eraseEvents, "load", false))
	load.Env = e.programs.env
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	e.programs.mustRun(t, nil, "erase", first...)
	e.programs.mustRun(t, nil, "publish", "rollback")
	e.programs.mustRun(t, nil, "publish", e.live, "--force", "--reason", "back")
	if err := load.Wait(); err != nil {
		t.Errorf("the load: %v", err)
	}
	e.mustSettle()
	e.programs.mustRun(t, nil, "erase", "--verify")
	e.wantNobody(setOf(first))
	e.wantOthers(was, setOf(first), quiet)
	if listed := e.mustRead(envconfig.ErasedPrefix + "list.json"); slices.ContainsFunc(first, func(id string) bool {
		return bytes.Contains(listed, []byte(`"`+id+`"`))
	}) {
		t.Error("the list has an id")
	}

	e.wantReports()
	e.wantRestoredErased(yesterday, setOf(first))

	was = e.mustLook(quiet)
	e.mustErasePiecemeal(rng, second)
	e.wantNobody(setOf(second))
	e.wantOthers(was, setOf(second), quiet)
	e.wantNobodyBack(setOf(slices.Concat(first, second)))
}

// wantReports checks the signatures of the reports that the lake keeps.
func (e *erasedShop) wantReports() {
	e.t.Helper()
	checked := 0
	for _, store := range e.stores {
		for info, err := range store.List(e.t.Context(), envconfig.ErasedPrefix+"report-") {
			if err != nil {
				e.t.Fatal(err)
			}
			file := filepath.Join(e.t.TempDir(), "report.json")
			if err := os.WriteFile(file, e.mustRead(info.Key), 0o600); err != nil {
				e.t.Fatal(err)
			}
			e.programs.mustRun(e.t, nil, "erase", "--check", file)
			checked++
		}
	}
	if checked == 0 {
		e.t.Error("the lake keeps no report")
	}
}

// mustRead reads an object, in whichever store it is.
func (e *erasedShop) mustRead(key string) []byte {
	e.t.Helper()
	for _, store := range e.stores {
		if data, _, err := objectstore.ReadAll(e.t.Context(), store, key); err == nil {
			return data
		}
	}
	e.t.Fatalf("%s is nowhere", key)
	return nil
}

// mustErasePiecemeal kills erasings of more and more persons at random points, and then measures one that is not
// disturbed.
func (e *erasedShop) mustErasePiecemeal(rng *rand.Rand, persons []string) {
	e.t.Helper()
	began := time.Now()
	e.programs.mustRun(e.t, nil, "erase", "--dry-run")
	span := time.Since(began) // of one look
	killed, attempts := 0, 0
	for ; killed < *eraseKills; attempts++ {
		if attempts == 10**eraseKills {
			e.t.Fatalf("of %d erasings, %d were killed only", attempts, killed)
		}
		ctx, cancel := context.WithTimeout(e.t.Context(), time.Duration(rng.Int64N(int64(2*span))))
		command := exec.CommandContext(ctx, filepath.Join(e.programs.folder, "erase"),
			persons[:1 + killed*(len(persons)-1) / *eraseKills]...)
		command.Env = e.programs.env
		out, err := command.CombinedOutput()
		if err != nil && ctx.Err() == nil {
			e.t.Fatalf("erase: %v\n%s", err, out)
		}
		if err != nil {
			killed++
		}
		cancel()
	}
	e.t.Logf("%d of %d erasings were killed; a look takes %.1f s", killed, attempts, span.Seconds())
	began = time.Now()
	e.programs.mustRun(e.t, nil, "erase", persons...)
	took := time.Since(began).Seconds()
	e.t.Logf("undisturbed, an erasing takes %.1f s", took)
	if *eraseLimit > 0 && took > *eraseLimit {
		e.t.Errorf("an erasing took %.1f s, at most %.1f are allowed", took, *eraseLimit)
	}
}

// mustVectors are those of the live version, by id.
func (e *erasedShop) mustVectors(table, id string) map[string][]float32 {
	e.t.Helper()
	rows, err := mustVectorConn(e.t, e.dsn).Query(e.t.Context(), fmt.Sprintf(
		`SELECT %s, embedding::real[] FROM model_%s.%s WHERE embedding IS NOT NULL`, id, e.live, table))
	if err != nil {
		e.t.Fatal(err)
	}
	all := map[string][]float32{}
	var name string
	var vector []float32
	if _, err := pgx.ForEachRow(rows, []any{&name, &vector}, func() error {
		all[name] = slices.Clone(vector)
		return nil
	}); err != nil || len(all) == 0 {
		e.t.Fatalf("%d vectors of %s: %v", len(all), table, err)
	}
	return all
}

// wantNobodyBack brings everything in again that could have somebody in it: the shop, another system's vectors, dead
// letters, recorded events and the records.
func (e *erasedShop) wantNobodyBack(persons map[string]bool) {
	e.t.Helper()
	again := filepath.Join(e.t.TempDir(), "again.jsonl")
	var lines bytes.Buffer
	for id := range persons {
		line, err := json.Marshal(map[string]any{"session_id": "again-" + id, "customer_number": id,
			"browse_history": []any{}})
		if err != nil {
			e.t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	if err := os.WriteFile(again, lines.Bytes(), 0o600); err != nil {
		e.t.Fatal(err)
	}
	products, customers := e.mustVectors("item", "code"), e.mustVectors("customer", "id")
	some := slices.Collect(maps.Values(customers))
	for id := range persons {
		customers[id] = some[0]
	}
	items, everybody := mustEmbeddings(e.t, "items.csv", products), mustEmbeddings(e.t, "customers.csv", customers)
	for _, command := range [][]string{{"etl", "--accept-shrink"}, {"train", "--dim", "16", "--tune-budget", "0"},
		{"publish", "--force", "--reason", "test"}, {"publish", "rollback"},
		{"train", "import", "--items", items, "--customers", everybody}, {"publish", "--force", "--reason", "test"},
		{"publish", "rollback"}, {"verify", "redrive"}, {"replay", "file", again},
		{"verify", "--wait", catchUp.String()}, {"feedback"}, {"infer"}, {"erase", "--verify"}} {
		e.programs.mustRun(e.t, nil, command[0], command[1:]...)
	}
	e.wantNobody(persons)
}
