package console

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// testPoison sends an event that asks for a placement which there is not. It is found among the dead letters,
// with what is wrong. Once the placement is published, the page sends it again, and it is answered under its id.
func (b *browser) testPoison(t *testing.T, folder string) {
	b.mustGo(t, "/shop")
	product := strings.TrimPrefix(must(t, b, chromedp.Evaluate[string](
		`document.querySelector("[aria-labelledby=shelf] .tile-name").getAttribute("href")`)), "/product?id=")
	product, err := url.QueryUnescape(product)
	if err != nil {
		t.Fatal(err)
	}
	placement := fmt.Sprintf("spot-%d", time.Now().UnixNano())
	id := "poison-" + placement
	event := fmt.Sprintf(`{"event_id":%q,"session_id":%q,"browse_history":[{"product_code":%q,"quantity":1}],`+
		`"kindred":{"placement":%q}}`, id, id, product, placement)
	mustRun(t, folder, "replay", "file", mustWrite(t, "events.jsonl", event+"\n"))

	link := fmt.Sprintf(`a[href="/events?id=%s"]`, id)
	b.mustReload(t, "/letters?reason=schema", `document.querySelector('`+link+`') !== null`)
	const letters = `a[href="/letters?reason=schema"]` // the page counts them from time to time
	b.mustReload(t, "/stream", `document.querySelector('`+letters+`') !== null`)
	b.follow(t, letters, link)
	b.follow(t, link, `[aria-labelledby=way]`)
	if way := b.mustText(t, "main"); !strings.Contains(way, "placement is none of") || !strings.Contains(way, placement) {
		t.Errorf("the event's page is %q", way)
	}

	file := "format: 1\nplacements:\n  " + placement + ":\n    limit: 3\n"
	mustRun(t, folder, "publish", "placements", mustWrite(t, "placements.yaml", file))
	b.mustGo(t, "/stream")
	if text := b.mustFinish(t, `form[action="/redrive/count"] button`); !strings.Contains(text, "Would send") {
		t.Fatalf("the count says %q", text)
	}
	b.follow(t, `main a.button`, `form[action="/redrive"] button`)
	t.Log(b.mustFinish(t, `form[action="/redrive"] button`))
	b.mustReload(t, "/events?id="+id, `document.querySelector("[aria-labelledby=items]") !== null`)
	if shown := b.texts(t, `[aria-labelledby=items] tbody tr`); len(shown) != 3 {
		t.Errorf("the placement was answered with %q", shown)
	}
	b.mustGo(t, "/letters?reason=schema")
	for _, letter := range b.texts(t, "main section") {
		if strings.Contains(letter, id) && !strings.Contains(letter, "sent again") {
			t.Errorf("the dead letter says %q", letter)
		}
	}
	b.mustBeWell(t, "the poison event")
}

// mustReload opens a page again and again until an expression of JavaScript holds on it.
func (b *browser) mustReload(t *testing.T, page, expression string) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		b.mustGo(t, page)
		if must(t, b, chromedp.Evaluate[bool](expression)) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: it is not so that %s: %s", page, expression, b.mustText(t, "main"))
		}
	}
}

func mustRun(t *testing.T, folder, program string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(folder, program), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

func mustWrite(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
