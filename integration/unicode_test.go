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
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kindred/internal/job/train"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/text"
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

// anyID is an id of 1 to 128 bytes, of the kinds that shops have: text ids of any system, and what a
// reader may take for something else.
func anyID() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`),
		rapid.StringMatching(`[a-z]{1,8}[.+][a-z]{1,5}@[a-z]{1,9}\.example`),
		rapid.StringMatching(`0{1,5}[0-9]{1,9}`),
		rapid.StringMatching(`[1-9][0-9]{17,30}`),
		rapid.StringMatching(`-?[0-9]{1,3}(\.[0-9]|e[0-9])`),
		rapid.StringMatching(`[a-zA-Z]{2}`),
		rapid.StringMatching(`%[0-9A-F]{2}[/'"\\?#&;:]{1,4}[a-z ]{0,3}x`),
		rapid.StringMatching(`(null|true|NaN|\.\.?|\*|/)`),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat(rapid.SampledFrom([]string{"🛒", "ü", "x"}).Draw(t, "one"), 32)
		}),
		rapid.Custom(func(t *rapid.T) string { return (anyText(40).Draw(t, "text") + strings.Repeat("é", 64))[:128] }).
			Filter(utf8.ValidString),
		anyText(20)).Filter(func(id string) bool { return len(id) <= text.MaxID })
}

// unicodeShop is a shop whose ids, names and cities are random.
type unicodeShop struct {
	codes, names, cities []string
	customers            []string // ids, as many as cities
	key                  string   // the type of the customers' column
}

const unicodeProducts, unicodeCustomers = 40, 60

// newUnicodeShop makes a shop whose customers have numbers, or text like its products.
func newUnicodeShop(seed int, numbers bool) (s unicodeShop) {
	s.key = "varchar(128)"
	if numbers {
		s.key = "int"
	}
	seen := map[string]bool{}
	// distinct draws until it has a new one; every second one has its twin in the other case.
	distinct := func(id func(n int) string, add func(string)) {
		for n := seed; ; n++ {
			for _, one := range []string{id(n), strings.ToUpper(id(n))} {
				if !seen[one] && len(one) <= text.MaxID {
					seen[one] = true
					add(one)
				}
			}
			if len(s.codes) == unicodeProducts && len(s.customers) == 0 || len(s.customers) == unicodeCustomers {
				return
			}
		}
	}
	distinct(func(n int) string { return anyID().Example(n) }, func(id string) {
		if len(s.codes) < unicodeProducts {
			s.codes, s.names = append(s.codes, id), append(s.names, anyText(70).Example(seed+len(s.codes)))
		}
	})
	clear(seen)
	distinct(func(n int) string {
		if numbers {
			return strconv.Itoa(n - seed + 1)
		}
		return anyID().Example(n + 1000)
	}, func(id string) {
		if len(s.customers) < unicodeCustomers {
			s.customers = append(s.customers, id)
		}
	})
	for n := range s.customers {
		s.cities = append(s.cities, anyText(50).Example(seed+n))
	}
	return s
}

// TestAnyTextComesThroughUnchanged sends random text the whole way: MySQL, training set, model,
// vector database, HTTP answer, stream, answers on S3, interactions. Each reader must see the same
// bytes. -fault-seed gives other text.
func TestAnyTextComesThroughUnchanged(t *testing.T) {
	t.Parallel()
	mustComeThrough(t, newUnicodeShop(int(*faultSeed), true))
}

// TestAnyIDComesThroughUnchanged does the same for customers whose ids are any text.
func TestAnyIDComesThroughUnchanged(t *testing.T) {
	t.Parallel()
	mustComeThrough(t, newUnicodeShop(int(*faultSeed), false))
}

func mustComeThrough(t *testing.T, shop unicodeShop) {
	t.Helper()
	stack := mustStack(t)
	own, env := mustPlaces(t, stack, shop.mustLoad(t, stack))
	env["DUCKDB"] = filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")
	p := mustPrograms(t, env, "etl", "train", "publish", "verify", "feedback")

	p.mustRun(t, nil, "etl")
	lakeStore := objectstore.NewS3(awsclient.S3(stack.AWS), own.Buckets.Lake.Name, "")
	shop.mustBeIn(t, lakeStore)
	var trained train.Result
	p.mustRun(t, &trained, "train")
	version := trained.ModelVersion
	if trained.Refused != nil { // popularity answers instead, and knows no customer
		version = trained.Refused.ModelVersion
	}
	p.mustRun(t, nil, "publish", version, "--force", "--reason", "random ratings teach nothing")
	shop.mustBeServed(t, mustServe(t, env["PGVECTOR_DSN"]))
	shop.mustBeAnswered(t, stack, own, p)
	p.mustRun(t, nil, "feedback")
	shop.mustBeInteractions(t, lakeStore)
}

// mustLoad writes the shop to MySQL, with ratings of any kind.
func (s unicodeShop) mustLoad(t *testing.T, stack Stack) (dsn string) {
	t.Helper()
	dsn, db := stack.mustShop(t, strings.NewReplacer("KEY_TYPE", s.key, "BINARY",
		"CHARACTER SET utf8mb4 COLLATE utf8mb4_bin").
		Replace(`
CREATE TABLE customers (customerNumber KEY_TYPE PRIMARY KEY, customerName varchar(50) NOT NULL, city varchar(50) NOT NULL,
	state varchar(50), postalCode varchar(15), country varchar(50) NOT NULL, creditLimit decimal(10,2)) BINARY;
CREATE TABLE products (productCode varchar(128) PRIMARY KEY, productName varchar(70) NOT NULL,
	productLine varchar(50) NOT NULL, productScale varchar(10) NOT NULL, productVendor varchar(50) NOT NULL,
	quantityInStock smallint NOT NULL, buyPrice decimal(10,2) NOT NULL, MSRP decimal(10,2) NOT NULL) BINARY;
CREATE TABLE ratings (customerNumber KEY_TYPE, productCode varchar(128), productRating int, ratedAt datetime,
	PRIMARY KEY (customerNumber, productCode)) BINARY`))
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
		insert("INSERT INTO customers VALUES (?, ?, ?, ?, NULL, ?, 1)", s.customers[i], city, city, city, s.cities[i%7])
		for k, code := range s.codes {
			if (i*7+k*3)%4 == 0 {
				insert("INSERT INTO ratings VALUES (?, ?, ?, NULL)", s.customers[i], code, 1+(i+k*k)%5)
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
	wantCities, cities := map[string]string{}, map[string]string{}
	for i, id := range s.customers {
		wantCities[id] = s.cities[i]
	}
	for _, c := range set.Customers {
		cities[c.ID] = c.City
	}
	if diff := cmp.Diff(want, got) + cmp.Diff(wantCities, cities); diff != "" {
		t.Errorf("the training set differs from the shop (-shop +set):\n%s", diff)
	}
}

// mustBeServed asks serve for what is similar to each product, and for each customer.
func (s unicodeShop) mustBeServed(t *testing.T, base string) {
	t.Helper()
	for _, id := range s.customers {
		status, body := mustGetPath(t, base+"/customers/"+escaped(id)+"/recommendations")
		var answer struct {
			Customer activity.ID     `json:"customer_number"`
			Source   activity.Source `json:"source"`
			Unknown  bool            `json:"unknown_customer"`
		}
		if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK || string(answer.Customer) != id ||
			answer.Source == activity.SourcePopularity || answer.Unknown {
			t.Errorf("customer %q: %d %s, %v", id, status, body, err)
		}
	}
	for _, code := range s.codes {
		status, body := mustGetPath(t, base+"/products/"+escaped(code)+"/similar")
		var similar struct {
			Product string                `json:"product_code"`
			Items   []struct{ ID string } `json:"similar_items"`
		}
		if err := json.Unmarshal(body, &similar); err != nil || status != http.StatusOK || len(similar.Items) == 0 ||
			similar.Product != code {
			t.Errorf("similar to %q: %d %s, %v", code, status, body, err)
		}
		for _, item := range similar.Items {
			if !slices.Contains(s.codes, item.ID) {
				t.Errorf("similar to %q is %q, which is no product", code, item.ID)
			}
		}
	}
}

// escaped is an id as one segment of a path. "." and ".." are no segments unless they are escaped too.
func escaped(id string) string {
	if strings.Trim(id, ".") == "" {
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}

func mustGetPath(t *testing.T, address string) (status int, body []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}

// mustBeAnswered sends a visit of each product, in sessions and cities of any text, and compares the
// answers on S3 with what was sent.
func (s unicodeShop) mustBeAnswered(t *testing.T, stack Stack, own settings.Settings, p programs) {
	t.Helper()
	sent := map[string][]byte{} // events by id
	for i, code := range s.codes {
		customer := activity.ID(s.customers[i])
		id := s.cities[i] + fmt.Sprint(i)
		// The customer has seen the product before, so that it becomes an interaction.
		event := activity.Event{EventID: id, SessionID: s.names[i], CustomerID: &customer, City: s.cities[i],
			Country: s.cities[i], BrowseHistory: []activity.Browse{{ProductCode: activity.ID(code), Quantity: 1,
				InShoppingCart: true}}}
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
		r, there := records[activity.RecommendationID(id, "")]
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
		if r.Recommendation.UnknownCustomer || r.Recommendation.UnknownProducts > 0 ||
			r.Recommendation.Source != activity.SourceSession {
			t.Errorf("event %q: %+v", id, r.Recommendation)
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
	codes := map[string]string{}
	for _, one := range got {
		codes[one.CustomerID] = one.ProductCode
	}
	for i, code := range s.codes {
		if id := s.customers[i]; codes[id] != code {
			t.Errorf("customer %q put %q into the cart, feedback says %q", id, code, codes[id])
		}
	}
}
