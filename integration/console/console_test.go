// Package console opens the console in a browser, on the running stack with what `make demo` left there. It
// is apart from package integration, because it needs a browser, which few machines of continuous
// integration have: `make test-console` runs it.
package console

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"kindred/internal/job/console/consoletest"
)

var (
	shots = flag.String("screenshots", "", "folder for a picture of each page; empty: none is taken")
	axe   = flag.String("axe", "", "file axe.min.js of axe-core; empty: accessibility is not tested")
)

// patience bounds a wait for a page: generous, because the machine may be busy.
const patience = 10 * time.Minute

// notTested ends the test and says why, whether or not go test is verbose.
func notTested(t *testing.T, reason string) {
	t.Helper()
	fmt.Fprintln(os.Stderr, "!!! NOT TESTED: the console in a browser. "+reason)
	t.Skip(reason)
}

// mustBuild compiles programs, and returns their folder.
func mustBuild(t *testing.T, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	args := []string{"build", "-o", folder + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "kindred/jobs/"+name)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return folder
}

// browser is a tab, and what went wrong in it.
type browser struct {
	ctx    context.Context
	base   string
	mu     sync.Mutex
	faults []string
}

// mustBrowse starts a browser that reaches no host but this machine, and opens the console in it.
func mustBrowse(t *testing.T, program string, address *url.URL) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"), chromedp.WSURLReadTimeout(patience))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx, base: "http://" + address.Host}
	b.mustWatch(t)
	b.mustDo(t, chromedp.Navigate(address.String()), chromedp.WaitVisible(chromedp.CSS("h1")))
	return b
}

// mustTab opens another tab of the browser.
func (b *browser) mustTab(t *testing.T) *browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	tab := &browser{ctx: ctx, base: b.base}
	tab.mustWatch(t)
	return tab
}

// mustWatch notes what goes wrong in the tab from now on.
func (b *browser) mustWatch(t *testing.T) {
	t.Helper()
	err := chromedp.Listen(b.ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err != nil || "http://"+u.Host != b.base && u.Scheme != "data" {
				b.fault("a request to " + e.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			b.fault("exception: " + e.ExceptionDetails.Text + " " + described(e.ExceptionDetails))
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				b.fault("console: " + e.Entry.Text + " " + e.Entry.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
}

// described is what an exception says.
func described(e *runtime.ExceptionDetails) string {
	if e.Exception == nil {
		return ""
	}
	return e.Exception.Description
}

func (b *browser) fault(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, text)
}

// mustBeWell reports what went wrong in the browser since the last call.
func (b *browser) mustBeWell(t *testing.T, where string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		t.Errorf("%s: %s", where, fault)
	}
	b.faults = nil
}

func (b *browser) mustDo(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	must(t, b, chromedp.Steps(steps...))
}

// must runs an action and returns its value.
func must[T any](t *testing.T, b *browser, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b *browser) mustGo(t *testing.T, path string) {
	t.Helper()
	b.mustDo(t, chromedp.Navigate(b.base+path), chromedp.WaitVisible(chromedp.CSS("h1")))
}

func (b *browser) mustText(t *testing.T, selector string) string {
	t.Helper()
	return must(t, b, chromedp.Text(chromedp.CSS(selector)))
}

func TestConsole(t *testing.T) {
	program := ""
	for _, name := range []string{os.Getenv("BROWSER_PROGRAM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	switch {
	case program == "":
		notTested(t, "There is no browser: install chromium, or name one in BROWSER_PROGRAM")
	case os.Getenv("PGVECTOR_DSN") == "" || os.Getenv("ACTIVITY_STREAM") == "":
		notTested(t, "There is no stack: run `make demo`, then `make test-console`")
	}
	folder := mustBuild(t, "console", "etl", "train", "publish", "replay", "rollup")
	mustPrint(t, folder, "rollup")
	address, _ := consoletest.MustStart(t, filepath.Join(folder, "console"))
	b := mustBrowse(t, program, address)
	live := b.mustLive(t)
	b.mustGo(t, "/explore")
	product := must(t, b, chromedp.Evaluate[string](`document.querySelector("[aria-labelledby=products] a").pathname +
		document.querySelector("[aria-labelledby=products] a").search`))
	pages := []string{"/", product, strings.Replace(product, "/product", "/map", 1), "/data", "/models",
		"/models/" + live, "/outcome", "/explore", "/shop?visitor=v-1", "/stream",
		"/customer?id=103", "/customer?id=103&filter=product.available&why=none", "/map", "/letters?reason=schema",
		"/events?id=none", "/move/publish?version=" + live, "/move/experiment?version=" + live}
	t.Run("pages", func(t *testing.T) { b.testPages(t, pages) })
	t.Run("numbers", func(t *testing.T) { b.testNumbers(t, folder, pages) })
	t.Run("storefront", b.testStorefront)
	t.Run("two windows", b.testTwoWindows)
	t.Run("explorer", b.testExplorer)
	t.Run("poison", func(t *testing.T) { b.testPoison(t, folder) })
	t.Run("moves", func(t *testing.T) { b.testMoves(t, folder, live) })
	compared := "/compare?id=103" // of the versions that are loaded now
	t.Run("comparison", func(t *testing.T) { b.testPages(t, []string{compared}) })
	pages = append(pages, compared)
	t.Run("without JavaScript", func(t *testing.T) { b.testWithoutJavaScript(t, pages) })
}

// mustLive is the version that the first page says is live.
func (b *browser) mustLive(t *testing.T) string {
	t.Helper()
	return b.mustText(t, `[data-station=database] .version`)
}

// testPages looks at each page in both themes, wide and narrow: nothing is wrong in the browser, nothing is cut
// off, and axe-core finds no serious violation.
func (b *browser) testPages(t *testing.T, pages []string) {
	source := ""
	if *axe == "" {
		fmt.Fprintln(os.Stderr, "!!! NOT TESTED: accessibility. It needs axe-core: -axe FILE")
	} else {
		data, err := os.ReadFile(*axe)
		if err != nil {
			t.Fatal(err)
		}
		source = string(data)
	}
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 375} {
			b.mustDo(t, chromedp.EmulateViewport(width, 900))
			if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}); err != nil {
				t.Fatal(err)
			}
			for _, page := range pages {
				b.mustGo(t, page)
				wide := must(t, b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
				title := must(t, b, chromedp.Title())
				if wide > width {
					t.Errorf("%s at %d: the page is %d wide", page, width, wide)
				}
				if strings.Contains(title, "Error") || strings.Contains(title, "Unavailable") {
					t.Errorf("%s: %s", page, title)
				}
				if source != "" {
					b.mustBeAccessible(t, source, fmt.Sprintf("%s, %s at %d", page, theme, width))
				}
				if *shots != "" {
					name := notOfNames.ReplaceAllString(page, "-")
					b.mustShoot(t, fmt.Sprintf("%s-%s-%d.png", name, theme, width))
				}
				b.mustBeWell(t, page)
			}
		}
	}
}

func (b *browser) mustBeAccessible(t *testing.T, source, where string) {
	t.Helper()
	must(t, b, chromedp.Evaluate[int](source+"; 0"))
	found := must(t, b, chromedp.Evaluate[[]string](`axe.run().then(r => r.violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.map(v => v.id + ": " + v.nodes.slice(0, 2).map(n => n.html.slice(0, 160) + " " + n.failureSummary).join(" | ")))`,
		chromedp.EvalAwaitPromise))
	for _, violation := range found {
		t.Errorf("%s: %s", where, violation)
	}
}

// notOfNames is what the names of pictures have not.
var notOfNames = regexp.MustCompile(`[^a-z0-9]+`)

func (b *browser) mustShoot(t *testing.T, name string) {
	t.Helper()
	picture := must(t, b, chromedp.FullScreenshot(100))
	if err := os.MkdirAll(*shots, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}

// testNumbers compares each figure that says where a program prints it with what the program prints.
func (b *browser) testNumbers(t *testing.T, folder string, pages []string) {
	printed := map[string]any{}
	compared := 0
	for _, page := range pages {
		b.mustGo(t, page)
		figures := must(t, b, chromedp.Evaluate[[]struct{ Of, Value string }](`[...document.querySelectorAll("data[data-of]")]
			.map(d => ({Of: d.dataset.of, Value: d.value}))`))
		for _, f := range figures {
			command, path, _ := strings.Cut(f.Of, ":")
			if strings.HasPrefix(command, "verify") {
				continue // an audit is of its own moment
			}
			if printed[command] == nil {
				printed[command] = mustPrint(t, folder, command)
			}
			want, err := at(printed[command], path)
			got, bad := strconv.ParseFloat(f.Value, 64)
			if err != nil || bad != nil || math.Abs(got-want) > 1e-9 {
				t.Errorf("%s shows %s for %s, the program prints %g, %v", page, f.Value, f.Of, want, err)
			}
			compared++
		}
	}
	if compared < 50 {
		t.Errorf("only %d figures were compared", compared)
	}
	t.Logf("%d figures are those of the programs", compared)
}

// mustPrint is the result that a program prints with --json.
func mustPrint(t *testing.T, folder, command string) any {
	t.Helper()
	words := strings.Fields(command)
	out, err := exec.CommandContext(t.Context(), filepath.Join(folder, words[0]), append(words[1:], "--json")...).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	var envelope struct{ Result any }
	if err := json.Unmarshal(out, &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Result
}

// at is the number at a path such as "versions.0.items".
func at(v any, path string) (float64, error) {
	for _, step := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(in) {
				return 0, fmt.Errorf("there is no element %s of %s", step, path)
			}
			v = in[i]
		}
	}
	n, ok := v.(float64)
	if !ok {
		return 0, fmt.Errorf("there is no number at %s", path)
	}
	return n, nil
}

// testStorefront clicks: the strip changes, the event is answered over the stream and found, and the
// overview counts it.
func (b *browser) testStorefront(t *testing.T) {
	b.mustReload(t, "/", `!document.querySelector("main").textContent.includes("first reading")`)
	count := `Number(document.querySelector("[data-live=answers] data").value)`
	before := must(t, b, chromedp.Evaluate[int](count))
	b.mustGo(t, fmt.Sprintf("/shop?visitor=v-%d", time.Now().UnixNano()))
	strip := b.mustText(t, `[aria-labelledby=strip] ul`)
	began := time.Now()
	b.mustDo(t, chromedp.Click(chromedp.CSS(`[aria-labelledby=shelf] li:nth-child(3) button[value=view]`)),
		chromedp.WaitVisible(chromedp.CSS(`[aria-labelledby=sent] a`)))
	t.Logf("the strip answered %v after the click", time.Since(began).Round(time.Millisecond))
	if after := b.mustText(t, `[aria-labelledby=strip] ul`); after == strip || !strings.Contains(after, "because of") {
		t.Errorf("after a click the strip is %q, before it was %q", after, strip)
	}
	event := b.mustText(t, `[aria-labelledby=sent] a`)
	b.mustGo(t, "/")
	must(t, b, chromedp.Poll[chromedp.Void](fmt.Sprintf("%s > %d", count, before),
		chromedp.WithPollingTimeout(patience)))
	t.Logf("the overview counted it %v after the click", time.Since(began).Round(time.Millisecond))
	b.mustGo(t, "/events?id="+event)
	b.mustDo(t, chromedp.WaitVisible(chromedp.CSS(`[aria-labelledby=items]`)))
	b.mustBeWell(t, "the storefront")
}

// testMoves trains a second version, makes it live from its page, and rolls back from the list: the storefront
// is answered by the one and by the other, and the history of `publish` has both moves with their reason.
func (b *browser) testMoves(t *testing.T, folder, first string) {
	reason := fmt.Sprintf("tried at %d", time.Now().UnixNano())
	command := fmt.Sprintf("train --tune-budget 1 --seed %d", time.Now().UnixNano()%1e6)
	trained, ok := mustPrint(t, folder, command).(map[string]any)
	second, _ := trained["model_version"].(string)
	if !ok || second == "" || second == first {
		t.Fatalf("a second training made %v", trained)
	}
	b.mustGo(t, "/models/"+second)
	b.mustMove(t, `a[href^="/move/publish"]`, reason)
	if version := b.mustAnswering(t); version != second {
		t.Errorf("after the move %s answers, not %s", version, second)
	}
	b.mustGo(t, "/models")
	b.mustMove(t, `a[href="/move/rollback"]`, reason)
	if version := b.mustAnswering(t); version != first {
		t.Errorf("after rolling back %s answers, not %s", version, first)
	}
	b.follow(t, `[aria-labelledby=shelf] button[value=view]`, `[aria-labelledby=sent] a`)
	b.mustReload(t, "/events?id="+b.mustText(t, `[aria-labelledby=sent] a`),
		`document.querySelector("[aria-labelledby=way] a")?.textContent === "`+first+`"`)
	b.mustCompare(t, first, second)
	b.mustExperiment(t, second, reason)
	listing, err := json.Marshal(mustPrint(t, folder, "publish list"))
	if err != nil || strings.Count(string(listing), reason) != 4 { // two of the experiment
		t.Errorf("the history has the reason %d times, %v", strings.Count(string(listing), reason), err)
	}
	b.mustBeWell(t, "moving the pointer")
}

// mustMove follows the link to a move, and makes it.
func (b *browser) mustMove(t *testing.T, link, reason string) {
	t.Helper()
	b.follow(t, link, "#reason")
	b.mustConfirm(t, reason)
}

// mustConfirm gives the reason of a move, overrules the gate if it has to, and waits until it is done.
func (b *browser) mustConfirm(t *testing.T, reason string) {
	t.Helper()
	b.mustDo(t, chromedp.SendKeys(chromedp.CSS("#reason"), reason))
	if must(t, b, chromedp.Evaluate[bool](`document.querySelector("[name=force]") !== null`)) {
		b.mustDo(t, chromedp.Click(chromedp.CSS("[name=force]")))
	}
	b.mustDo(t, chromedp.Click(chromedp.CSS("button.main")),
		chromedp.WaitVisible(chromedp.CSS(".notice.good, .notice.bad"))) // over pages that load themselves again
	if text := b.mustText(t, ".notice"); !strings.Contains(text, "Done") {
		t.Fatalf("the move ended as %q", text)
	}
}

// mustAnswering is the version that answers in the storefront.
func (b *browser) mustAnswering(t *testing.T) string {
	t.Helper()
	b.mustGo(t, "/shop?visitor=v-2")
	return b.mustText(t, `[aria-labelledby=strip] .card-head a`)
}

// mustCompare sees the answers of two versions side by side, the places of each product in the other one.
func (b *browser) mustCompare(t *testing.T, first, second string) {
	t.Helper()
	b.mustGo(t, "/models/"+second)
	b.follow(t, `a[href^="/compare"]`, "p a.mono")
	b.follow(t, "main > p a.mono", `[aria-labelledby=side-1] tbody tr`)
	if sides := b.texts(t, "h2 a.mono"); len(sides) != 2 || sides[0] != first || sides[1] != second {
		t.Errorf("the sides are %q", sides)
	}
	for _, side := range []string{"0", "1"} {
		rows := b.texts(t, "[aria-labelledby=side-"+side+"] tbody tr")
		if len(rows) != 10 || !strings.Contains(strings.Join(rows, ""), "place") {
			t.Errorf("side %s is %q", side, rows)
		}
	}
}

// mustExperiment starts an experiment with a version from its page, and ends it from the page of the outcome.
func (b *browser) mustExperiment(t *testing.T, version, reason string) {
	t.Helper()
	name := fmt.Sprintf("x-%d", time.Now().UnixNano())
	b.mustGo(t, "/move/experiment?version="+version)
	b.mustDo(t, chromedp.SendKeys(chromedp.CSS("#name"), name))
	b.mustConfirm(t, reason)
	b.mustGo(t, "/outcome")
	if text := b.mustText(t, "main"); !strings.Contains(text, name) || !strings.Contains(text, version) {
		t.Errorf("the outcome says %q", text)
	}
	b.mustMove(t, `a[href="/move/end-experiment"]`, reason)
	b.mustGo(t, "/outcome")
	if b.exists(t, `a[href="/move/end-experiment"]`) {
		t.Error("the experiment still runs")
	}
}
