package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/localstack/settings"
)

// anyText is text of 1 to n characters without NUL. It does not end with a space, which MySQL does
// not tell from none at the end of a key.
func anyText(n int) *rapid.Generator[string] {
	scripts := []*unicode.RangeTable{unicode.Latin, unicode.Han, unicode.Arabic, unicode.Devanagari, unicode.So,
		unicode.Mn,
		unicode.P, unicode.Cf, unicode.Zs, unicode.Co}
	character := rapid.OneOf(rapid.Rune(), rapid.RuneFrom(nil, scripts...), rapid.RuneFrom([]rune(
		"\x01\x1f\x7f\"'\\/<&%_\u2028\ufeff\ufffd\uffff\U0010ffff")))
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(character.Filter(func(r rune) bool { return r != 0 }), 1, n).Draw(t, "characters"))
	}).Filter(func(s string) bool { return !strings.HasSuffix(s, " ") })
}

// unicodeShop is a shop whose codes, names and cities are random.
type unicodeShop struct {
	codes, names, cities []string
}

const unicodeProducts, unicodeCustomers = 40, 60

func newUnicodeShop(seed int) (s unicodeShop) {
	seen := map[string]bool{}
	for n := seed; len(s.codes) < unicodeProducts; n++ {
		if code := anyText(15).Example(n); !seen[code] {
			seen[code] = true
			s.codes, s.names = append(s.codes, code), append(s.names, anyText(70).Example(n))
		}
	}
	for n := range unicodeCustomers {
		s.cities = append(s.cities, anyText(50).Example(seed+n))
	}
	return s
}

// TestAnyTextComesThroughUnchanged sends random text the whole way: MySQL, training set, model,
// vector database, HTTP answer, stream, answers on S3, interactions. Each reader must see the same
// bytes. -fault-seed gives other text.
func TestAnyTextComesThroughUnchanged(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	own, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	own = own.WithSuffix(randomName())
	shop := newUnicodeShop(int(*faultSeed))
	env := own.Env()
	env["AWS_ENDPOINT_URL"] = *stack.AWS.BaseEndpoint
	env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = "test", "test"
	env["MYSQL_DSN"], env["PGVECTOR_DSN"] = shop.mustLoad(t, stack), stack.mustVectorDatabase(t)
	env["DUCKDB"] = filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")
	mustProvision(t, stack, own, env)
	p := mustPrograms(t, env, "etl", "train", "publish", "verify", "feedback")

	p.mustRun(t, nil, "etl")
	lakeStore := objectstore.NewS3(awsclient.S3(stack.AWS), own.Buckets.Lake.Name, "")
	shop.mustBeIn(t, lakeStore)
	p.mustRun(t, nil, "train")
	p.mustRun(t, nil, "publish", "--force", "--reason", "random ratings teach nothing")
	shop.mustBeServed(t, mustServe(t, env["PGVECTOR_DSN"]))
	shop.mustBeAnswered(t, stack, own, p)
	p.mustRun(t, nil, "feedback")
	shop.mustBeInteractions(t, lakeStore)
}

// mustLoad writes the shop to MySQL, with ratings of any kind.
func (s unicodeShop) mustLoad(t *testing.T, stack Stack) (dsn string) {
	t.Helper()
	dsn, db := stack.mustShop(t, strings.ReplaceAll(`
CREATE TABLE customers (customerNumber int PRIMARY KEY, customerName varchar(50) NOT NULL, city varchar(50) NOT NULL,
	state varchar(50), postalCode varchar(15), country varchar(50) NOT NULL, creditLimit decimal(10,2)) BINARY;
CREATE TABLE products (productCode varchar(15) PRIMARY KEY, productName varchar(70) NOT NULL,
	productLine varchar(50) NOT NULL, productScale varchar(10) NOT NULL, productVendor varchar(50) NOT NULL,
	quantityInStock smallint NOT NULL, buyPrice decimal(10,2) NOT NULL, MSRP decimal(10,2) NOT NULL) BINARY;
CREATE TABLE ratings (customerNumber int, productCode varchar(15), productRating int, ratedAt datetime,
	PRIMARY KEY (customerNumber, productCode)) BINARY`, "BINARY", "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
	insert := func(statement string, values ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, values...); err != nil {
			t.Fatalf("%s %q: %v", statement, values, err)
		}
	}
	for i, code := range s.codes {
		insert("INSERT INTO products VALUES (?, ?, ?, '1:10', ?, 5, 1, 2)", code, s.names[i], s.cities[i%3], s.cities[i%5])
	}
	for i, city := range s.cities {
		insert("INSERT INTO customers VALUES (?, ?, ?, ?, NULL, ?, 1)", i+1, city, city, city, s.cities[i%7])
		for k, code := range s.codes {
			if (i*7+k*3)%4 == 0 {
				insert("INSERT INTO ratings VALUES (?, ?, ?, NULL)", i+1, code, 1+(i+k*k)%5)
			}
		}
	}
	return dsn
}

// mustBeIn compares the training set with the shop.
func (s unicodeShop) mustBeIn(t *testing.T, store objectstore.Store) {
	t.Helper()
	repo := commit.NewRepository(store, envconfig.TrainingSetPrefix)
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := trainingset.Read(t.Context(), repo, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	for i, code := range s.codes {
		want[code] = s.names[i]
	}
	for _, product := range set.Products {
		got[product.Code] = product.Name
	}
	var cities []string
	for _, c := range set.Customers {
		cities = append(cities, c.City)
	}
	if diff := cmp.Diff(want, got) + cmp.Diff(s.cities, cities); diff != "" {
		t.Errorf("the training set differs from the shop (-shop +set):\n%s", diff)
	}
}

// mustBeServed asks serve for what is similar to each product.
func (s unicodeShop) mustBeServed(t *testing.T, base string) {
	t.Helper()
	for _, code := range s.codes {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/products/"+url.PathEscape(code)+"/similar",
			nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		var similar struct {
			Product string                `json:"product_code"`
			Items   []struct{ ID string } `json:"similar_items"`
		}
		if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(body, &similar) != nil || len(
			similar.Items) == 0 {
			t.Errorf("similar to %q: %d %s, %v", code, answer.StatusCode, body, err)
		}
		for _, item := range similar.Items {
			if !slices.Contains(s.codes, item.ID) {
				t.Errorf("similar to %q is %q, which is no product", code, item.ID)
			}
		}
	}
}

// mustBeAnswered sends a visit of each product, in sessions and cities of any text, and compares the
// answers on S3 with what was sent.
func (s unicodeShop) mustBeAnswered(t *testing.T, stack Stack, own settings.Settings, p programs) {
	t.Helper()
	sent := map[string][]byte{} // events by id
	for i, code := range s.codes {
		number := int32(i + 1)
		id := s.cities[i] + fmt.Sprint(i)
		// The customer has seen the product before, so that it becomes an interaction.
		event := activity.Event{EventID: id, SessionID: s.names[i], CustomerNumber: &number, City: s.cities[i],
			Country: s.cities[i], BrowseHistory: []activity.Browse{{ProductCode: code, Quantity: 1, InShoppingCart: true}}}
		data, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		sent[id] = data
		if _, err := kinesis.NewFromConfig(stack.AWS).PutRecord(t.Context(), &kinesis.PutRecordInput{
			StreamName: &own.Stream.Name, PartitionKey: &own.Stream.Name, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	p.mustRun(t, nil, "verify", "--wait", catchUp.String())
	records := mustRecords(t, objectstore.NewS3(awsclient.S3(stack.AWS), own.Buckets.Recommendations.Name, ""))
	if len(records) != len(sent) {
		t.Errorf("%d answers for %d events", len(records), len(sent))
	}
	for id, data := range sent {
		r, there := records[activity.RecommendationID(id)]
		if !there || r.Recommendation.EventID != id {
			t.Errorf("event %q has the answer %+v", id, r.Recommendation)
			continue
		}
		want, err := activity.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := activity.Parse(r.Event); err != nil || cmp.Diff(want, got) != "" || !bytes.Contains(r.Event,
			data[1:40]) {
			t.Errorf("the answer's event %s, %v, differs from %s", r.Event, err, data)
		}
		for _, item := range r.RecommendedItems {
			if !slices.Contains(s.codes, item.ID) {
				t.Errorf("event %q is recommended %q, which is no product", id, item.ID)
			}
		}
	}
}

// mustBeInteractions compares what feedback made of the visits.
func (s unicodeShop) mustBeInteractions(t *testing.T, store objectstore.Store) {
	t.Helper()
	repo := commit.NewRepository(store, envconfig.FeedbackPrefix)
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := interaction.Read(t.Context(), repo, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	codes := map[int32]string{}
	for _, one := range got {
		codes[one.CustomerNumber] = one.ProductCode
	}
	for i, code := range s.codes {
		if codes[int32(i+1)] != code {
			t.Errorf("customer %d put %q into the cart, feedback says %q", i+1, code, codes[int32(i+1)])
		}
	}
}
