package console

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// follow clicks a link or a button, and waits for the page behind it.
func (b *browser) follow(t *testing.T, selector, then string) {
	t.Helper()
	b.mustDo(t, chromedp.Click(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS(then)))
}

// texts are those of all elements that a selector finds.
func (b *browser) texts(t *testing.T, selector string) []string {
	t.Helper()
	return must(t, b, chromedp.Evaluate[[]string](`[...document.querySelectorAll(`+strconv.Quote(selector)+
		`)].map(e => e.textContent.trim())`))
}

// mustBecome waits until an expression of JavaScript holds.
func (b *browser) mustBecome(t *testing.T, expression string) {
	t.Helper()
	must(t, b, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(patience)))
}

// testExplorer goes from the list of customers to an answer, tries rules on it, asks why a product is not in it,
// and looks at the map.
func (b *browser) testExplorer(t *testing.T) {
	b.mustGo(t, "/explore")
	b.follow(t, `[aria-labelledby=some] a`, `[aria-labelledby=answer] td .part-0`)
	products := b.texts(t, `[aria-labelledby=answer] tbody th a`)
	if len(products) != 10 {
		t.Fatalf("the customer is recommended %q", products)
	}
	const filter = "product.available"
	b.mustDo(t, chromedp.SendKeys(chromedp.CSS("#filter"), filter))
	b.mustBecome(t, `document.querySelector("#tried table") && location.search.includes("filter")`)
	b.mustDo(t, chromedp.SendKeys(chromedp.CSS("#filter"), " &&"))
	b.mustBecome(t, `document.querySelector("#tried .notice.bad")?.textContent.includes("column")`)
	b.mustGo(t, "/explore")
	b.follow(t, `[aria-labelledby=some] a`, `[aria-labelledby=try] p a`)
	// Without a category, products go. The link may be on two lines, with nothing to click on in its middle.
	b.mustGo(t, must(t, b, chromedp.Evaluate[string](
		`(a => a.pathname + a.search)(document.querySelectorAll("[aria-labelledby=try] p a")[1])`)))
	if gone := strings.Join(b.texts(t, "#tried ul li"), "\n"); !strings.Contains(gone, "filter hides it") {
		t.Errorf("no longer shown: %q", gone)
	}
	b.mustDo(t, chromedp.SendKeys(chromedp.CSS("#why-id"), products[0]))
	b.follow(t, `[aria-labelledby=why] button`, `.notice[role=status]`)
	if why := b.mustText(t, `.notice[role=status]`); !strings.Contains(why, products[0]) {
		t.Errorf("why not %s: %q", products[0], why)
	}
	b.mustGo(t, "/map")
	drawn := must(t, b, chromedp.Evaluate[int](`document.querySelectorAll(".dense a").length`))
	if drawn < 20 {
		t.Errorf("%d products are drawn", drawn)
	}
	b.follow(t, `[aria-labelledby=groups] a`, `[aria-labelledby=near] .card-head a`)
	b.follow(t, `[aria-labelledby=near] .card-head a`, `.dense .best`)
	if near := must(t, b, chromedp.Evaluate[int](`document.querySelectorAll(".dense .near").length`)); near != 5 {
		t.Errorf("%d nearest products are ringed", near)
	}
	b.mustBeWell(t, "the explorer")
}

// testTwoWindows lets two customers use the storefront at the same time, each in a window of their own: what
// one does is not in the session of the other.
func (b *browser) testTwoWindows(t *testing.T) {
	b.mustGo(t, "/explore")
	customers := b.texts(t, `[aria-labelledby=some] a`)
	if len(customers) < 2 {
		t.Fatalf("the customers are %q", customers)
	}
	windows := []*browser{b.mustTab(t), b.mustTab(t)}
	strips, looked := make([]string, 2), make([]string, 2)
	for i, w := range windows {
		w.mustGo(t, "/shop")
		w.mustDo(t, chromedp.SendKeys(chromedp.CSS("#customer"), customers[i]))
		w.follow(t, `[aria-labelledby=who] button`, `[aria-labelledby=who] p a`)
	}
	for i, w := range windows { // both are logged in before anybody clicks
		tile := `[aria-labelledby=shelf] li:nth-child(` + strconv.Itoa(2*i+1) + `)`
		looked[i] = w.mustText(t, tile+" .tile-name")
		w.follow(t, tile+` button[value=view]`, `[aria-labelledby=sent] a`)
	}
	for i, w := range windows {
		w.mustDo(t, chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("h1")))
		strips[i] = w.mustText(t, `[aria-labelledby=strip] ul`)
		session := w.texts(t, `[aria-labelledby=session] li`)
		if len(session) != 1 || !strings.HasPrefix(session[0], looked[i]) {
			t.Errorf("window %d has the session %q, and looked at %s", i, session, looked[i])
		}
		if who := w.mustText(t, `[aria-labelledby=who] p`); !strings.Contains(who, customers[i]) {
			t.Errorf("window %d is %q, not %s", i, who, customers[i])
		}
		w.mustBeWell(t, "a window")
	}
	if strips[0] == strips[1] {
		t.Errorf("both windows show %q", strips[0])
	}
}

// testWithoutJavaScript opens all pages in a browser that runs no scripts, and uses the forms.
func (b *browser) testWithoutJavaScript(t *testing.T, pages []string) {
	w := b.mustTab(t)
	if _, err := chromedp.Call(w.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		w.mustGo(t, page)
		if text := w.mustText(t, "main"); len(text) < 40 {
			t.Errorf("%s has only %q", page, text)
		}
		bare := must(t, w, chromedp.Evaluate[int](`[...document.querySelectorAll(".chart")]
			.filter(c => c.querySelectorAll("table tbody tr").length === 0).length`))
		if bare > 0 {
			t.Errorf("%s has %d charts without a table", page, bare)
		}
	}
	w.mustGo(t, "/shop")
	w.follow(t, `[aria-labelledby=shelf] button[value=cart]`, `[aria-labelledby=sent] a`)
	if session := w.mustText(t, `[aria-labelledby=session]`); !strings.Contains(session, "in the cart") {
		t.Errorf("the session is %q", session)
	}
	w.mustGo(t, "/explore")
	w.follow(t, `[aria-labelledby=some] a`, "#filter")
	w.mustDo(t, chromedp.SendKeys(chromedp.CSS("#filter"), "product.available"))
	w.follow(t, `[aria-labelledby=try] button`, "#tried table")
	w.mustGo(t, "/stream")
	w.mustFinish(t, `form[action="/redrive/count"] button`)
	w.mustGo(t, "/")
	w.follow(t, `.theme button[value=dark]`, `html[data-theme=dark] h1`)
	w.follow(t, `.theme button[value=system]`, `html:not([data-theme]) h1`)
	w.mustBeWell(t, "without JavaScript")
}

// mustFinish presses a button that starts a task, and looks at the task until it is done. It returns what the task
// says. It needs no JavaScript.
func (b *browser) mustFinish(t *testing.T, button string) string {
	t.Helper()
	b.follow(t, button, `.notice[role=status]`)
	for b.exists(t, `.notice a[href^="/tasks/"]`) {
		b.mustDo(t, chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("h1")))
	}
	if !b.exists(t, ".notice.good") {
		t.Fatalf("the task ended as %q", b.mustText(t, "main"))
	}
	return b.mustText(t, ".notice.good")
}

func (b *browser) exists(t *testing.T, selector string) bool {
	t.Helper()
	return must(t, b, chromedp.Evaluate[bool](`document.querySelector(`+strconv.Quote(selector)+`) !== null`))
}
