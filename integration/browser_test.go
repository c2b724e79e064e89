package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"kindred/internal/job/feedback"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// shopPages is the web server of a shop, whose pages load kindred.js from elsewhere.
type shopPages struct {
	*httptest.Server
	script string // address of kindred.js; set before the first page is asked for
	strips string // of a page; set before too
}

func newShopPages(t *testing.T) *shopPages {
	t.Helper()
	p := &shopPages{strips: `<kindred-strip placement="home" limit="5"></kindred-strip>`}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>A shop</title><script src="%s" data-key="%s" data-consent="%s"></script>%s`,
			p.script, r.URL.Query().Get("key"), r.URL.Query().Get("consent"), p.strips)
	}))
	t.Cleanup(p.Close)
	return p
}

// watched is serve behind a proxy that notes what browsers ask.
type watched struct {
	*httptest.Server

	mu       sync.Mutex
	asked    []string         // method and path of each request, without kindred.js
	statuses map[string][]int // of the answers to a path
}

func newWatched(t *testing.T, serve string) *watched {
	t.Helper()
	target, err := url.Parse(serve)
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{statuses: map[string][]int{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if path := r.Request.URL.Path; path != "/kindred.js" {
			w.asked = append(w.asked, r.Request.Method+" "+path)
			w.statuses[path] = append(w.statuses[path], r.StatusCode)
		}
		return nil
	}
	w.Server = httptest.NewServer(proxy)
	t.Cleanup(w.Close)
	return w
}

// forget returns what was asked since the last time.
func (w *watched) forget() (asked []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked, w.asked, w.statuses = w.asked, nil, map[string][]int{}
	return asked
}

func (w *watched) status(path string) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.statuses[path])
}

// tab is a page in a browser, without cookies and storage of another one.
type tab struct{ context.Context }

func newTab(t *testing.T, browser context.Context) tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	return tab{ctx}
}

func (p tab) must(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(p, actions...); err != nil {
		t.Fatal(err)
	}
}

// says runs a script, and returns what it, or its promise, comes to.
func says[T any](t *testing.T, p tab, script string) T {
	t.Helper()
	v, err := chromedp.Run(p, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// strip are the products that the page shows.
func (p tab) strip(t *testing.T) []string {
	t.Helper()
	return says[[]string](t, p, `[...document.querySelectorAll("kindred-strip a")].map(a => decodeURIComponent(a.hash.slice(1)))`)
}

// mustBrowser starts Chromium, or skips the test where there is none.
func mustBrowser(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Skip("NOT TESTED: kindred.js in a browser, because there is no Chromium on the PATH")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program),
		chromedp.NoSandbox, chromedp.WSURLReadTimeout(functionTime))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, stopBrowser := chromedp.NewContext(ctx)
	t.Cleanup(stopBrowser)
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return browser
}

// TestAPageInABrowser loads a shop's page with kindred.js from another origin in a real browser. A click goes to
// Kinesis, becomes a delivered record, and changes the strip; feedback credits the strip's recommendation. Without
// consent nothing is sent, and pages of other origins and with other keys are refused.
func TestAPageInABrowser(t *testing.T) {
	t.Parallel()
	browser := mustBrowser(t)
	stack := mustStack(t)
	own := mustOwnSettings(t, stack)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m900000000000008"))
	mustProvision(t, stack, own, map[string]string{"PGVECTOR_DSN": dsn})
	store := objectstore.NewS3(awsclient.S3(stack.AWS), own.Buckets.Recommendations.Name, "")

	const key = "pk_of-the-browser-test"
	shop, stranger := newShopPages(t), newShopPages(t)
	base := mustServe(t, dsn, "AWS_ENDPOINT_URL="+*stack.AWS.BaseEndpoint, "AWS_REGION="+own.Region,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "ACTIVITY_STREAM="+own.Stream.Name,
		"RECOMMENDATIONS_DELIVERY_STREAM="+own.Delivery.Name,
		`SITE_KEYS={"keys":[{"publishable":"`+key+`","scopes":["events","recommendations"],"origins":["`+shop.URL+`"]}]}`)
	serve := newWatched(t, base)
	shop.script, stranger.script = serve.URL+"/kindred.js", serve.URL+"/kindred.js"

	p := newTab(t, browser)
	p.must(t, chromedp.Navigate(shop.URL+"/?key="+key))
	// what was begun before the promise ends before it
	stored := says[int](t, p, `kindred.view("L2_03"); kindred.cart("L2_03"); kindred.refresh();
		fetch("/").then(() => new Promise(done => setTimeout(done))).then(() => localStorage.length)`)
	if asked := serve.forget(); len(asked) > 0 || stored != 0 {
		t.Errorf("without consent, it asked %q, and stored %d things", asked, stored)
	}

	for name, test := range map[string]struct {
		page, key string
		status    int
	}{"another origin": {stranger.URL, key, http.StatusForbidden},
		"another key": {shop.URL, "pk_of-somebody-else-entirely", http.StatusUnauthorized}} {
		p := newTab(t, browser)
		p.must(t, chromedp.Navigate(test.page+"/?consent=yes&key="+test.key))
		says[int](t, p, `kindred.view("L2_03"), 1`)
		waitFor(t, name+": the event is refused", func() bool { return len(serve.status("/events")) > 0 })
		if got := serve.status("/events"); got[0] != test.status || len(p.strip(t)) > 0 {
			t.Errorf("%s: the event got %v, want %d; the strip shows %q", name, got, test.status, p.strip(t))
		}
		serve.forget()
	}

	says[int](t, p, `kindred.consent(true), 1`)
	waitFor(t, "the strip shows products", func() bool { return len(p.strip(t)) == 5 })
	names := says[[]string](t, p, `[...document.querySelectorAll("kindred-strip a")].map(a => a.textContent)`)
	if names[0] == "" || names[0] == p.strip(t)[0] {
		t.Errorf("the strip shows %q instead of names", names)
	}
	before, clicked := p.strip(t), time.Now()
	p.must(t, chromedp.Click(chromedp.CSS("kindred-strip a")))
	waitFor(t, "the strip changes", func() bool {
		now := p.strip(t)
		return len(now) == 5 && !slices.Contains(now, before[0])
	})
	t.Logf("the strip changed %v after the click", time.Since(clicked).Round(time.Millisecond))
	mustBecome(t, store, before[0])
	t.Logf("the click's record lay on S3 %v after it", time.Since(clicked).Round(time.Millisecond))
	mustBeCredited(t, store)
}

// mustBecome waits for the record of a click on a product, which names the delivered answer that showed it.
func mustBecome(t *testing.T, store objectstore.Store, product string) {
	t.Helper()
	waitFor(t, "the click and the answer that it names are delivered", func() bool {
		records := mustRecords(t, store)
		for _, r := range records {
			const names = `"recommendation_id":"`
			at := strings.Index(string(r.Event), names)
			if r.Recommendation.Source != activity.SourceState || at < 0 ||
				!strings.Contains(string(r.Event), `"product_code":"`+product+`"`) {
				continue
			}
			id, _, _ := strings.Cut(string(r.Event)[at+len(names):], `"`)
			shown, delivered := records[id]
			return delivered && shown.Recommendation.Position.Stream == activity.StreamHTTP &&
				slices.ContainsFunc(shown.RecommendedItems, func(i activity.RecommendedItem) bool { return i.ID == product })
		}
		return false
	})
}

// mustBeCredited runs feedback: the strip's first place was viewed once.
func mustBeCredited(t *testing.T, store objectstore.Store) {
	t.Helper()
	r, err := feedback.Job{Recommendations: store, Lake: objectstore.NewFolder(t.TempDir()), ScratchDir: t.TempDir(),
		DuckDB:   filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb"),
		Progress: func(string, int64, int64) {}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	viewed := int64(0)
	for _, h := range r.HitRates {
		if h.Place == 1 {
			viewed += h.Viewed
		}
	}
	if viewed != 1 || r.Unreadable.Count > 0 {
		t.Errorf("feedback: %+v", r)
	}
}
