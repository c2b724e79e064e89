package importer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kindred/internal/shop"

	"github.com/google/go-cmp/cmp"
)

const fixtures = "../../../testdata/import"

func pointer[T any](v T) *T { return &v }

func at(seconds int64) *time.Time { return pointer(time.Unix(seconds, 0).UTC()) }

func TestReadKnownFormats(t *testing.T) {
	t.Parallel()
	tests := []struct {
		folder string
		want   Shop
	}{
		{"ml-latest", Shop{
			Kind: KindMovieLens, Format: "MovieLens (ml-latest, ml-20m, …)", Duplicates: 1, Orphans: 1,
			Customers: []shop.Customer{{ID: "1", Name: "Viewer 1"}, {ID: "2", Name: "Viewer 2"},
				{ID: "3", Name: "Viewer 3"}},
			Products: []shop.Product{
				{Code: "10", Name: "Quiet Harbour, The (1987)", Line: "Drama", Scale: "1980s", Vendor: "MovieLens",
					QuantityInStock: 1},
				{Code: "20", Name: "Amélie on the Moon (2004)", Line: "Comedy", Scale: "2000s", Vendor: "MovieLens",
					QuantityInStock: 1},
				{Code: "30", Name: "A Text So Long That It Does Not Fit Into The Seventy Characters Of Thé", Line: "Thriller",
					Scale:  "1990s",
					Vendor: "MovieLens", QuantityInStock: 1},
				{Code: "40", Name: "Nameless", Line: "no genres listed", Scale: "unknown", Vendor: "MovieLens", QuantityInStock: 1},
			},
			Ratings: []shop.Rating{
				{CustomerID: "1", ProductCode: "10", Stars: 5, RatedAt: at(1000000000)},
				{CustomerID: "1", ProductCode: "20", Stars: 1, RatedAt: at(1000000100)},
				{CustomerID: "2", ProductCode: "10", Stars: 5, RatedAt: at(1000000300)},
				{CustomerID: "3", ProductCode: "20", Stars: 4, RatedAt: at(1000000500)},
			},
		}},
		{"ml-100k", Shop{
			Kind: KindMovieLens, Format: "MovieLens 100K",
			Customers: []shop.Customer{
				{ID: "1", Name: "Viewer 1", PostalCode: pointer("85711")}, {ID: "2", Name: "Viewer 2"},
				{ID: "3", Name: "Viewer 3", PostalCode: pointer("V3N4P")}, {ID: "4", Name: "Viewer 4"},
			},
			Products: []shop.Product{
				{Code: "1", Name: "Café Story (1995)", Line: "Animation", Scale: "1990s", Vendor: "MovieLens", QuantityInStock: 1},
				{Code: "2", Name: "Iron Valley (1931)", Line: "Western", Scale: "1930s", Vendor: "MovieLens", QuantityInStock: 1},
			},
			Ratings: []shop.Rating{
				{CustomerID: "1", ProductCode: "1", Stars: 5, RatedAt: at(880000000)},
				{CustomerID: "2", ProductCode: "1", Stars: 3, RatedAt: at(880000100)},
				{CustomerID: "2", ProductCode: "2", Stars: 1, RatedAt: at(880000200)},
				{CustomerID: "4", ProductCode: "2", Stars: 4, RatedAt: at(880000300)},
			},
		}},
		{"csv", Shop{
			Kind: KindCSV, Format: "CSV", Duplicates: 1, Orphans: 1,
			Customers: []shop.Customer{
				{ID: "103", Name: "Atelier, graphique", City: "Nantes", PostalCode: pointer("44000"), Country: "France",
					CreditLimit: pointer(shop.Cents(21_000_50))},
				{ID: "112", Name: "Signal Gift Stores", City: "Las Vegas", State: pointer("NV"), PostalCode: pointer("83030"),
					Country: "USA"},
			},
			Products: []shop.Product{
				{Code: "S10_1678", Name: "1969 Chopper", Line: "Motorcycles", Scale: "1:10", Vendor: "Min Lin Diecast",
					QuantityInStock: 7933,
					BuyPrice:        48_81, MSRP: 95_70},
				{Code: "S18_4409", Name: "Tug", Line: "Ships", Scale: "1:18", BuyPrice: 5, MSRP: 1_00},
			},
			Ratings: []shop.Rating{
				{CustomerID: "103", ProductCode: "S10_1678", Stars: 5, RatedAt: at(1740823200)},
				{CustomerID: "112", ProductCode: "S18_4409", Stars: 2},
			},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.folder, func(t *testing.T) {
			t.Parallel()
			got, err := Read(filepath.Join(fixtures, tt.folder))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("imported (-want +got):\n%s", diff)
			}
			for _, p := range got.Products {
				if n := len([]rune(p.Name)); n > shop.MaxName {
					t.Errorf("name of %s has %d characters", p.Code, n)
				}
			}
		})
	}
}

func TestUnknownFolderListsWhatWasLookedFor(t *testing.T) {
	t.Parallel()
	_, err := Read(t.TempDir())
	if !errors.Is(err, ErrUnknownFolder) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"u.data + u.item", "ratings.csv + movies.csv",
		"customers.csv + products.csv + ratings.csv"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "absent"), filepath.Join(fixtures, "README.md")} {
		if _, err := Read(path); !errors.Is(err, ErrUnknownFolder) {
			t.Errorf("Read(%s): %v", path, err)
		}
	}
}

func TestBadRowsNameFileAndLine(t *testing.T) {
	t.Parallel()
	const customers, products = "customerNumber\n1\n", "productCode,productName\nA,Apple\n"
	const header = "customerNumber,productCode,productRating,ratedAt\n"
	tests := []struct {
		name, customers, products, ratings, want string
	}{
		{"stars out of range", customers, products, header + "1,A,3,\n1,A,6,\n",
			`ratings.csv, line 3: productRating "6" is not above 0 and at most 5`},
		{"stars no number", customers, products, header + "1,A,good,\n", `ratings.csv, line 2: productRating "good"`},
		{"bad time", customers, products, header + "1,A,3,yesterday\n", `ratings.csv, line 2: ratedAt "yesterday"`},
		{"column missing", customers, products, "customerNumber,productCode\n1,A\n",
			"ratings.csv lacks column productRating"},
		{"too few fields", customers, products, header + "1,A\n", "ratings.csv"},
		{"amount with three decimals", "customerNumber,creditLimit\n1,1.005\n", products, header,
			"customers.csv, line 2: creditLimit"},
		{"code too long", customers, "productCode,productName\nABCDEFGHIJKLMNOPQ,Apple\n", header, "has 17 characters"},
		{"product twice", customers, products + "A,Another\n", header, "product A is there twice"},
		{"customer twice", customers + "1\n", products, header, "customer 1 is there twice"},
		{"empty file", customers, "", header, "read products.csv: there is nothing to import"},
		{"Windows-1252", "customerNumber,city\n1,Bern\n2,Z\xfcrich\n", products, header,
			"customers.csv, line 3: field 2 is not valid UTF-8 at byte 1 (0xFC); the file may be Latin-1"},
		{"NUL", customers, "productCode,productName\nA,App\x00le\n", header,
			"products.csv, line 2: field 2 holds a NUL at byte 3"},
		{"UTF-16", "\xff\xfec\x00u\x00", products, header, "read customers.csv: the file is UTF-16 (little-endian); save it"},
		{"UTF-16 without mark", "\x00c\x00u\x00s", products, header, "the file is UTF-16 (big-endian); save it"},
		{"Excel", "PK\x03\x04...", products, header, "the file is a ZIP archive or an Excel workbook"},
		{"column twice", customers, products, "customerNumber,productCode,productRating,productRating\n1,A,5,1\n",
			"ratings.csv, line 1: column productRating is there twice"},
		{"other separator", "customerNumber/city\n1/Bern\n", products, header,
			`customers.csv lacks column customerNumber; its header, divided at ',', is ["customerNumber/city"]`},
		{"no ratings", customers + "2\n", products, header, "there is nothing to import, and the shop stays as it is"},
		{"place too long", "customerNumber,city\n1," + strings.Repeat("é", 51) + "\n", products, header,
			"customers.csv, line 2: city has 51 characters, at most 50 fit"},
		{"too far in time", customers, products, header + "1,A,3,100000000000000000000\n",
			`ratings.csv, line 2: ratedAt "100000000000000000000" is neither a time like 2025-12-31 23:59:59`},
		{"only orphans", customers, products, header + "2,A,3,\n",
			"of 1 customers, 1 products and 1 ratings not one rating has its customer and product"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			for name, content := range map[string]string{"customers.csv": tt.customers, "products.csv": tt.products,
				"ratings.csv": tt.ratings} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Read(folder); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to contain %q", err, tt.want)
			}
		})
	}
}

// The same two ratings in each way of writing them that other programs have.
func TestOtherProgramsWaysOfWritingAreRead(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"semicolons": {"customers.csv": "customerNumber;city\n1;Bern\n",
			"products.csv": "productCode;productName\nA;Apple\nB;Bee\n",
			"ratings.csv":  "customerNumber;productCode;productRating;ratedAt\n1;A;5;2025-01-01 00:00:00\n1;B;4;2025-01-02\n"},
		"tabs": {"customers.csv": "customerNumber\tcity\n1\tBern\n",
			"products.csv": "productCode\tproductName\nA\tApple\nB\tBee\n",
			"ratings.csv": "customerNumber\tproductCode\tproductRating\tratedAt\n" +
				"1\tA\t5\t1735689600\n1\tB\t4\t1735776000000\n"},
		"pandas": {"customers.csv": "customerNumber,city\n1.0,Bern\n",
			"products.csv": "productCode,productName\nA,Apple\nB,Bee\n",
			"ratings.csv": "customerNumber,productCode,productRating,ratedAt\n" +
				"1.0,A,5.0,1735689600.0\n1.0,B,3.5,2025-01-02T00:00:00Z\n"},
		"other times": {"customers.csv": "customerNumber,city\n1,Bern\n",
			"products.csv": "productCode,productName\nA,Apple\nB,Bee\n",
			"ratings.csv": "customerNumber,productCode,productRating,ratedAt\n" +
				"1,A,5,1735689600000000\n1,B,4,2025-01-02 02:00:00.9+02:00\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			for file, content := range files {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Read(folder)
			if err != nil {
				t.Fatal(err)
			}
			want := []shop.Rating{{CustomerID: "1", ProductCode: "A", Stars: 5, RatedAt: at(1735689600)},
				{CustomerID: "1", ProductCode: "B", Stars: 4, RatedAt: at(1735776000)}}
			if diff := cmp.Diff(want, got.Ratings); diff != "" || got.Customers[0].City != "Bern" {
				t.Errorf("customers %+v, ratings (-want +got):\n%s", got.Customers, diff)
			}
		})
	}
}

func TestMovieLensOfOtherProgramsIsReadOrRefusedInOneSentence(t *testing.T) {
	t.Parallel()
	const movies, header = "movieId,title,genres\n1,Toy Story (1995),Animation\n", "userId,movieId,rating,timestamp\n"
	flags := strings.Repeat("|0", len(genres100K)-1) + "|1"
	tests := []struct {
		name  string
		files map[string]string
		want  string // "" is read
	}{
		{"milliseconds", map[string]string{"movies.csv": movies, "ratings.csv": header + "1,1,4.0,964982703000\n"}, ""},
		{"pandas", map[string]string{"movies.csv": movies, "ratings.csv": header + "1.0,1.0,4.0,964982703.0\n"}, ""},
		{"byte order mark", map[string]string{"u.data": "\ufeff1\t1\t4\t964982703\n", "u.item": "\ufeff1|X (1995)|||" +
			flags + "\n"}, ""},
		{"header only", map[string]string{"movies.csv": movies, "ratings.csv": header}, "there is nothing to import"},
		{"Latin-1", map[string]string{"movies.csv": movies + "2,Mis\xe9rables,Drama\n", "ratings.csv": header +
			"1,1,4.0,1\n"}, "read movies.csv, line 3: field 2 is not valid UTF-8 at byte 3 (0xE9)"},
		{"film twice", map[string]string{"movies.csv": movies + "1,Another,Drama\n", "ratings.csv": header + "1,1,4.0,1\n"},
			"read movies.csv, line 3: film 1 is there twice, first on line 2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			for file, content := range test.files {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Read(folder)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want %q", err, test.want)
				}
				return
			}
			if err != nil || len(got.Ratings) != 1 || !got.Ratings[0].RatedAt.Equal(*at(964982703)) {
				t.Errorf("%+v, error %v", got, err)
			}
		})
	}
}
