package integration

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kindred/internal/job/publish"
	"kindred/internal/job/train"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// mustEmbeddings writes a file as another system gives it: a header id,embedding, and lists in
// brackets. It is the form of the seed's item_embeddings.csv and user_embeddings.csv.
func mustEmbeddings(t *testing.T, name string, vectors map[string][]float32) string {
	t.Helper()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	err := w.Write([]string{"id", "embedding"})
	for id, vector := range vectors { // in a random order
		numbers := make([]string, len(vector))
		for i, x := range vector {
			numbers[i] = strconv.FormatFloat(float64(x), 'g', -1, 64) // as Python prints them
		}
		err = cmp.Or(err, w.Write([]string{id, "[" + strings.Join(numbers, ", ") + "]"}))
	}
	w.Flush()
	name = filepath.Join(t.TempDir(), name)
	if err = cmp.Or(err, w.Error(), os.WriteFile(name, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return name
}

// filesForce is the best products of a customer, by inner products of the files' vectors: those that
// are in stock, and that the customer has not rated.
type filesForce struct {
	items, customers map[string][]float32
	version          *modelversion.Version // says what is in stock, and what is rated
}

func (b filesForce) score(customer, item string) (sum float64) {
	for i, x := range b.customers[customer] {
		sum += float64(x) * float64(b.items[item][i])
	}
	return sum
}

func (b filesForce) best(customer modelversion.Customer, n int) (codes []string) {
	for _, item := range b.version.Items {
		if item.QuantityInStock > 0 && !slices.Contains(customer.Rated, item.Code) {
			codes = append(codes, item.Code)
		}
	}
	slices.SortFunc(codes, func(x, y string) int { return cmp.Compare(b.score(customer.ID, y), b.score(customer.ID, x)) })
	return codes[:min(n, len(codes))]
}

// compare says how an answer differs from the best products. Products whose scores differ by less than
// float32 tells apart may have changed places.
func (b filesForce) compare(customer modelversion.Customer, got []activity.RecommendedItem, n int) error {
	want := b.best(customer, n)
	if len(got) != len(want) {
		return fmt.Errorf("%d products, want %d", len(got), len(want))
	}
	seen := map[string]bool{}
	for i, item := range got {
		score, best := b.score(customer.ID, item.ID), b.score(customer.ID, want[i])
		if seen[item.ID] || !slices.Contains(want, item.ID) || math.Abs(score-best) > 1e-5*math.Abs(best) {
			return fmt.Errorf("product %d is %s with the score %g, want %s with %g", i+1, item.ID, score, want[i], best)
		}
		seen[item.ID] = true
	}
	return nil
}

// mustUpload puts a file on S3, and returns its name there without the suffix.
func mustUpload(t *testing.T, store objectstore.Store, key, file, suffix string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		_, err = store.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), objectstore.Condition{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return store.String() + "/" + strings.TrimSuffix(key, suffix)
}

// TestTheSeedsFilesGoLive takes two files of 32 dimensions on S3 live with the commands of `make import`. Then
// λ recommend's code and serve answer every customer with the products that brute force over the files
// finds. Shuffled ids are refused, and what is live stays.
func TestTheSeedsFilesGoLive(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	own, env := mustPlaces(t, stack, stack.mustDatabase(t))
	p := mustPrograms(t, env)
	p.mustRun(t, nil, "seed", "generate", "--scale", "0.1")
	p.mustRun(t, nil, "etl")
	elsewhere := objectstore.NewFolder(t.TempDir())
	p.mustRun(t, nil, "train", "--dim", "32", "--tune-budget", "0.2", "--artifacts", elsewhere.String())
	learned, err := modelfile.Read(t.Context(), commit.NewRepository(elsewhere, envconfig.ModelPrefix), "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	brute := filesForce{map[string][]float32{}, map[string][]float32{}, learned}
	shuffled, code := map[string][]float32{}, learned.Items[len(learned.Items)-1].Code
	for _, item := range learned.Items {
		brute.items[item.Code], shuffled[code] = item.Vector, item.Vector
		code = item.Code
	}
	for _, c := range learned.Customers {
		brute.customers[c.ID] = c.Vector
	}
	items, customers := mustEmbeddings(t, "item_embeddings.csv", brute.items), mustEmbeddings(t, "user_embeddings.csv",
		brute.customers)
	wantImportTarget(t, items, customers)

	var imported train.Result
	var live publish.Result
	store := objectstore.NewS3(awsclient.S3(stack.AWS), own.Buckets.Lake.Name, "")
	none := store.String() + "/none.csv"
	if code, problems := p.run(t, nil, "train", "import", "--items", none); code != 1 || !strings.Contains(problems,
		none+" is neither an object") {
		t.Errorf("vectors that are not there: exit %d, %s", code, problems)
	}
	p.mustRun(t, &imported, "train", "import", "--items", mustUpload(t, store, "vectors/items/part-0.csv", items,
		"/part-0.csv"), "--customers", mustUpload(t, store, "vectors/customers.csv", customers, ""))
	p.mustRun(t, &live, "publish")
	if imported.Refused != nil || !live.Promoted || live.ModelVersion != imported.ModelVersion ||
		imported.Config.Used.Dim != 32 {
		t.Fatalf("imported %+v, published %+v", imported, live)
	}
	base := mustServe(t, env["PGVECTOR_DSN"])
	brute.wantAnswers(t, recommend.New(mustVectorStore(t, env["PGVECTOR_DSN"])), base, live.ModelVersion)
	p.mustRun(t, &imported, "train", "import", "--items", mustEmbeddings(t, "item_embeddings.csv", shuffled),
		"--customers", customers)
	if imported.Report.Verdict.Decision() != modelversion.OutcomeRefused {
		t.Errorf("shuffled ids: %v", imported.Report.Verdict)
	}
	p.wantRefused(t, "publish")
	var answer httpAnswer
	if mustGetJSON(t, base+"/customers/103/recommendations", &answer); answer.ModelVersion != live.ModelVersion {
		t.Errorf("after the refusal %s is live, want %s", answer.ModelVersion, live.ModelVersion)
	}
}

// wantAnswers asks λ recommend's code for every customer, and serve at base for every tenth: they find
// what brute force finds, in this version.
func (b filesForce) wantAnswers(t *testing.T, reader *recommend.Recommender, base, version string) {
	t.Helper()
	events := make([]*activity.Event, len(b.version.Customers))
	for i, c := range b.version.Customers {
		id := activity.ID(c.ID)
		events[i] = &activity.Event{SessionID: "s" + c.ID, CustomerID: &id}
	}
	answers, err := reader.Batch(t.Context(), events)
	if err != nil || len(answers) != len(events) {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	asked := 0
	for i, c := range b.version.Customers {
		a := answers[i]
		if err := b.compare(c, a.Items, 10); err != nil || a.ModelVersion != version || a.Source != activity.SourceCustomer {
			t.Errorf("λ recommend, customer %s, version %s, source %s: %v", c.ID, a.ModelVersion, a.Source, err)
		}
		if i%10 == 0 {
			var answer httpAnswer
			mustGetJSON(t, base+"/customers/"+c.ID+"/recommendations", &answer)
			if err := b.compare(c, answer.RecommendedItems, 10); err != nil || answer.ModelVersion != version {
				t.Errorf("serve, customer %s, version %s: %v", c.ID, answer.ModelVersion, err)
			}
			asked++
		}
	}
	if len(b.version.Customers) < 100 || asked < 10 {
		t.Errorf("asked for %d customers, and %d over HTTP", len(b.version.Customers), asked)
	}
}

// wantImportTarget asks make what `make import` would run.
func wantImportTarget(t *testing.T, items, customers string) {
	t.Helper()
	ask := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "make", append([]string{"-n", "import"}, args...)...)
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "KINDRED_STATE="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("make -n import: %v: %s", err, out)
		}
		return string(out)
	}
	lines := strings.Split(strings.TrimSpace(ask("ITEMS="+items, "CUSTOMERS="+customers)), "\n")
	last := lines[max(len(lines)-2, 0):]
	if len(last) != 2 || !strings.Contains(last[0], `/train import --items "`+items+`" --customers "`+customers+`"`) ||
		!strings.HasSuffix(last[1], "/publish") {
		t.Errorf("make import runs %q", lines)
	}
	if all := ask("ITEMS=a.npz", "NAME=x", "LEARNED_UNTIL=2026-01-01"); strings.Contains(all, "--customers") ||
		!strings.Contains(all, `--items "a.npz"  --name "x" --learned-until "2026-01-01"`) {
		t.Errorf("make import without customers runs %s", all)
	}
}
