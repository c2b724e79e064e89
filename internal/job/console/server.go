package console

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"kindred/internal/platform/checksum"
	"kindred/internal/platform/logkey"
	"kindred/internal/serving/vectorstore"
)

// files are the templates, the style sheet and the modules of JavaScript.
//
//go:embed asset
var files embed.FS

// assetPath is where the static files are. They are the same for everybody.
const assetPath = "/asset/"

// themeCookie remembers light or dark.
const themeCookie = "kindred-theme"

// server holds what the pages need. It is safe for concurrent use.
type server struct {
	from      *sources
	readOnly  bool
	actor     string
	formToken string
	log       *slog.Logger
	tasks     tasks
	found     findings
	visitors  visitors
	templates map[string]*template.Template
	stamp     string // of the static files: their addresses change with them
	now       func() time.Time
}

// newServer parses the templates.
func newServer(from *sources, readOnly bool, actor string, log *slog.Logger) (*server, error) {
	s := &server{from: from, readOnly: readOnly, actor: actor, log: log, templates: map[string]*template.Template{},
		now: time.Now}
	var all bytes.Buffer
	err := fs.WalkDir(files, "asset/static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		all.Write(data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the static files: %w", err)
	}
	s.stamp = checksum.Bytes(all.Bytes())[:8]
	names, err := fs.Glob(files, "asset/template/*.html")
	if err != nil {
		return nil, fmt.Errorf("list the templates: %w", err)
	}
	for _, name := range names {
		base := path.Base(name)
		if base == "layout.html" {
			continue
		}
		t, err := template.New(base).Funcs(functions(s.now)).ParseFS(files, "asset/template/layout.html", name)
		if err != nil {
			return nil, fmt.Errorf("parse template %s: %w", base, err)
		}
		s.templates[base] = t
	}
	return s, nil
}

// route is an address of the console.
type route struct {
	method, path string
	handle       http.HandlerFunc
	writes       bool // it changes something: not with --read-only
}

func (s *server) routes() []route {
	return []route{
		{http.MethodGet, "/{$}", s.showOverview, false},
		{http.MethodGet, "/live.json", s.live, false},
		{http.MethodGet, "/data", s.showData, false},
		{http.MethodGet, "/models", s.showModels, false},
		{http.MethodGet, "/models/{version}", s.showVersion, false},
		{http.MethodPost, "/models/{version}/recall", s.measureRecall, false},
		{http.MethodGet, "/move/{action}", s.propose, false},
		{http.MethodPost, "/move/{action}", s.move, true},
		{http.MethodGet, "/explore", s.showExplore, false},
		{http.MethodGet, "/product", s.showProduct, false},
		{http.MethodGet, "/customer", s.showCustomer, false},
		{http.MethodGet, "/compare", s.showCompare, false},
		{http.MethodGet, "/map", s.showMap, false},
		{http.MethodGet, "/shop", s.showShop, false},
		{http.MethodPost, "/shop/act", s.act, true},
		{http.MethodGet, "/outcome", s.showOutcome, false},
		{http.MethodGet, "/stream", s.showStream, false},
		{http.MethodGet, "/events", s.showEvent, false},
		{http.MethodGet, "/letters", s.showLetters, false},
		{http.MethodPost, "/audit", s.startAudit, false},
		{http.MethodPost, "/redrive/count", s.countRedrive, false},
		{http.MethodPost, "/redrive", s.startRedrive, true},
		{http.MethodGet, "/tasks/{id}", s.showTask, false},
		{http.MethodPost, "/theme", s.theme, false},
		{http.MethodGet, assetPath + "{name}", s.asset, false},
	}
}

// handler answers the routes. The guard stands before it.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		handle := r.handle
		if r.writes && s.readOnly {
			handle = func(w http.ResponseWriter, r *http.Request) {
				s.refuse(w, r, http.StatusForbidden, "This console only reads. Start it without --read-only to change something.")
			}
		}
		mux.HandleFunc(r.method+" "+r.path, handle)
	}
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusNotFound, "There is no page at this address.")
	})
	return mux
}

// page is what the layout shows.
type page struct {
	Title     string
	Section   string // of the navigation
	Theme     string // "light", "dark" or "": as the system has it
	Path      string // of this page, to come back to
	FormToken string
	ReadOnly  bool
	Assets    string // the beginning of the static files' addresses
	Refresh   int    // seconds until the page loads itself again; 0: never
	Now       time.Time
	Body      any
}

// render writes a page.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.FormToken, p.ReadOnly, p.Path, p.Now = s.formToken, s.readOnly, r.URL.RequestURI(), s.now()
	p.Assets = assetPath + s.stamp + "-"
	if cookie, err := r.Cookie(themeCookie); err == nil && (cookie.Value == "light" || cookie.Value == "dark") {
		p.Theme = cookie.Value
	}
	var body bytes.Buffer
	if err := s.templates[name].ExecuteTemplate(&body, "layout", p); err != nil {
		s.log.ErrorContext(r.Context(), "page cannot be made", logkey.Route, r.Pattern, logkey.Error, err.Error())
		http.Error(w, "the page cannot be made; the program's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a browser that is gone needs no page
}

// refuse shows a sentence in the place of a page.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, status int, sentence string) {
	s.render(w, r, status, "refusal.html", page{Title: http.StatusText(status), Body: sentence})
}

// fail shows why a page cannot be shown.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, errUnknown) || errors.Is(err, errNoProduct) || errors.Is(err, errUnknownCustomer) ||
		errors.Is(err, vectorstore.ErrNoPrevious) || errors.Is(err, errOneVersion) {
		status = http.StatusNotFound
	}
	s.log.WarnContext(r.Context(), "page cannot be shown", logkey.Route, r.Pattern, logkey.Error, err.Error())
	s.refuse(w, r, status, said(err)+".")
}

func (s *server) showOverview(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "overview.html", page{Title: "Overview", Section: "/", Body: s.overview(r.Context())})
}

// live is what moves on the pages.
func (s *server) live(w http.ResponseWriter, _ *http.Request) {
	c := s.from.feed.Counts()
	data, err := json.Marshal(map[string]any{"events": c.Events, "answers": c.Answers, "dead": c.Dead(),
		"p50": c.LatencyMS.P50, "p99": c.LatencyMS.P99, "unknown": c.Unknown, "as_of": c.AsOf, "whole": c.Whole})
	if err != nil {
		panic(err) // numbers can always be encoded
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}

func (s *server) showModels(w http.ResponseWriter, r *http.Request) {
	list, err := s.modelList(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("from")) // what is no number is the beginning
	list.cut(from)
	s.render(w, r, http.StatusOK, "models.html", page{Title: "Models", Section: "/models", Body: list})
}

func (s *server) showVersion(w http.ResponseWriter, r *http.Request) {
	v, err := s.version(r.Context(), r.PathValue("version"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "version.html", page{Title: "Version " + v.ID, Section: "/models", Body: v})
}

// propose shows what a move of the live pointer would do, and asks for a reason.
func (s *server) propose(w http.ResponseWriter, r *http.Request) {
	m, err := s.proposed(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "move.html", page{Title: m.Title, Section: "/models", Body: m})
}

func (s *server) proposed(r *http.Request) (move, error) {
	if s.from.db == nil {
		return move{}, errors.New("PGVECTOR_DSN is not set: there is no vector database to change")
	}
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	return s.proposal(ctx, r.PathValue("action"), r.URL.Query().Get("version"))
}

// move starts what the form asks for, and leads to its page.
func (s *server) move(w http.ResponseWriter, r *http.Request) {
	m, err := s.proposed(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	started, problem := s.make(&m, r)
	if problem != "" {
		m.Problem = problem
		s.render(w, r, http.StatusUnprocessableEntity, "move.html", page{Title: m.Title, Section: "/models", Body: m})
		return
	}
	http.Redirect(w, r, "/tasks/"+started.ID, http.StatusSeeOther)
}

func (s *server) showTask(w http.ResponseWriter, r *http.Request) {
	t, ok := s.tasks.find(r.PathValue("id"))
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "This console knows no such task: it was started again, or the task is long "+
			"over. What was done is in the history.")
		return
	}
	p := page{Title: t.Title, Section: t.Back, Body: t}
	if t.Running() {
		p.Refresh = 1
	}
	s.render(w, r, http.StatusOK, "task.html", p)
}

// theme remembers light or dark, and returns to the page.
func (s *server) theme(w http.ResponseWriter, r *http.Request) {
	to := r.PostFormValue("to")
	//nolint:gosec // not Secure: on the loopback interface there is no TLS
	cookie := &http.Cookie{Name: themeCookie, Value: to, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true,
		SameSite: http.SameSiteStrictMode}
	if to != "light" && to != "dark" {
		cookie.Value, cookie.MaxAge = "", -1
	}
	http.SetCookie(w, cookie)
	back := r.PostFormValue("back")
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.Contains(back, "\\") {
		back = "/"
	}
	http.Redirect(w, r, back, http.StatusSeeOther) //nolint:gosec // it was just checked: a path of this host
}

// asset answers a static file. Its address has a hash of all of them, so that it may be kept for ever.
func (s *server) asset(w http.ResponseWriter, r *http.Request) {
	name, found := strings.CutPrefix(r.PathValue("name"), s.stamp+"-")
	data, err := files.ReadFile("asset/static/" + name)
	if !found || err != nil {
		s.refuse(w, r, http.StatusNotFound, "There is no file at this address.")
		return
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".js" {
		kind = "text/javascript; charset=utf-8" // some systems name it otherwise
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(data) //nolint:gosec // a file of this program
}
