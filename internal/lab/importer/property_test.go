package importer

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// event is a row of the random files.
type event struct {
	Customer string    `parquet:"user_id" json:"user_id"`
	Product  string    `parquet:"product_id" json:"product_id"`
	Kind     string    `parquet:"event" json:"event"`
	Name     string    `parquet:"product_name" json:"product_name"`
	Quantity int64     `parquet:"quantity" json:"quantity"`
	At       time.Time `parquet:"timestamp,timestamp(millisecond)" json:"timestamp"`
	Extra    string    `parquet:"extra" json:"extra"`
}

var eventColumns = []string{"user_id", "product_id", "event", "product_name", "quantity", "timestamp", "extra"}

func (e event) values() []string {
	return []string{e.Customer, e.Product, e.Kind, e.Name, strconv.FormatInt(e.Quantity, 10),
		e.At.Format(time.RFC3339), e.Extra}
}

// deed is what the row should become.
func (e event) deed() string {
	return strings.Join([]string{e.Customer, "", "", e.Product, e.Kind, "", strconv.FormatInt(e.Quantity, 10),
		e.At.Format("2006-01-02 15:04:05")}, "|")
}

// anyText draws texts with everything that a format gives a meaning to.
func anyText(label string) *rapid.Generator[string] {
	letters := rapid.SliceOfN(rapid.SampledFrom([]rune("aZ09é🛒\",;\t|'\n\\ {}[]:#")), 1, 12)
	return rapid.Map(letters, func(r []rune) string { return "t" + string(r) + label })
}

func anyEvents() *rapid.Generator[[]event] {
	one := rapid.Custom(func(t *rapid.T) event {
		return event{Customer: anyText("c").Draw(t, "customer"), Product: anyText("p").Draw(t, "product"),
			Kind: rapid.SampledFrom([]string{"view", "cart", "purchase"}).Draw(t, "kind"), Name: anyText("n").Draw(t, "name"),
			Quantity: rapid.Int64Range(1, 5).Draw(t, "quantity"), Extra: rapid.OneOf(anyText("x"), rapid.Just("")).
					Draw(t, "extra"),
			At: time.Unix(rapid.Int64Range(0, 2_000_000_000).Draw(t, "at"), 0).UTC()}
	})
	return rapid.SliceOfN(one, 1, 20)
}

// delimitedText writes events with columns in any order and any way that programs have.
func delimitedText(t *rapid.T, events []event) string {
	order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6}).Draw(t, "order")
	arrange := func(values []string) (all []string) {
		for _, i := range order {
			all = append(all, values[i])
		}
		return all
	}
	header := make([]string, len(eventColumns))
	for i, name := range eventColumns {
		header[i] = rapid.SampledFrom([]string{name, strings.ToUpper(name), strings.ReplaceAll(name, "_", " "),
			strings.ReplaceAll(name, "_", "")}).Draw(t, "header")
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = rapid.SampledFrom([]rune(",;\t|")).Draw(t, "comma")
	w.UseCRLF = rapid.Bool().Draw(t, "CRLF")
	_ = w.Write(arrange(header))
	for _, e := range events {
		_ = w.Write(arrange(e.values()))
	}
	w.Flush()
	text := b.String()
	if rapid.Bool().Draw(t, "byte order mark") {
		text = "\ufeff" + text
	}
	if rapid.Bool().Draw(t, "no last line end") {
		text = strings.TrimRight(text, "\r\n")
	}
	return text
}

// TestReadersGiveWhatWasWritten writes random events in every form and reads them back.
func TestReadersGiveWhatWasWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents().Draw(t, "events")
		var b bytes.Buffer
		name := "events.csv"
		switch form := rapid.SampledFrom([]string{"delimited", "JSON", "Parquet"}).Draw(t, "form"); form {
		case "delimited":
			b.WriteString(delimitedText(t, events))
		case "JSON":
			name = "events.jsonl"
			for _, e := range events {
				line, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				b.Write(append(line, '\n'))
			}
		case "Parquet":
			name = "events.parquet"
			if err := parquet.Write(&b, events, parquet.MaxRowsPerRowGroup(7)); err != nil {
				t.Fatal(err)
			}
		}
		content := b.Bytes()
		if name != "events.parquet" && rapid.Bool().Draw(t, "gzip") {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			_, _ = z.Write(content)
			_ = z.Close()
			content = packed.Bytes()
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := gather(path, Options{})
		if err != nil {
			t.Fatalf("%v\n%q", err, content)
		}
		var want []string
		for _, e := range events {
			want = append(want, e.deed())
		}
		if diff := cmp.Diff(want, got.deeds); diff != "" {
			t.Fatalf("read (-want +got):\n%s\n%q", diff, content)
		}
		if got.account.Lines != int64(len(events)) || got.account.Kept != int64(len(events)) {
			t.Fatalf("%+v", got.account)
		}
	})
}

// TestEveryLineIsAccountedFor reads files that lack values anywhere: what is not kept is counted.
func TestEveryLineIsAccountedFor(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	value := func(values ...string) *rapid.Generator[string] { return rapid.SampledFrom(append(values, "")) }
	rapid.Check(t, func(t *rapid.T) {
		retailer := rapid.Bool().Draw(t, "Online Retail")
		lines := rapid.IntRange(1, 30).Draw(t, "lines")
		text := "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
		if !retailer {
			text = "order_id,sku,qty,created_at,price,customer,event,status\n"
		}
		for range lines {
			text += strings.Join([]string{value("1", "2", "C3").Draw(t, "order"), value("A", "POST", "B").Draw(t, "product"),
				value("1", "-2", "0").Draw(t, "quantity"), value("2024-01-02 03:04").Draw(t, "at"), value("0", "1.50").
					Draw(t, "price"), value("7", "8.0").Draw(t, "customer")}, ",")
			if !retailer {
				text += "," + value("view", "buy", "rating").Draw(t, "kind") + "," + value("paid", "Refunded").Draw(t, "state")
			}
			text += "\n"
		}
		path := filepath.Join(folder, "data.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := gather(path, Options{})
		if err != nil && strings.Contains(err.Error(), ErrNothing.Error()) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := got.account.Kept
		for _, n := range got.account.LeftOut {
			sum += n
		}
		if got.account.Lines != int64(lines) || sum != int64(lines) || got.account.Kept != int64(len(got.deeds)) {
			t.Fatalf("%d lines: %+v, %d interactions", lines, got.account, len(got.deeds))
		}
	})
}

// FuzzOpen gives any bytes as a file: it is read, or refused in one line.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(retailHeader+"536365,85123A,x,6,12/1/2010 8:26,2.55,17850,France\r\n"), "data.csv")
	f.Add([]byte("user,item,event\n1,\"a\nb\",view\n"), "e.csv")
	f.Add([]byte("user\titem\n1\t\"2\n"), "e.tsv")
	f.Add([]byte(`{"user_id":1,"item_id":[2],"rating":3}`), "e.jsonl")
	f.Add([]byte("PAR1"), "e.parquet")
	f.Add([]byte{0x1f, 0x8b, 8}, "e.csv.gz")
	f.Fuzz(func(t *testing.T, content []byte, name string) {
		path := filepath.Join(t.TempDir(), "x"+strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c == '.' {
				return c
			}
			return -1
		}, name))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Skip(err)
		}
		got, err := gather(path, Options{})
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("an error of several lines: %q", err)
		}
		if err == nil && got.account.Kept != int64(len(got.deeds)) {
			t.Errorf("%+v, %d interactions", got.account, len(got.deeds))
		}
	})
}

func TestTimesOfOtherPrograms(t *testing.T) {
	t.Parallel()
	const want = "2010-12-01 08:26:00"
	for _, v := range []string{"12/1/2010 8:26", "12/01/2010 08:26:00", "12/1/10 8:26", "01.12.2010 08:26",
		"2010-12-01T08:26:00Z",
		"2010-12-01 08:26", "2010/12/01 8:26", "2010-12-01 10:26:00 +0200", "2010-12-01T10:26:00+02:00",
		"2010-12-01 08:26:00 UTC",
		"2010-12-01 08:26:00.000", "12/1/2010 8:26 AM", "1291191960", "1291191960000", "1291191960000000", "1.29119196e9",
		"1-Dec-2010 08:26:00", "December 1, 2010 08:26:00"} {
		at, err := dates{}.parse(v)
		if got := time.UnixMilli(at).UTC().Format(time.DateTime); err != nil || got != want {
			t.Errorf("%q is %s, %v", v, got, err)
		}
	}
	for v, want := range map[string]string{"12/1/2010 12:05 PM": "2010-12-01 12:05:00",
		"12/1/2010 12:05 am": "2010-12-01 00:05:00",
		"20101201":           "2010-12-01 00:00:00", "31.12.69": "1969-12-31 00:00:00"} {
		at, err := dates{}.parse(v)
		if got := time.UnixMilli(at).UTC().Format(time.DateTime); err != nil || got != want {
			t.Errorf("%q is %s, %v", v, got, err)
		}
	}
	if at, err := (dates{dayFirst: true}).parse("1/12/2010 8:26"); err != nil || at != 1291191960000 {
		t.Errorf("day first: %d, %v", at, err)
	}
	for _, v := range []string{"", "yesterday", "13/13/2010", "2010-02-30", "2010-12-01 25:00", "-5", "1e30",
		"12/1/2010 13:00 PM",
		"12/1/2010 8:26 CEST", "1/2", "0001-01-01", "2010-12-01 8"} {
		if at, err := (dates{}).parse(v); err == nil {
			t.Errorf("%q is %d", v, at)
		}
	}
}

func TestAmountsOfOtherPrograms(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]float64{"2.55": 2.55, "2,55": 2.55, "1,234.5": 1234.5, "1.234,5": 1234.5,
		"1,234,567": 1234567, "12,345": 12345, "$12.99": 12.99, "£ 1 000": 1000, "-3": -3, "1e3": 1000} {
		if got, err := parseAmount(v); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("%q is %v, %v", v, got, err)
		}
	}
	for _, v := range []string{"", "many", "NaN", "1.2.3", "Inf", "--1"} {
		if got, err := parseAmount(v); err == nil {
			t.Errorf("%q is %v", v, got)
		}
	}
}

func TestColumnsCanBeNamed(t *testing.T) {
	t.Parallel()
	folder := mustWrite(t, map[string]string{"a.csv": "who;what;when;stars\nJo;X;1/2/2024;9\n"})
	got, err := gather(folder, Options{Columns: map[string]string{"customer": "Who", "product": "what", "at": "when"},
		Kind:     "view",
		DayFirst: true})
	want := []string{"Jo|||X|view|||2024-02-01 00:00:00"}
	if diff := cmp.Diff(want, got.deeds); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := Open(folder, Options{}); err == nil || !strings.Contains(err.Error(),
		"a.csv has the columns who, what, when, stars") {
		t.Errorf("without names: %v", err)
	}
}

// The same files give the same hash, and other options another one.
func TestContentHashFollowsFilesAndOptions(t *testing.T) {
	t.Parallel()
	hash := func(content string, o Options) string {
		data, err := Open(mustWrite(t, map[string]string{"e.csv": "user,item,event\n" + content}), o)
		if err != nil {
			t.Fatal(err)
		}
		return data.History.ContentHash
	}
	seen := map[string]string{}
	for name, h := range map[string]string{"a": hash("1,2,view\n", Options{}), "row": hash("1,3,view\n", Options{}),
		"kind": hash("1,2,view\n", Options{Kind: "cart"})} {
		if other, twice := seen[h]; twice {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
	if seen[hash("1,2,view\n", Options{})] == "" {
		t.Error("the same file has two hashes")
	}
}
