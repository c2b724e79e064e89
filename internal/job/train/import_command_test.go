package train

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop"
)

// mustEmbeddings writes vectors as the seed's files have them.
func mustEmbeddings(t *testing.T, n Named) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "embeddings.csv")
	if err := os.WriteFile(name, []byte(csvOf(t, n)), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// csvOf has an id and a list in quotes in each line.
func csvOf(t *testing.T, n Named) string {
	t.Helper()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	err := w.Write([]string{"id", "embedding"})
	for i, id := range n.IDs {
		numbers := make([]string, n.Dim)
		for j, x := range n.Values[i*n.Dim : (i+1)*n.Dim] {
			numbers[j] = strconv.FormatFloat(float64(x), 'g', -1, 64)
		}
		if writeErr := w.Write([]string{id, "[" + strings.Join(numbers, ", ") + "]"}); err == nil {
			err = writeErr
		}
	}
	if w.Flush(); err != nil || w.Error() != nil {
		t.Fatal(err, w.Error())
	}
	return out.String()
}

// runTrain runs the program.
func runTrain(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = program.Run(t.Context(), "train", Description, &Command{}, args, &out, &problems)
	return code, out.String(), problems.String()
}

// reversed is n in another order.
func reversed(n Named) Named {
	r := Named{Dim: n.Dim}
	for i := len(n.IDs) - 1; i >= 0; i-- {
		r.IDs, r.Values = append(r.IDs, n.IDs[i]), append(r.Values, n.Values[i*n.Dim:(i+1)*n.Dim]...)
	}
	return r
}

// TestImportCommand goes through what becomes of two files: a version, the same one for the same vectors
// in another order, other ones for other vectors, names and moments, and popularity for vectors that the
// gate refuses. train goes on from an imported version.
func TestImportCommand(t *testing.T) {
	t.Parallel()
	folder := "file://" + t.TempDir()
	lake, err := objectstore.Open(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (code int, stdout, stderr string) { return runTrain(t, args...) }
	places := []string{"--lake", folder, "--artifacts", folder, "--tune-budget", "0.03", "--scratch-dir", t.TempDir()}
	importing := func(args ...string) (r struct {
		NoOp   bool `json:"no_op"`
		Result Result
	}) {
		t.Helper()
		code, stdout, stderr := run(slices.Concat([]string{"import", "--json"}, places, args)...)
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
			t.Fatalf("import %v: exit %d, %v, %s%s", args, code, err, stdout, stderr)
		}
		return r
	}
	_, learned := mustLearn(t, 0.05, time.Time{})
	given := givenBy(learned, true)
	items, users := mustEmbeddings(t, given.Items), mustEmbeddings(t, *given.Customers)
	wrong := mustEmbeddings(t, shuffled(given.Items))

	if code, _, stderr := run(slices.Concat([]string{"import"}, places, []string{"--items", items})...); code != 1 ||
		!strings.Contains(stderr, "run etl first") {
		t.Errorf("before etl: exit %d, %s", code, stderr)
	}
	mustSeedStock(t, lake, 1, func(*shop.Product) {})
	refused := importing("--items", wrong)
	if r := refused.Result; r.Refused == nil || !r.Report.Verdict.Popularity || r.Refused.Config.Import == nil {
		t.Fatalf("shuffled ids: %+v", r)
	}
	first := importing("--items", items, "--customers", users, "--name", "matrix of 2026")
	if r := first.Result; r.Refused != nil || first.NoOp || r.Config.Import.Name != "matrix of 2026" ||
		r.Config.Used.Dim != 16 {
		t.Fatalf("imported %+v", r)
	}
	models := commit.NewRepository(lake, envconfig.ModelPrefix)
	v, err := modelfile.Read(t.Context(), models, "", t.TempDir())
	if err != nil || v.ID != first.Result.ModelVersion || v.Learned != "" ||
		v.Report.Verdict.Decision() == modelversion.OutcomeRefused {
		t.Fatalf("current is %+v, %v", v, err)
	}
	again := importing("--items", mustEmbeddings(t, reversed(given.Items)), "--customers",
		mustEmbeddings(t, reversed(*given.Customers)), "--name", "matrix of 2026")
	if !again.NoOp || again.Result.ModelVersion != v.ID {
		t.Errorf("the same vectors in another order: no-op %t, version %s, want %s", again.NoOp,
			again.Result.ModelVersion, v.ID)
	}
	seen := map[string]bool{v.ID: true}
	for _, args := range [][]string{{"--items", items}, {"--items", items, "--customers", users},
		{"--items", items, "--learned-until", "2020-01-01"}, {"--items", items, "--min-stars", "5"}} {
		other := importing(args...).Result.ModelVersion
		if seen[other] {
			t.Errorf("import %v gives the version of another import", args)
		}
		seen[other] = true
	}
	if code, stdout, _ := run("show", "--artifacts", folder, v.ID); code != 0 || !strings.Contains(stdout,
		"matrix of 2026") {
		t.Errorf("show: exit %d, %s", code, stdout)
	}
	if code, stdout, stderr := run(slices.Concat([]string{"import"}, places, []string{"--items", items})...); code != 0 ||
		!strings.Contains(stdout, "imported already") || !strings.Contains(stdout, fmt.Sprintf("Of %d vectors of products",
		len(given.Items.IDs))) {
		t.Errorf("once more: exit %d, %s%s", code, stdout, stderr)
	}
	code, stdout, stderr := run(append(places, "--dim", "16", "--json")...)
	var trained struct{ Result Result }
	if err := json.Unmarshal([]byte(stdout), &trained); err != nil || code != 0 || trained.Result.Config.Import != nil ||
		seen[trained.Result.ModelVersion] {
		t.Errorf("train after it: exit %d, %v, %s%s", code, err, stdout, stderr)
	}
}

// TestImportCommandRefuses: the error says what to do.
func TestImportCommandRefuses(t *testing.T) {
	t.Parallel()
	folder := "file://" + t.TempDir()
	items := mustEmbeddings(t, Named{Dim: 2, IDs: []string{"a", "b"}, Values: []float32{1, 2, 3, 4}})
	for name, test := range map[string]struct {
		code int
		want string
		args []string
	}{
		"no items":           {2, "--items", nil},
		"no file":            {1, "no such file", []string{"--items", items + "x.csv"}},
		"no time":            {2, "2026-11-30T12:00:00Z", []string{"--items", items, "--learned-until", "yesterday"}},
		"a share above one":  {2, "--max-unknown", []string{"--items", items, "--max-unknown", "2"}},
		"ids of nothing":     {2, "--customers", []string{"--items", items, "--customer-ids", items}},
		"seven stars":        {2, "stars", []string{"--items", items, "--min-stars", "7"}},
		"a rule of nonsense": {2, "--repeat", []string{"--items", items, "--repeat", "never"}},
		"ids of a CSV":       {1, "ids of its own", []string{"--items", items, "--item-ids", items}},
	} {
		code, _, stderr := runTrain(t, slices.Concat([]string{"import", "--lake", folder, "--artifacts", folder},
			test.args)...)
		if code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
		}
	}
}
