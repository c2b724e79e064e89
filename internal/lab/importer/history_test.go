package importer

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"kindred/internal/shop"
)

// mustWrite writes files into a new folder.
func mustWrite(t testing.TB, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// gathered is a History that was read.
type gathered struct {
	format   string
	deeds    []string // customer|session|order|product|kind|value|quantity|time
	products []string // id: name [categories] brand price currency, and "gone"
	people   []string // id country city
	account  Account
}

func number(n *float64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

func gather(path string, o Options) (g gathered, err error) {
	data, err := Open(path, o)
	if err != nil {
		return g, err
	}
	h := data.History
	if h == nil {
		return g, errors.New("read as a shop of ratings")
	}
	g.format = h.Format
	for i, err := range h.Interactions() {
		if err != nil {
			return g, err
		}
		at := ""
		if i.At != shop.NoMoment {
			at = time.UnixMilli(i.At).UTC().Format("2006-01-02 15:04:05")
		}
		g.deeds = append(g.deeds, strings.Join([]string{string(i.Customer), string(i.Session), string(i.Order),
			string(i.Product), string(i.Kind), number(i.Value), number(i.Quantity), at}, "|"))
	}
	for _, p := range h.Products() {
		text := p.ID + ": " + p.Name
		if len(p.Categories) > 0 {
			text += " [" + strings.Join(p.Categories, ", ") + "]"
		}
		if p.Brand != "" {
			text += " by " + p.Brand
		}
		if p.Price != nil {
			text += " " + p.Price.String() + " " + p.Currency
		}
		if !p.Available {
			text += " gone"
		}
		g.products = append(g.products, text)
	}
	for _, c := range h.Customers() {
		g.people = append(g.people, strings.Join([]string{c.ID, c.Country, c.City}, " "))
	}
	g.account = h.Account()
	return g, nil
}

const (
	retailHeader = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"
	shopifyHead  = "Name,Email,Financial Status,Cancelled at,Currency,Created at,Lineitem quantity,Lineitem " +
		"name,Lineitem price,Lineitem sku,Billing Country,Vendor\n"
)

var knownFiles = []struct {
	name  string
	files map[string]string
	want  gathered
}{
	{"Online Retail", map[string]string{"data.csv": retailHeader +
		"536365,85123A,\"WHITE \"\"LIGHT\"\" HOLDER\",6,12/1/2010 8:26,2.55,17850.0,United Kingdom\r\n" +
		"536365,85123A,?,1,12/1/2010 8:26,2.55,17850,United Kingdom\r\n" +
		"536365,85123A,\"WHITE \"\"LIGHT\"\" HOLDER\",1,12/1/2010 8:26,2.55,17850,United Kingdom\r\n" +
		"536365,POST,POSTAGE,1,12/1/2010 8:26,18,17850,United Kingdom\r\n" +
		"C536379,85123A,\"WHITE \"\"LIGHT\"\" HOLDER\",-1,12/13/2010 9:41,2.55,17850,United Kingdom\r\n" +
		"536400,22139,MUG \xa31 CAF\xc9,2,12/14/2010 0:00,4.25,,EIRE\r\n" +
		"536401,22139,damaged,-5,12/14/2010 0:00,0,,United Kingdom\r\n"}, gathered{format: "Online Retail",
		deeds: []string{"17850||536365|85123A|purchase||6|2010-12-01 08:26:00",
			"17850||536365|85123A|purchase||1|2010-12-01 08:26:00",
			"17850||536365|85123A|purchase||1|2010-12-01 08:26:00", "17850||C536379|85123A|purchase||-1|2010-12-13 09:41:00",
			"|order-536400|536400|22139|purchase||2|2010-12-14 00:00:00"},
		products: []string{"22139: MUG £1 CAFÉ 4.2500 GBP", `85123A: WHITE "LIGHT" HOLDER 2.5500 GBP`},
		people:   []string{"17850 United Kingdom "},
		account: Account{Lines: 7, Kept: 5, LeftOut: map[string]int64{"of postage, discounts, fees and corrections": 1,
			"with a price of 0, which corrects the stock or gives away": 1},
			Notes: []string{`Dates have the month first, as "12/13/2010" on data.csv, line 6.`,
				"data.csv is not in UTF-8 everywhere. Lines that were read as Windows-1252: 1."}}}},
	{"Online Retail II", map[string]string{"Year 2009-2010.csv": "Invoice;StockCode;Description;Quantity;InvoiceDate;" +
		"Price;Customer ID;Country\n" +
		"489434;79323P;PINK LIGHTS;12;2009-12-01 07:45:00;6,75;13085;France\n"}, gathered{format: "Online Retail",
		deeds:    []string{"13085||489434|79323P|purchase||12|2009-12-01 07:45:00"},
		products: []string{"79323P: PINK LIGHTS 6.7500 GBP"}, people: []string{"13085 France "},
		account: Account{Lines: 1, Kept: 1}}},
	{"RetailRocket", map[string]string{
		"events.csv": "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n" +
			"1433221332118,257597,addtocart,355908,\n1433221332119,257597,transaction,355908,4000\n",
		"item_properties_part1.csv": "timestamp,itemid,property,value\n1435460400000,355908,categoryid,1338\n" +
			"1433000000000,355908,categoryid,7\n1435460400000,355908,available,0\n1435460400000,99,categoryid,5\n",
		"category_tree.csv": "categoryid,parentid\n1016,213\n"}, gathered{format: "RetailRocket",
		deeds: []string{"257597|||355908|view|||2015-06-02 05:02:12", "257597|||355908|cart|||2015-06-02 05:02:12",
			"257597||4000|355908|purchase|||2015-06-02 05:02:12"},
		products: []string{"355908: category 1338 355908 [category 1338] gone"},
		account: Account{Lines: 3, Kept: 3, Unused: []string{"category_tree.csv"},
			Notes: []string{"1 of 1 products have no name in the files, and are called by their category and id."}}}},
	{"Instacart", map[string]string{
		"orders.csv": "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n" +
			"7,1,prior,2,3,07,15.0\n5,1,prior,1,2,08,\n9,1,test,3,1,1,2.0\n",
		"order_products__prior.csv": "order_id,product_id,add_to_cart_order,reordered\n5,196,1,0\n7,196,1,1\n",
		"order_products__train.csv": "order_id,product_id,add_to_cart_order,reordered\n99,1,1,0\n",
		"products.csv": "product_id,product_name,aisle_id,department_id\n196,Soda,77,7\n2,\"Salt, " +
			"\\\"\"Best\\\"\"\",104,13\n",
		"aisles.csv":      "aisle_id,aisle\n77,soft drinks\n",
		"departments.csv": "department_id,department\n7,beverages\n13,pantry\n"},
		gathered{format: "Instacart", deeds: []string{"1||5|196|purchase|||2016-01-01 08:00:00",
			"1||7|196|purchase|||2016-01-16 07:00:00"},
			products: []string{"196: Soda [beverages, soft drinks]", `2: Salt, \"Best\" [pantry]`},
			account: Account{Lines: 3, Kept: 2, LeftOut: map[string]int64{noOrder: 1},
				Notes: []string{"The files have no dates: each customer's first order is set to 2016-01-01, and the others " +
					"follow it."}}}},
	{"Olist", map[string]string{
		"olist_orders_dataset.csv": "\"order_id\",\"customer_id\",\"order_status\",\"order_purchase_timestamp\"\n" +
			"o1,c1,delivered,2017-10-02 10:56:33\n" +
			"o2,c2,canceled,2017-10-03 10:56:33\n",
		"olist_order_items_dataset.csv": "order_id,order_item_id,product_id,seller_id,price\n" +
			"o1,1,p1,s,29.99\no1,2,p1,s,29.99\no2,1,p1,s,1\n",
		"olist_products_dataset.csv":  "product_id,product_category_name\np1,cama_mesa\n",
		"olist_customers_dataset.csv": "customer_id,customer_unique_id,customer_city\nc1,u1,sao paulo\nc2,u1,sao paulo\n",
		"product_category_name_translation.csv": "\ufeffproduct_category_name,product_category_name_english\n" +
			"cama_mesa,bed_table\n",
		"olist_order_reviews_dataset.csv": "review_id,order_id,review_score\nr,o1,5\n"}, gathered{format: "Olist",
		deeds:    []string{"u1||o1|p1|purchase|||2017-10-02 10:56:33", "u1||o1|p1|purchase|||2017-10-02 10:56:33"},
		products: []string{"p1: bed table p1 [bed table] 29.9900 BRL"}, people: []string{"u1 Brazil sao paulo"},
		account: Account{Lines: 3, Kept: 2, LeftOut: map[string]int64{cancelled: 1},
			Unused: []string{"olist_order_reviews_dataset.csv"},
			Notes:  []string{"1 of 1 products have no name in the files, and are called by their category and id."}}}},
	{"Amazon 2018", map[string]string{
		"Toys_5.json": `{"overall": 5.0, "verified": true, "reviewerID": "A1", "asin": "0001", "reviewText": "Great\n\"toy\"", "unixReviewTime": 1382659200}` + "\n" +
			`{"overall": 2.0, "reviewerID": "A2", "asin": "0001", "unixReviewTime": 1382659201}` + "\n",
		"meta_Toys.json": `{"asin": "0001", "title": "Blocks", "brand": "Acme", "category": ["Toys", "Blocks"], "price": "$12.99"}` + "\n" +
			`{"asin": "0002", "title": "Not reviewed", "price": ".a-box-inner{background-color:#fff}"}` + "\n"},
		gathered{format: "Amazon reviews",
			deeds:    []string{"A1|||0001|rating|5||2013-10-25 00:00:00", "A2|||0001|rating|2||2013-10-25 00:00:01"},
			products: []string{"0001: Blocks [Blocks, Toys] by Acme 12.9900 USD"}, account: Account{Lines: 2, Kept: 2}}},
	{"Amazon 2023", map[string]string{
		"All_Beauty.jsonl": `{"rating": 4.0, "title": "ok", "text": "", "asin": "B01", "parent_asin": "B00", "user_id": "AG", "timestamp": 1588687728923}` + "\n",
		"meta.jsonl":       `{"main_category": "All Beauty", "title": "Cream", "store": "Acme", "categories": [], "price": 9.5, "parent_asin": "B00"}` + "\n"},
		gathered{format: "Amazon reviews", deeds: []string{"AG|||B00|rating|4||2020-05-05 14:08:48"},
			products: []string{"B00: Cream [All Beauty] by Acme 9.5000 USD"}, account: Account{Lines: 1, Kept: 1}}},
	{"Shopify", map[string]string{"orders_export_1.csv": shopifyHead +
		"#1001,Jo@Example.com,paid,,EUR,2023-05-01 12:34:56 +0200,2,Shirt - M,20.00,SH-M,DE,Acme\n" +
		"#1001,jo@example.com,,,,2023-05-01 12:34:56 +0200,1,Socks,5.00,,,Acme\n" +
		"#1002,,refunded,,EUR,2023-05-02 12:00:00 +0200,1,Socks,5.00,,DE,Acme\n#1003,,paid,,EUR,2023-05-02 12:00:00 " +
		"+0200,1,Socks,5.00,,DE,Acme\n"},
		gathered{format: "Shopify orders", deeds: []string{person("jo@example.com") +
			"||#1001|SH-M|purchase||2|2023-05-01 10:34:56", person("jo@example.com") +
			"||#1001|Socks|purchase||1|2023-05-01 10:34:56", "|order-#1003|#1003|Socks|purchase||1|2023-05-02 10:00:00"},
			products: []string{"SH-M: Shirt - M by Acme 20.0000 EUR", "Socks: Socks by Acme 5.0000 EUR"},
			people:   []string{person("jo@example.com") + " DE "}, account: Account{Lines: 4, Kept: 3,
				LeftOut: map[string]int64{cancelled: 1}}}},
	{"events of a name of their own", map[string]string{"2019-Oct.csv": "event_time,event_type,product_id,category_id," +
		"category_code,brand,price,user_id,user_session\n" +
		"2019-10-01 00:00:00 UTC,view,44600062,2103,,shiseido,35.79,541312140,72d76fde\n" +
		"2019-10-01 00:00:01 UTC,remove_from_cart,44600062,2103,appliances.kitchen,shiseido,35.79,541312140,72d76fde\n"},
		gathered{format: "orders or events", deeds: []string{"541312140|72d76fde||44600062|view|||2019-10-01 00:00:00",
			"541312140|72d76fde||44600062|remove_from_cart|||2019-10-01 00:00:01"},
			products: []string{"44600062: appliances.kitchen 44600062 [appliances.kitchen] by shiseido 35.7900 "},
			account: Account{Lines: 2, Kept: 2, Notes: []string{
				"1 of 1 products have no name in the files, and are called by their category and id."}}}},
	{"orders, lines and products", map[string]string{
		"orders.csv":      "order_id\tcustomer_id\torder_date\tstatus\n1\tA\t13.01.2024\tpaid\n2\tB\t14.01.2024\tcancelled\n",
		"order_lines.csv": "order_id\tsku\tqty\n1\tS1\t2\n2\tS1\t1\n3\tS1\t1\n",
		"catalogue.csv":   "sku\ttitle\nS1\t12\" pipe\n"},
		gathered{format: "orders or events", deeds: []string{"A||1|S1|purchase||2|2024-01-13 00:00:00"},
			products: []string{`S1: 12" pipe`},
			account: Account{Lines: 3, Kept: 1, LeftOut: map[string]int64{cancelled: 1, noOrder: 1},
				Notes: []string{
					"order_lines.csv does not say what happened: each line is taken as a purchase (--kind sets another kind)."}}}},
}

func TestKnownFilesAreRead(t *testing.T) {
	t.Parallel()
	for _, test := range knownFiles {
		for _, packed := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, " gzipped: ", packed), func(t *testing.T) {
				t.Parallel()
				files, want := test.files, test.want
				if packed {
					files, want = gzipped(t, test.files), renamed(test.want, test.files)
				}
				got, err := gather(mustWrite(t, files), Options{})
				if err != nil {
					t.Fatal(err)
				}
				if want.account.LeftOut == nil {
					want.account.LeftOut = map[string]int64{}
				}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(gathered{})); diff != "" {
					t.Errorf("read (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func gzipped(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, content := range files {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		all[name+".gz"] = b.String()
	}
	return all
}

// renamed expects the same of files that have .gz behind their names.
func renamed(g gathered, files map[string]string) gathered {
	rename := func(texts []string) (all []string) {
		for _, text := range texts {
			for name := range files {
				text = strings.ReplaceAll(text, name, name+".gz")
			}
			all = append(all, text)
		}
		return all
	}
	g.account.Notes, g.account.Unused = rename(g.account.Notes), rename(g.account.Unused)
	return g
}

func TestBadLinesNameFileLineAndColumn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		o     Options
		want  string
	}{
		"date": {map[string]string{"data.csv": retailHeader + "1,A,x,1,yesterday,1,7,F\n"}, Options{},
			`read data.csv, line 2: column InvoiceDate is "yesterday", which is neither a time like`},
		"day and month": {map[string]string{"data.csv": retailHeader +
			"1,A,x,1,13/1/2010 8:00,1,7,F\n1,A,x,1,1/13/2010 8:00,1,7,F\n"}, Options{}, "line 3: column InvoiceDate"},
		"quantity": {map[string]string{"data.csv": retailHeader + "1,A,x,many,12/1/2010 8:26,1,7,F\n"}, Options{},
			`line 2: column Quantity is "many", want a number`},
		"fields": {map[string]string{"data.csv": retailHeader +
			"1,A,x,1,12/1/2010 8:26,1,7,F\n1,A,x, y,1,12/1/2010 8:26,1,7,F\n"}, Options{},
			`read data.csv: line 3 has 9 fields, the header has 8; a field with the separator "," in it must be in quotes`},
		"quote": {map[string]string{"data.csv": retailHeader + "1,A,12\" x,1,12/1/2010 8:26,1,7,F\n"}, Options{},
			`line 2, column 7: bare " in non-quoted-field; put the field in quotes, and double each quote in it`},
		"stars": {map[string]string{"r.csv": "user,item,rating\n1,A,5\n1,B,8\n"}, Options{},
			"line 3: column rating is 8, want stars above 0 and at most 5"},
		"latin": {map[string]string{"e.csv": "user,item,event\n1,caf\xe9,view\n"}, Options{},
			"line 2: column item is not valid UTF-8"},
		"long id": {map[string]string{"e.csv": "user,item,event\n1," + strings.Repeat("x", 129) + ",view\n"}, Options{},
			"column item has 129 bytes"},
		"JSON": {map[string]string{"e.jsonl": `{"user":1,"item":2,"event":"view"}` +
			strings.Repeat("\n"+`{"user":1,"item":2,"event":"view"}`, jsonSample) +
			"\n" + `{"user":1,`}, Options{}, "line 1002, column 10 is not one JSON object"},
		"unknown": {map[string]string{"e.csv": "who,what\n1,2\n"}, Options{},
			"e.csv has the columns who, what; looked for u.data + u.item"},
		"no such column": {map[string]string{"e.csv": "who,what\n1,2\n"},
			Options{Columns: map[string]string{"product": "sku"}}, "no file has the column sku"},
		"no such role": {map[string]string{"e.csv": "who,what\n1,2\n"}, Options{Columns: map[string]string{"prodct": "what"}},
			"there is no such role, want one of product, customer"},
		"twice": {map[string]string{"e.csv": "user,item,event,user\n1,2,view,3\n"}, Options{},
			"e.csv, line 1: the column user is there twice"},
		"empty": {map[string]string{"data.csv": retailHeader}, Options{},
			"there is nothing to import, and the shop stays as it is: of 0 lines"},
		"ZIP": {map[string]string{"data.zip": "PK\x03\x04....."}, Options{},
			"data.zip is a ZIP archive or an Excel workbook: unpack it"},
		"list": {map[string]string{"data.json": `[{"user":1}]`}, Options{},
			"data.json is a JSON list: write one object per line"},
		"kinds": {map[string]string{"e.csv": "user,item,event\n" + kinds(257)}, Options{},
			"line 258: column event has more than 256 different values"},
		"binary": {map[string]string{"e.bin": "abc\x00def\n"}, Options{}, "e.bin is not text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := gather(mustWrite(t, test.files), test.o)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func kinds(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "1,2,kind-%d\n", i)
	}
	return b.String()
}

// A quote that nothing closes must not take the rest of the file into memory.
func TestMissingQuoteIsFoundInBoundedMemory(t *testing.T) {
	t.Parallel()
	folder := mustWrite(t, map[string]string{"e.csv": "user,item,event\n1,\"a,view\n" + strings.Repeat("1,b,view\n",
		mostLine/8)})
	if _, err := gather(folder, Options{}); err == nil || !strings.Contains(err.Error(), "a quote is missing") {
		t.Errorf("error %v", err)
	}
}

// A workbook as the UCI repository has it: two sheets of the same columns, with dates as Excel keeps
// them, and one of something else.
func TestWorkbookIsRead(t *testing.T) {
	t.Parallel()
	book := excelize.NewFile()
	put := func(sheet string, rows ...[]any) {
		if _, err := book.NewSheet(sheet); err != nil {
			t.Fatal(err)
		}
		for i, values := range rows {
			if err := book.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &values); err != nil {
				t.Fatal(err)
			}
		}
	}
	header := []any{"Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"}
	put("Year 2009-2010", header, []any{489434, 85048, "15CM GLASS BALL", 12, time.Date(2009, 12, 1, 7, 45, 0, 0,
		time.UTC), 6.95, 13085, "United Kingdom"}, []any{489435, "22041A", "RECORD FRAME", 2, time.Date(2009, 12, 1, 7, 46, 0,
		0, time.UTC), 2.1})
	put("Notes", []any{"something else"})
	put("Year 2010-2011", header, []any{"C536379", 85048, "15CM GLASS BALL", -1, time.Date(2010, 12, 1, 9, 41, 0, 0,
		time.UTC), 6.95, 13085, "United Kingdom"})
	if err := book.DeleteSheet("Sheet1"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "online_retail_II.xlsx")
	if err := book.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	got, err := gather(path, Options{})
	want := []string{"13085||489434|85048|purchase||12|2009-12-01 07:45:00",
		"|order-489435|489435|22041A|purchase||2|2009-12-01 07:46:00",
		"13085||C536379|85048|purchase||-1|2010-12-01 09:41:00"}
	if diff := cmp.Diff(want, got.deeds); err != nil || diff != "" || got.format != "Online Retail" {
		t.Errorf("%v %s %s", err, got.format, diff)
	}
}
