package integration

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
)

// What the three data sets hold, in MySQL's own words.
var sourceRows = map[string]string{
	"ratings": "SELECT r.customerNumber, city, state, postalCode, country, creditLimit, r.productCode, productLine, " +
		"productScale, quantityInStock, buyPrice, MSRP, " +
		"productRating, ratedAt FROM ratings r JOIN customers USING (customerNumber) JOIN products USING (productCode)",
	"customers": "SELECT customerNumber, customerName, city, state, postalCode, country, creditLimit FROM customers",
	"products": "SELECT productCode, productName, productLine, productScale, productVendor, quantityInStock, buyPrice, " +
		"MSRP FROM products",
}

// asked returns a query's rows as JSON arrays of texts, sorted.
func asked(t *testing.T, db *sql.DB, query string) (lines []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, pointers := make([]*string, len(names)), make([]any, len(names))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

func TestForeignReadersSeeEveryCentAndNull(t *testing.T) {
	t.Parallel()
	readers := mustPython(t, "parquet-readers-1", "duckdb==1.5.5", "pyarrow==26.0.1")
	stack := mustStack(t)
	dsn, _ := stack.mustShop(t, etlShop,
		strings.ReplaceAll(partitionShop, ";\nINSERT INTO ratings VALUES (999, 'S10_1678', 3, NULL)", ""))
	db, err := sql.Open("mysql", strings.ReplaceAll(dsn, "parseTime=true", "parseTime=false"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	folder := t.TempDir()
	l := lake{stack: stack, location: "file://" + folder}
	for _, part := range []string{"0/2", "1/2"} { // so that a data set has more than one file
		l.mustEtl(t, dsn, "--job", "j", "--partition", part)
	}
	l.mustEtl(t, dsn, "commit-parts", "--job", "j")
	m, err := commit.NewRepository(objectstore.NewFolder(folder), envconfig.TrainingSetPrefix).Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for dataSet, query := range sourceRows {
		want := asked(t, db, query)
		var files []string
		for _, f := range m.Files {
			if f.DataSet == dataSet {
				files = append(files, filepath.Join(folder, envconfig.TrainingSetPrefix, "run="+m.Run, filepath.FromSlash(f.Path)))
			}
		}
		check := func(reader string, env []string, command ...string) {
			t.Helper()
			a := run(t, append(os.Environ(), env...), command[0],
				append(command[1:], append([]string{filepath.Join("readers", "read.py"), reader}, files...)...)...)
			var got []string
			for line := range strings.Lines(a.stdout) {
				var values []*string
				if err := json.Unmarshal([]byte(line), &values); err != nil {
					continue // what else Spark says
				}
				again, err := json.Marshal(values)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(again))
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" || a.code != 0 {
				t.Errorf("%s by %s, exit %d (-MySQL +reader):\n%s\n%s", dataSet, reader, a.code, diff, a.stderr)
			}
		}
		check("duckdb", []string{"PYTHONPATH=" + readers}, "python3")
		check("pyarrow", []string{"PYTHONPATH=" + readers}, "python3")
		if dataSet != "ratings" {
			continue // it has every type; each start of Spark costs seconds
		}
		home := mustSpark(t)
		check("spark", []string{"SPARK_HOME=" + filepath.Join(home, "pyspark"), "PYTHONPATH=" + home,
			"PYSPARK_PYTHON=python3", "SPARK_LOCAL_IP=127.0.0.1"},
			filepath.Join(home, "pyspark", "bin",
				"spark-submit"), "--master", "local[1]", "--driver-memory", "512m", "--driver-java-options",
			"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", "--conf", "spark.ui.enabled=false", "--conf",
			"spark.driver.bindAddress=127.0.0.1",
			"--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.local.dir="+t.TempDir())
	}
}
