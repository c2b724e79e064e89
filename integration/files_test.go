package integration

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"kindred/internal/model/modelversion"
	"kindred/internal/shop/preset"
)

// shelves are the tastes of the shops in files: a customer likes two of them.
const (
	shelves       = 8
	shelfProducts = 30
)

// tasteful draws what somebody takes: mostly of the shelves that they like.
type tasteful struct{ *rand.Rand }

func (r tasteful) product(person int) int {
	shelf := person % shelves
	switch r.IntN(10) {
	case 0:
		shelf = r.IntN(shelves)
	case 1, 2, 3, 4:
		shelf = (person / shelves) % shelves
	}
	return shelf*shelfProducts + min(int(r.ExpFloat64()*8), shelfProducts-1)
}

// mustRetailFile writes a file of the shape of Online Retail, in Windows-1252: with guests,
// cancellations, postage and corrections of the stock. bought is how many lines of it are purchases.
func mustRetailFile(t *testing.T) (path string, bought int) {
	t.Helper()
	r := tasteful{rand.New(rand.NewPCG(1, 2))}
	var text strings.Builder
	w := csv.NewWriter(&text)
	w.UseCRLF = true
	write := func(fields ...string) {
		if err := w.Write(fields); err != nil {
			t.Fatal(err)
		}
	}
	write("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
	at := time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC)
	for invoice := range 3000 {
		at = at.Add(time.Duration(r.IntN(150)) * time.Minute)
		person, when := r.IntN(400), at.Format("1/2/2006 15:04")
		customer := strconv.Itoa(12346 + person)
		if r.IntN(5) == 0 {
			customer = ""
		}
		for line := range 2 + r.IntN(5) {
			code := fmt.Sprintf("%dA", 20000+r.product(person))
			write(strconv.Itoa(536365+invoice), code, `CAFÉ "MUG", £`+code, "2", when, "2.55", customer, "France")
			if bought++; line == 0 && r.IntN(20) == 0 {
				write("C"+strconv.Itoa(900000+invoice), code, "MUG", "-2", when, "2.55", customer, "France")
				bought++
			}
		}
		if r.IntN(10) == 0 {
			write(strconv.Itoa(536365+invoice), "POST", "POSTAGE", "1", when, "18", customer, "France")
			write(strconv.Itoa(950000+invoice), "20000A", "damaged", "-5", when, "0", "", "France")
		}
	}
	w.Flush()
	western, err := charmap.Windows1252.NewEncoder().String(text.String())
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "retail.csv")
	if err := os.WriteFile(path, []byte(western), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, bought
}

// mustEventsFolder writes a folder of the shape of RetailRocket.
func mustEventsFolder(t *testing.T) (folder string, events int) {
	t.Helper()
	r := tasteful{rand.New(rand.NewPCG(3, 4))}
	var text, properties strings.Builder
	text.WriteString("timestamp,visitorid,event,itemid,transactionid\n")
	properties.WriteString("timestamp,itemid,property,value\n")
	at := int64(1433221332117)
	write := func(visitor int, kind string, item int, order string) {
		events++
		fmt.Fprintf(&text, "%d,%d,%s,%d,%s\n", at, visitor, kind, 1000+item, order)
	}
	for visit := range 3000 {
		person := r.IntN(600)
		for range 1 + r.IntN(8) {
			at += int64(r.IntN(60_000))
			item := r.product(person)
			write(person, "view", item, "")
			if r.IntN(6) == 0 {
				write(person, "addtocart", item, "")
				if r.IntN(2) == 0 {
					write(person, "transaction", item, strconv.Itoa(visit))
				}
			}
		}
	}
	for item := range shelves * shelfProducts {
		fmt.Fprintf(&properties, "1433000000000,%d,categoryid,%d\n1433000000000,%d,available,1\n", 1000+item,
			item/shelfProducts, 1000+item)
	}
	folder = t.TempDir()
	for name, content := range map[string]string{"events.csv": text.String(),
		"item_properties_part1.csv": properties.String()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder, events
}

// TestFilesOfOrdersAndEventsRunWithoutMapping imports both, one after the other into the same
// database, and runs the programs of a night on them as they are.
func TestFilesOfOrdersAndEventsRunWithoutMapping(t *testing.T) {
	t.Parallel()
	s := newSeeding(t)
	env := map[string]string{"MYSQL_DSN": s.dsn, "LAKE_BUCKET": "file://" + s.lake,
		"ARTIFACTS_BUCKET": "file://" + t.TempDir(),
		"MYSQL_SECRET_ARN": "", "ETL_MAPPING": "", "ETL_PRESET": "", "AWS_ENDPOINT_URL": ""}
	p := mustPrograms(t, env, "etl", "train")
	s.mustRun(t, "generate", "--scale", "0.02")
	retail, bought := mustRetailFile(t)
	events, happened := mustEventsFolder(t)
	for _, test := range []struct {
		path string
		rows int
	}{{retail, bought}, {events, happened}} {
		if first := s.mustRun(t, "import", test.path); first.NoOp || first.Interactions != test.rows {
			t.Fatalf("import of %s: %+v, want %d interactions", test.path, first, test.rows)
		}
		if again := s.mustRun(t, "import", test.path); !again.NoOp || again.Interactions != test.rows {
			t.Errorf("import of %s again: %+v", test.path, again)
		}
		found, err := preset.Of(t.Context(), s.dsn, preset.Choice{}, nil)
		if err != nil || found.Found.System != "interactions" {
			t.Fatalf("found %v, %v", found.Found, err)
		}
		var etl struct {
			Rows struct{ Interactions int } `json:"rows"`
		}
		p.mustRun(t, &etl, "etl", "--accept-schema", "--accept-shrink")
		var train struct {
			Report modelversion.Report `json:"report"`
		}
		p.mustRun(t, &train, "train")
		model, popularity := row(train.Report, modelversion.RowModel), row(train.Report, modelversion.RowPopularity)
		if etl.Rows.Interactions != test.rows || model.Low <= popularity.NDCG10 {
			t.Errorf("%s: %d interactions, want %d; the model has NDCG@10 %.3f (from %.3f), popularity %.3f", test.path,
				etl.Rows.Interactions, test.rows, model.NDCG10, model.Low, popularity.NDCG10)
		}
	}
	if back := s.mustRun(t, "import", filepath.Join("..", "testdata", "import", "csv")); back.NoOp || back.Ratings != 2 {
		t.Errorf("import of ratings: %+v", back)
	}
	var tables int
	if err := mustShopDB(t, s.dsn).SQL().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.TABLES "+
		"WHERE TABLE_SCHEMA = DATABASE()").Scan(&tables); err != nil || tables != 4 {
		t.Errorf("%d tables are left, want those of the ratings and kindred_seed: %v", tables, err)
	}
}
