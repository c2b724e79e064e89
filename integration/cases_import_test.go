package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// importWant is what is right for a folder of files.
type importWant struct {
	files map[string]string // our own
	// says are parts of the one sentence that refuses the folder: the file, or the reason. Each part may
	// have alternatives, separated by |.
	says []string
	line int // of our own files, which the sentence names too; 0: it need not name one
	// ratings is how many are loaded where the folder may also be taken; 0: it must be refused.
	ratings int
}

// importWants has the folders of case 18 by name. Further inputs have the same faults in other
// lines.
func importWants() map[string]importWant {
	csv := func(customers, products, ratings string) map[string]string {
		return map[string]string{"customers.csv": customers, "products.csv": products, "ratings.csv": ratings}
	}
	const customers, products = "customerNumber,customerName,city,country\n5,Ida,Oslo,Norway\n6,Jan,Gent,Belgium\n",
		"productCode,productName\nA,Tram\nB,Van\n"
	const ratings = "customerNumber,productCode,productRating\n5,A,5\n6,B,4\n"
	movies := "movieId,title,genres\n1,Heat (1995),Action\n2,Casino (1995),Drama\n"
	long := "customerNumber,customerName,city\n1,A,Rome\n2,B,Rome\n3,C," + strings.Repeat("x", 900) + "\n"
	return map[string]importWant{
		"cp1252": {csv("customerNumber,customerName,city,country\n5,Ida,Oslo,Norway\n6,Ren\xe9,Li\xe8ge,Belgium\n", products,
			ratings),
			[]string{"customers.csv"}, 3, 2},
		"ml-latin1": {map[string]string{"movies.csv": "movieId,title,genres\n1,Heat (1995),Action\n2,Am\xe9lie " +
			"(2001),Drama\n",
			"ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n2,2,0.5,964981247\n"},
			[]string{"movies.csv"}, 3, 2},
		"utf16": {csv(utf16File(customers), utf16File(products), utf16File(ratings)), []string{".csv", "UTF-16"}, 0, 2},
		"semicolon": {csv(strings.ReplaceAll(customers, ",", ";"), strings.ReplaceAll(products, ",", ";"),
			strings.ReplaceAll(ratings, ",", ";")), []string{".csv", "separat|semicolon|';'"}, 0, 2},
		"dup-header": {csv(customers, products, "customerNumber,productCode,productRating,productCode\n5,A,5,B\n"),
			[]string{"ratings.csv", "product"}, 0, 0},
		"long-city-700": {csv(long, products, "customerNumber,productCode,productRating\n1,A,5\n"),
			[]string{"customers.csv", "city"}, 4, 0},
		"ml-ms": {map[string]string{"movies.csv": movies,
			"ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.0,1464982703000\n2,2,0.5,1464981247000\n"},
			[]string{"ratings.csv"}, 2, 2},
		"header-only": {map[string]string{"movies.csv": "movieId,title,genres\n7,Heat (1995),Action\n",
			"ratings.csv": "userId,movieId,rating,timestamp\n"}, []string{"no rating|nothing|empty|0 ratings"}, 0, 0},
		"float-ids": {csv("customerNumber,customerName\n5.0,Ida\n6.0,Jan\n", products,
			"customerNumber,productCode,productRating\n5.0,A,5.0\n6.0,B,4.0\n"), []string{".csv"}, 2, 2},
		"100k-bom": {map[string]string{"u.data": "\ufeff5\t1\t3\t881250949\n",
			"u.item": "\ufeff1|Heat (1995)|01-Jan-1995||http://x|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"}, []string{"u."}, 0,
			1},
		"epoch": {csv(customers, products,
			"customerNumber,productCode,productRating,ratedAt\n5,A,5,1700000000\n6,B,4,1700000001\n"),
			[]string{"ratings.csv"}, 2, 2},
		"half-star": {csv(customers, products, "customerNumber,productCode,productRating\n5,A,5\n6,B,3.5\n"),
			[]string{"ratings.csv"}, 3, 2},
	}
}

func utf16File(text string) string {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return string(out)
}

// importCases are folders that seed import must take as they are meant, or refuse in one sentence
// with the file and the line; what was in the shop stays then.
func importCases() []faultCase {
	files := map[string]string{}
	for folder, want := range importWants() {
		for name, content := range want.files {
			files[folder+"/"+name] = content
		}
	}
	return []faultCase{{"18-import", files, false, wantImports}}
}

func wantImports(_ *caseBench, t *testing.T, folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	wants := importWants()
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		t.Run(entry.Name(), func(t *testing.T) {
			want, known := wants[entry.Name()]
			if !known {
				t.Fatal("no rule says what is right for this folder")
			}
			s := newSeeding(t)
			before := s.mustRun(t, "import", filepath.Join("..", "testdata", "import", "csv"))
			r, code, stderr := s.run(t, "import", filepath.Join(folder, entry.Name()))
			if code == 0 && want.ratings > 0 {
				if r.Ratings != want.ratings {
					t.Errorf("%d ratings are loaded, want %d", r.Ratings, want.ratings)
				}
				return
			}
			_, stderr, _ = strings.Cut(stderr, "\n") // the first line says what seed works on
			if code == 0 || strings.Count(strings.TrimSpace(stderr), "\n") > 0 {
				t.Errorf("exit %d and %q, want a refusal of one line", code, stderr)
			}
			for _, part := range want.says {
				if !slices.ContainsFunc(strings.Split(part, "|"), func(one string) bool { return strings.Contains(stderr, one) }) {
					t.Errorf("the refusal lacks %q: %s", part, stderr)
				}
			}
			named := lineNumber.FindStringSubmatch(stderr)
			if want.line > 0 && (named == nil || want.isOwn(t, filepath.Join(folder, entry.Name())) &&
				named[1] != strconv.Itoa(want.line)) {
				t.Errorf("the refusal names line %q, want %d: %s", named, want.line, stderr)
			}
			c, _, ratings := mustRows(t, mustShopDB(t, s.dsn))
			if len(c) != before.Customers || len(ratings) != before.Ratings {
				t.Errorf("after a refusal the shop has %d customers and %d ratings, want the %d and %d that were there", len(c),
					len(ratings), before.Customers, before.Ratings)
			}
		})
	}
}

// lineNumber is how a refusal names the line of a file.
var lineNumber = regexp.MustCompile(`(?:line |\.(?:csv|data|item|dat):)(\d+)`)

// isOwn says whether the folder holds our own files.
func (w importWant) isOwn(t *testing.T, folder string) bool {
	t.Helper()
	for name, content := range w.files {
		if mustReadFile(t, folder, name) != content {
			return false
		}
	}
	return true
}
