package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/feedback"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
)

// readerSeeds are records as producers of all kinds write them. What of them is accepted must be read
// alike by everybody; the fuzz corpora of the packages are added to them.
func readerSeeds(t *testing.T) (seeds [][]byte) {
	t.Helper()
	event := func(more string) string {
		return `{"session_id":"s","browse_history":[{"product_code":"S10_1678","quantity":"3","in_shopping_cart":true}]` +
			more + `}`
	}
	for _, seed := range []string{
		event(""), event(`,"customer_number":103`), event(`,"customer_number":103.0`), event(`,"customer_number":1e2`),
		event(`,"customer_number":null,"event_id":null`), event(`,"event_id":"007","occurred_at":"2026-03-01T12:00:00Z"`),
		event(`,"n":1e308`), event(`,"n":1e400`), event(`,"n":9007199254740992`), event(`,"n":9007199254740993`),
		event(`,"n":123456789012345678901234567890`), event(`,"n":[0.10000000000000001,-0,1E-7,5e-324,1e-400]`),
		event(`,"x":"\u0000"`), event(`,"x":"\ud800"`), event(`,"x":"\udc00\ud800"`), event(`,"x":"\ud83d\ude00"`),
		event(`,"\ud800":1`), event(`,"x":"\uffff\ufdd0\u2028\u0001"`), event(`,"x":"\/\b\f\n\r\t\"\\"`),
		event(`,"session_id":"t"`), event(`,"SESSION_ID":"t"`), event(`,"x":{"a":1,"a":2}`), event(`,"x":{"a":1,"A":2}`),
		event(`,"Recommendation":{}`), event(`,"":1`), event(`,"a.b":1,"a b":2,"$":3,"\u0041":4`),
		event(`,"session\u005fid":"t"`), event(`,"deep":` + strings.Repeat("[", 63) + strings.Repeat("]", 63)),
		event(`,"deep":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000)), event(`,"crc32c":"00000000"}}`),
		`{"session\u005fid":"escaped name","browse_history":[]}`, `{"session_id":"` + strings.Repeat("é", 256) +
			`","browse_history":[]}`,
		`{"session_id":"null entry","browse_history":[{"product_code":"a","quantity":null,"purchased":null}]}`,
		"\n{ \"session_id\" : \"white\\u0020space\" ,\r\n\t\"browse_history\" : [ ] }\n", "\ufeff" + event(""),
		"[" + event("") + "," + event(`,"x":"\ud800"`) + "]", event("") + "\n" + event(`,"y":1`), gzipped(event("")),
		kplAggregate(event(""), "no event"),
	} {
		seeds = append(seeds, []byte(seed))
	}
	for _, fuzz := range []string{"internal/stream/activity/testdata/fuzz/FuzzParse",
		"internal/stream/activity/testdata/fuzz/FuzzRead", "lambdas/recommend/testdata/fuzz/FuzzHandle"} {
		files, err := os.ReadDir(filepath.Join("..", fuzz))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s holds %d seeds: %v", fuzz, len(files), err)
		}
		for _, file := range files {
			seeds = append(seeds, mustSeed(t, mustReadFile(t, filepath.Join("..", fuzz), file.Name())))
		}
	}
	return seeds
}

// mustSeed decodes a file of a fuzz corpus with one argument of bytes.
func mustSeed(t *testing.T, file string) []byte {
	t.Helper()
	value, isCorpus := strings.CutPrefix(file, "go test fuzz v1\n[]byte(")
	value, isBytes := strings.CutSuffix(strings.TrimSpace(value), ")")
	seed, err := strconv.Unquote(value)
	if !isCorpus || !isBytes || err != nil {
		t.Fatalf("%q is no seed: %v", file, err)
	}
	return []byte(seed)
}

// readValue is what a reader finds in a delivered line.
type readValue struct {
	Session  string
	Customer string // decimal; empty: none
	Products string // code of each entry, then whether it is in the cart
	EventID  string // recommendation.event_id
}

// TestAcceptedEventsAreReadAlike delivers whatever of the seeds is accepted, and has the lines read by
// kindred's own reader, by encoding/json, by feedback's, by DuckDB and, where Java and Python are, by
// Spark.
func TestAcceptedEventsAreReadAlike(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	folder := t.TempDir()
	var lines []byte
	var want []readValue
	for i, seed := range readerSeeds(t) {
		p := activity.Position{Stream: "s", Shard: "h", SequenceNumber: fmt.Sprint(i + 1), PartitionKey: "k", ArrivedAt: at}
		for _, item := range activity.Read(nil, p, seed) {
			if item.Fault != nil {
				continue
			}
			id := activity.EventID(item.Event, item.Position)
			line, err := activity.Record{Event: item.Data, Recommendation: activity.Recommendation{
				ID: activity.RecommendationID(id, ""), EventID: id, ModelVersion: "m1", Source: activity.SourceSession,
				GeneratedAt: at, Position: item.Position}}.AppendSealed(nil)
			if err != nil {
				t.Fatal(err)
			}
			d, err := activity.ParseDelivered([]byte(strings.TrimSuffix(string(line), "\n")))
			if err != nil || !d.Intact || d.EventID != id || d.Digest != activity.DigestOf(item.Data) {
				t.Errorf("verify's reader: %s: %+v, %v", line, d, err)
			}
			var loose map[string]any
			if err := json.Unmarshal(line, &loose); err != nil || loose["session_id"] != item.Event.SessionID {
				t.Errorf("encoding/json: %s: %v", line, err)
			}
			v := readValue{Session: item.Event.SessionID, EventID: id}
			if n := item.Event.CustomerID; n != nil {
				v.Customer = fmt.Sprint(*n)
			}
			for _, b := range item.Event.BrowseHistory {
				v.Products += fmt.Sprintf("%s %v;", b.ProductCode, b.InShoppingCart)
			}
			lines, want = append(lines, line...), append(want, v)
		}
	}
	if len(want) < 15 {
		t.Fatalf("%d events only", len(want))
	}
	if err := os.WriteFile(filepath.Join(folder, "records.json"), lines, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("feedback", func(t *testing.T) {
		t.Parallel()
		readByFeedback(t, lines)
	})
	for name, read := range map[string]func(*testing.T, string) []readValue{"DuckDB": readByDuckDB, "Spark": readBySpark} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := read(t, folder)
			order := func(a, b readValue) int { return strings.Compare(a.EventID+a.Session, b.EventID+b.Session) }
			expected := slices.SortedFunc(slices.Values(want), order)
			slices.SortFunc(got, order)
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Errorf("read otherwise than written (-want +got):\n%s", diff)
			}
		})
	}
}

// readByFeedback runs the job on the lines: it may leave none out.
func readByFeedback(t *testing.T, lines []byte) {
	t.Helper()
	delivered := objectstore.NewFolder(t.TempDir())
	if _, err := delivered.Put(t.Context(), envconfig.RecommendationPrefix+"dt=2026-03-01/hour=12/seeds",
		bytes.NewReader(lines), int64(len(lines)), objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	duckdb := filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")
	r, err := feedback.Job{Recommendations: delivered, Lake: objectstore.NewFolder(t.TempDir()), ScratchDir: t.TempDir(),
		DuckDB: duckdb, Progress: func(string, int64, int64) {}}.Run(t.Context())
	if err != nil || r.Unreadable.Count > 0 {
		t.Errorf("feedback: %v, %+v", err, r)
	}
}

// readByDuckDB reads the file as package feedback's table does, straight from the delivered lines.
func readByDuckDB(t *testing.T, folder string) (values []readValue) {
	t.Helper()
	duckdb := filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")
	const query = `SELECT session_id AS "Session", coalesce(CAST(customer_number AS VARCHAR), '') AS "Customer",
	coalesce(array_to_string(list_transform(browse_history, lambda b: b.product_code || ' ' || CAST(coalesce(b.in_shopping_cart, false) AS VARCHAR) || ';'), ''), '') AS "Products",
	recommendation.event_id AS "EventID" FROM read_json('records.json', format = 'newline_delimited', columns = {
	session_id: 'VARCHAR', customer_number: 'INTEGER', browse_history: 'STRUCT(product_code VARCHAR, quantity VARCHAR, in_shopping_cart BOOLEAN, purchased BOOLEAN)[]',
	recommendation: 'STRUCT(id VARCHAR, event_id VARCHAR)'})`
	cmd := exec.CommandContext(t.Context(), duckdb, "-json", ":memory:", query)
	cmd.Dir = folder
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("DuckDB: %v: %s", err, said.Bytes())
	}
	if err := json.Unmarshal(out, &values); err != nil {
		t.Fatalf("DuckDB: %v: %s", err, out)
	}
	return values
}

// sparkReader reads the file with the columns of Glue's table and prints what it finds, in base64. A
// line that Spark cannot read ends it.
const sparkReader = `
import base64, json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
schema = """session_id string, customer_number int,
  browse_history array<struct<product_code:string,quantity:string,in_shopping_cart:boolean,purchased:boolean>>,
  recommendation struct<id:string,event_id:string>"""
found = []
for r in spark.read.schema(schema).json(sys.argv[1], mode="FAILFAST").collect():
    products = "".join("%s %s;" % (b.product_code, str(bool(b.in_shopping_cart)).lower()) for b in r.browse_history)
    customer = "" if r.customer_number is None else str(r.customer_number)
    found.append({"Session": r.session_id, "Customer": customer, "Products": products, "EventID": r.recommendation.event_id})
print("FOUND " + base64.b64encode(json.dumps(found).encode()).decode())
`

func readBySpark(t *testing.T, folder string) (values []readValue) {
	t.Helper()
	home := mustSpark(t)
	cmd := exec.CommandContext(t.Context(), "python3", "-c", sparkReader, filepath.Join(folder, "records.json"))
	cmd.Env = append(os.Environ(), "SPARK_HOME="+filepath.Join(home, "pyspark"), "PYTHONPATH="+home,
		"PYSPARK_PYTHON=python3", "SPARK_LOCAL_IP=127.0.0.1")
	out, err := cmd.CombinedOutput()
	_, found, ok := strings.Cut(string(out), "FOUND ")
	if err != nil || !ok {
		t.Fatalf("Spark: %v: %s", err, out)
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.SplitN(found, "\n", 2)[0]))
	if err == nil {
		err = json.Unmarshal(data, &values)
	}
	if err != nil {
		t.Fatalf("Spark: %v: %s", err, out)
	}
	return values
}
