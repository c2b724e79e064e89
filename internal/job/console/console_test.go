package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/console/guard"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend/recommendtest"
)

// shown is a console on folders, and a browser that was let in.
type shown struct {
	handler http.Handler
	server  *server
	cookies []*http.Cookie
}

// mustShow makes the console of a command, without its loops.
func mustShow(t *testing.T, c RunCommand) *shown {
	t.Helper()
	c.Window = time.Hour
	from, err := c.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(from.close)
	s, err := newServer(from, c.ReadOnly, "ann", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.tasks.ctx = t.Context()
	gate := guard.New("127.0.0.1:8090", nil, s.log, s.refuse)
	s.formToken = gate.FormToken()
	b := &shown{handler: gate.Protect(gate.Logged(s.handler()), assetPath), server: s}
	_, got := b.ask(t, http.MethodGet, "/?"+gate.Query(), nil)
	b.cookies = got.cookies
	return b
}

// answer is a page as it came.
type answer struct {
	code    int
	header  http.Header
	cookies []*http.Cookie
}

func (b *shown) ask(t *testing.T, method, target string, form url.Values) (string, answer) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	r.Host = "127.0.0.1:8090"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, cookie := range b.cookies {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	result := w.Result()
	body, err := io.ReadAll(result.Body)
	if err := errors.Join(err, result.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(body), answer{result.StatusCode, result.Header, result.Cookies()}
}

// mustPage asks for a page, and returns it without marks.
func (b *shown) mustPage(t *testing.T, target string, want int) string {
	t.Helper()
	body, got := b.ask(t, http.MethodGet, target, nil)
	if got.code != want {
		t.Fatalf("GET %s: %d, want %d: %s", target, got.code, want, plain(body))
	}
	return plain(body)
}

var marks = regexp.MustCompile(`<[^>]*>`)

func plain(body string) string {
	return html.UnescapeString(strings.Join(strings.Fields(marks.ReplaceAllString(body, " ")), " "))
}

func folders(t *testing.T) RunCommand {
	t.Helper()
	place := "file://" + t.TempDir()
	return RunCommand{Sources: Sources{Lake: envconfig.Lake{Bucket: place}, Artifacts: envconfig.Artifacts{Bucket: place},
		Recommendations: envconfig.Recommendations{Bucket: place}}}
}

func TestAnEmptyPlaceSaysWhatToDo(t *testing.T) {
	t.Parallel()
	b := mustShow(t, folders(t))
	page := b.mustPage(t, "/", http.StatusOK)
	for _, want := range []string{"run `make etl`", "run `make train`", "PGVECTOR_DSN is not set",
		"ACTIVITY_STREAM is not set", "Nothing needs a look"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in %s", want, page)
		}
	}
	if _, err := (&Sources{Window: time.Hour}).open(t.Context()); err == nil {
		t.Error("a console of nothing was opened")
	}
}

func TestAVersionIsShownWithoutADatabase(t *testing.T) {
	t.Parallel()
	c := folders(t)
	store, err := objectstore.Open(t.Context(), c.Artifacts.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	v := recommendtest.Version("m100000000000001")
	if _, err := modelfile.Write(t.Context(), commit.NewRepository(store, envconfig.ModelPrefix), v,
		t.TempDir()); err != nil {
		t.Fatal(err)
	}
	b := mustShow(t, c)
	if page := b.mustPage(t, "/models", http.StatusOK); !strings.Contains(page, v.ID) {
		t.Errorf("the list is %s", page)
	}
	if page := b.mustPage(t, "/models/"+v.ID, http.StatusOK); !strings.Contains(page, "not loaded") {
		t.Errorf("the version is %s", page)
	}
	b.mustPage(t, "/models/m200000000000002", http.StatusNotFound)
	b.mustPage(t, "/models/..%2Fx", http.StatusNotFound)
	b.mustPage(t, "/nothing", http.StatusNotFound)
}

func TestDamageIsSaidAndHidesNoOtherStation(t *testing.T) {
	t.Parallel()
	c := folders(t)
	root := strings.TrimPrefix(c.Lake.Bucket, "file://")
	if err := os.MkdirAll(filepath.Join(root, "training-set"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "training-set", "CURRENT"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	page := mustShow(t, c).mustPage(t, "/", http.StatusOK)
	if !strings.Contains(page, "2 stations need a look") || !strings.Contains(page, "names no run") ||
		!strings.Contains(page, "run `make train`") {
		t.Errorf("the page is %s", page)
	}
}

// TestReadOnlyWritesNothing asks for everything that changes something.
func TestReadOnlyWritesNothing(t *testing.T) {
	t.Parallel()
	c := folders(t)
	c.ReadOnly = true
	b := mustShow(t, c)
	tried := 0
	for _, r := range b.server.routes() {
		if !r.writes {
			continue
		}
		tried++
		target := strings.NewReplacer("{action}", "rollback", "{id}", "x").Replace(r.path)
		body, got := b.ask(t, r.method, target, url.Values{guard.FormField: {b.server.formToken}, "reason": {"because"}})
		if got.code != http.StatusForbidden || !strings.Contains(body, "only reads") {
			t.Errorf("%s %s: %d", r.method, target, got.code)
		}
	}
	if tried == 0 {
		t.Error("nothing writes")
	}
	reads := []string{"/theme", "/audit", "/redrive/count", "/models/{version}/recall"}
	for _, r := range b.server.routes() {
		if r.method != http.MethodGet && !r.writes && !slices.Contains(reads, r.path) {
			t.Errorf("%s %s may change something with --read-only", r.method, r.path)
		}
	}
}

func TestTheThemeIsKeptAndLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	b := mustShow(t, folders(t))
	for back, want := range map[string]string{"/models": "/models", "//evil.example": "/", `/\evil.example`: "/",
		"https://evil.example": "/", "": "/"} {
		_, got := b.ask(t, http.MethodPost, "/theme", url.Values{guard.FormField: {b.server.formToken}, "to": {"dark"},
			"back": {back}})
		if got.code != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("back to %q: %d %q", back, got.code, got.header.Get("Location"))
		}
		b.cookies = append(b.cookies, got.cookies...)
	}
	if body, _ := b.ask(t, http.MethodGet, "/", nil); !strings.Contains(body, `data-theme="dark"`) {
		t.Error("the page is not dark")
	}
}

// TestPagesLoadOnlyWhatIsServed looks at every template and style sheet: another host's address, a script
// or a style within the page would be refused by the page's policy.
func TestPagesLoadOnlyWhatIsServed(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`(?i)<script>|<style| style=|\son[a-z]+=|(src|href|action)="(https?:)?//|@import|url\(`)
	seen := 0
	err := fs.WalkDir(files, "asset", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".html") && !strings.HasSuffix(name, ".css") {
			return err
		}
		data, err := files.ReadFile(name)
		if strings.HasSuffix(name, "/report.html") {
			data = bytes.Replace(data, []byte("<style>"), nil, 1) // a report stands alone
		}
		if found := forbidden.FindString(string(data)); found != "" {
			t.Errorf("%s has %q", name, found)
		}
		seen++
		return err
	})
	if err != nil || seen < 5 {
		t.Errorf("looked at %d files: %v", seen, err)
	}
	b := mustShow(t, folders(t))
	body, _ := b.ask(t, http.MethodGet, "/", nil)
	for _, link := range regexp.MustCompile(`(?:src|href)="(/asset/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		if _, got := b.ask(t, http.MethodGet, link[1], nil); got.code != http.StatusOK ||
			!strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d", link[1], got.code)
		}
	}
}

func TestOneTaskRunsAtATime(t *testing.T) {
	t.Parallel()
	all := tasks{ctx: t.Context()}
	release := make(chan struct{})
	first, ok := all.start("first", "/", func(context.Context) (string, error) { <-release; return "done it", nil })
	if !ok || !first.Running() {
		t.Fatal("the first did not start")
	}
	if other, ok := all.start("second", "/", nil); ok || other.ID != first.ID {
		t.Error("a second one started")
	}
	close(release)
	all.wait()
	if ended, ok := all.find(first.ID); !ok || ended.Running() || ended.Text != "done it" || ended.Fault != "" {
		t.Errorf("it ended as %+v", ended)
	}
	for i := range 2 * keptTasks {
		one, ok := all.start(fmt.Sprint(i), "/", func(context.Context) (string, error) { return "", errors.New("no") })
		all.wait()
		if ended, found := all.find(one.ID); !ok || !found || ended.Fault != "no" {
			t.Fatalf("task %d ended as %+v", i, ended)
		}
	}
	if _, ok := all.find(first.ID); ok || len(all.all) != keptTasks {
		t.Errorf("%d tasks are kept", len(all.all))
	}
}
