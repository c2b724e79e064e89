package integration

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/console/consoletest"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
)

// The size of TestConsoleOfALargeShop; the acceptance is a million products and 1,000 versions, with the limits.
var (
	consoleProducts = flag.Int("console-products", 5000, "products that the console shows")
	consoleVersions = flag.Int("console-versions", 60, "model versions that the console shows")
	consoleLimits   = flag.Bool("console-limits", false, "fail if a page takes more than a second, or the console half a "+
		"second to start or 200 MB")
)

// TestConsoleOfALargeShop asks a console for each page about models and products, of a large catalogue and many
// versions. How long it takes, and what memory, is logged.
func TestConsoleOfALargeShop(t *testing.T) {
	t.Parallel()
	dsn, artifacts := mustStack(t).mustVectorDatabase(t), t.TempDir()
	live := mustLoadManyVersions(t, mustVectorStore(t, dsn), artifacts)
	c := mustStartConsole(t, "--pgvector-dsn", dsn, "--artifacts", "file://"+artifacts)
	middle := live.Items[len(live.Items)/2]
	for _, page := range []struct{ path, want string }{
		{"/", "Models"}, {"/models", live.ID}, {fmt.Sprintf("/models?from=%d", *consoleVersions/2), "Models"},
		{"/models/" + live.ID, "What the gate says"}, {"/map", "</svg>"}, {"/map?product=" + middle.Code, middle.Name},
		{"/explore?q=" + middle.Code, middle.Name}, {"/explore?q=" + url.QueryEscape(middle.Name), middle.Code},
		{"/explore?q=no+such+product", "explore"}, {"/product?id=" + middle.Code, middle.Name},
		{"/customer?id=" + live.Customers[0].ID, live.Items[0].Name[:4]}, {"/shop", "<form"},
		{"/compare?customer=" + live.Customers[0].ID, "ompar"},
	} {
		for range 3 {
			c.mustSee(t, page.path, page.want)
		}
	}
	c.report(t)
}

// mustLoadManyVersions loads versions of a few products, with a report as long as train's, and then a live one of many.
func mustLoadManyVersions(t *testing.T, store *vectorstore.Store, artifacts string) *modelversion.Version {
	t.Helper()
	repo := commit.NewRepository(objectstore.NewFolder(artifacts), envconfig.ModelPrefix)
	report := modelversion.Report{Split: "made up", Verdict: modelversion.Verdict{Pass: true}}
	for i := range 12 {
		report.Verdict.Reasons = append(report.Verdict.Reasons, strings.Repeat("a sentence of the gate ", 6))
		report.Rows = append(report.Rows, modelversion.Row{Name: fmt.Sprint("row ", i), NDCG10: 0.1, Low: 0.09, High: 0.11})
	}
	report.Rows[0].Name = modelversion.RowModel
	for n := range *consoleVersions - 1 {
		v := randomVersion(fmt.Sprintf("m%015x", n+1), uint64(n), 20, 2, 8)
		v.Report = report
		if _, err := modelfile.Write(t.Context(), repo, v, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Load(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	live := randomVersion("mfffffffffffffff", 20, *consoleProducts, 100, 16)
	rng := rand.New(rand.NewPCG(20, 1))
	for i := range live.Items {
		it := &live.Items[i]
		it.Name, it.Line = fmt.Sprintf("%s no. %d of a series", []string{"Train", "Ship", "Plane"}[rng.IntN(3)], i),
			fmt.Sprint("Line ", rng.IntN(40))
		it.Positives = int32(1000 * rng.Float64() * rng.Float64())
	}
	live.Report = report
	if _, err := modelfile.Write(t.Context(), repo, live, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	mustGoLive(t, store, live)
	return live
}

// consoleClient is who looks at a console.
type consoleClient struct {
	http    *http.Client
	base    string
	started time.Duration
	process int
	took    map[string][]time.Duration
	largest int // bytes of a page
}

func mustStartConsole(t *testing.T, args ...string) *consoleClient {
	t.Helper()
	program, began := mustProgram(t, "console"), time.Now()
	address, process := consoletest.MustStart(t, program, args...)
	started := time.Since(began)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &consoleClient{http: &http.Client{Jar: jar}, base: "http://" + address.Host, started: started,
		process: process.Pid, took: map[string][]time.Duration{}}
	c.mustSee(t, address.RequestURI(), "<h1") // the token becomes a cookie
	clear(c.took)
	return c
}

// mustSee opens a page, which must have a text.
func (c *consoleClient) mustSee(t *testing.T, path, want string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
		t.Fatalf("%s: status %d, %v, and not %q in\n%.3000s", path, response.StatusCode, err, want, text)
	}
	c.took[path] = append(c.took[path], time.Since(began))
	c.largest = max(c.largest, len(text))
}

// report logs how long the pages took, and compares with the limits if that is asked for.
func (c *consoleClient) report(t *testing.T) {
	t.Helper()
	memory := 0
	if status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.process), "status")); err == nil { // Linux
		if _, most, found := strings.Cut(string(status), "VmHWM:"); found {
			_, _ = fmt.Sscan(most, &memory)
		}
	}
	t.Logf("%d products, %d versions: started in %v, at most %d MB, the largest page has %d bytes", *consoleProducts,
		*consoleVersions, c.started.Round(time.Millisecond), memory/1000, c.largest)
	slowest := time.Duration(0)
	for path, took := range c.took {
		t.Logf("%-40s %v", path, took)
		slowest = max(slowest, slices.Max(took))
	}
	if *consoleLimits && (slowest > time.Second || memory >= 200_000 || c.started > time.Second/2) {
		t.Errorf("a page took %v, the console %d MB, and %v to start", slowest, memory/1000, c.started)
	}
}
