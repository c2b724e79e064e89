package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"kindred/internal/platform/checksum"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

const (
	// answerTime bounds the time to answer a request, from its arrival: a shop's page does not wait longer.
	answerTime = 5 * time.Second
	// maxSimilar is the most similar products that ?limit= may ask for.
	maxSimilar = 50
)

// recommender decides; package recommend documents the methods.
type recommender interface {
	Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error)
	Similar(ctx context.Context, code string, visitor *activity.Event,
		c *activity.Control) (recommend.SimilarAnswer, error)
	Facts(ctx context.Context, codes []string) (map[string]recommend.Facts, error)
	List(ctx context.Context, q recommend.ListQuery, c *activity.Control) (recommend.Answer, error)
	Rerank(ctx context.Context, e *activity.Event, codes []string) (recommend.Reranked, error)
}

// server holds what the routes need. It is safe for concurrent use.
type server struct {
	parts
	health health
	sample sample // of the log's lines about failed requests
}

// parts are what newHandler needs.
type parts struct {
	recommender recommender
	checker     checker // which /health asks
	recorder    recorder
	stream      stream         // that takes events; nil: none are taken
	keys        *keyring       // that callers need; nil: none
	shops       activity.Shops // an event of another shop is refused
	onlooker    watching       // that is told of ids
	log         *slog.Logger
	now         func() time.Time
}

// route is one operation of openapi.json, which describes its requests and answers. A test compares
// the two.
type route struct {
	method, path string
	handle       http.HandlerFunc
}

func (s *server) routes() []route {
	return []route{
		{http.MethodGet, "/customers/{id}/recommendations", s.customer},
		{http.MethodPost, "/recommendations", s.session},
		{http.MethodGet, "/products/{code}/similar", s.similar},
		{http.MethodGet, "/lists/{list}", s.list},
		{http.MethodGet, "/products/{code}/bought-together", s.together},
		{http.MethodGet, "/customers/{id}/recently-viewed", s.viewedByCustomer},
		{http.MethodGet, "/sessions/{id}/recently-viewed", s.viewedInSession},
		{http.MethodPost, "/rerank", s.rerank},
		{http.MethodPost, "/events", s.events},
		{http.MethodGet, "/health", s.healthy},
		{http.MethodGet, "/openapi.json", s.describe},
		{http.MethodGet, "/kindred.js", s.script},
	}
}

// newHandler makes the HTTP interface. Errors are application/problem+json (RFC 9457). Answers must not be
// stored: the next click, another model version or a sold-out product changes them.
func newHandler(p parts) http.Handler {
	s := &server{parts: p, health: health{checker: p.checker, now: p.now}, sample: sample{kinds: map[string]*sampled{}}}
	mux, methods := http.NewServeMux(), []string{}
	for _, route := range s.routes() {
		mux.HandleFunc(route.method+" "+route.path, s.only(parameters()[route.method+" "+route.path], route.handle))
		methods = append(methods, route.method)
	}
	slashes := s.slashes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTime)
		defer cancel()
		_, pattern := mux.Handler(r)
		handle := mux.ServeHTTP
		for _, slash := range slashes {
			if r.Method == http.MethodGet && strings.EqualFold(r.URL.EscapedPath(), slash.path) {
				pattern, handle = slash.pattern, slash.handle
			}
		}
		r.Pattern = pattern // also for whoever called this handler
		r, ok := s.pass(w, r.WithContext(ctx), pattern)
		switch {
		case !ok: // it is answered
		case path.Clean(r.URL.EscapedPath()) != r.URL.EscapedPath(): // the mux would redirect it
			s.notFound(w, r)
		case pattern == "":
			s.noRoute(w, r, mux, methods)
		default:
			handle(w, r)
		}
	})
}

// slash is the address of the product or the customer "/", the one id that a wildcard of the mux does not match.
type slash struct {
	path, pattern string
	handle        func(http.ResponseWriter, *http.Request)
}

func (s *server) slashes() []slash {
	of := func(path, pattern, wildcard string, handle http.HandlerFunc) slash {
		return slash{path, pattern, func(w http.ResponseWriter, r *http.Request) {
			r.SetPathValue(wildcard, "/")
			r.Pattern = pattern
			s.only(parameters()[pattern], handle)(w, r)
		}}
	}
	return []slash{
		of("/products/%2F/similar", "GET /products/{code}/similar", "code", s.similar),
		of("/customers/%2F/recommendations", "GET /customers/{id}/recommendations", "id", s.customer),
	}
}

// only refuses requests with other query parameters than a route takes.
func (s *server) only(takes []string, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, problem := parametersOf(r, takes); problem != "" {
			s.problem(w, r, http.StatusBadRequest, problem)
			return
		}
		handle(w, r)
	}
}

// noRoute answers what the mux would, 404 or 405, as a problem.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request, mux *http.ServeMux, methods []string) {
	for _, method := range methods {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" {
			w.Header().Set("Allow", method)
			s.problem(w, r, http.StatusMethodNotAllowed, "this path answers "+method+" only")
			return
		}
	}
	s.notFound(w, r)
}

func (s *server) notFound(w http.ResponseWriter, r *http.Request) {
	s.problem(w, r, http.StatusNotFound, "there is nothing at this path; GET /openapi.json lists what there is")
}

// customerAnswer is the body of a customer's recommendations. An unknown customer gets the popular
// products, never an error page.
type customerAnswer struct {
	RecommendationID *string         `json:"recommendation_id"` // nil: its record is not delivered
	CustomerID       any             `json:"customer_number"`   // see numberOr
	ModelVersion     string          `json:"model_version"`
	Source           activity.Source `json:"source"`
	UnknownCustomer  bool            `json:"unknown_customer,omitempty"`
	Stale            bool            `json:"stale,omitempty"` // the vector database is down
	RecommendedItems []recommended   `json:"recommended_items"`
	Cursor           string          `json:"cursor,omitempty"` // asks for the next page
}

func (s *server) customer(w http.ResponseWriter, r *http.Request) {
	arrived := s.now()
	id := activity.ID(r.PathValue("id"))
	if err := text.CheckID(string(id)); err != nil {
		s.problem(w, r, http.StatusBadRequest, "the customer's id in the path "+err.Error())
		return
	}
	control, ok := s.asked(w, r, activity.MaxAnswer)
	if !ok {
		return
	}
	page, problem := pageOf(r)
	if problem != "" {
		s.problem(w, r, http.StatusBadRequest, problem)
		return
	}
	page.customer = &id
	answers, err := s.recommender.Batch(r.Context(), []*activity.Event{{SessionID: page.sessionID, CustomerID: &id,
		Control: control}})
	if err != nil {
		s.unanswered(w, r, err)
		return
	}
	a := answers[0]
	products, err := s.recommended(r.Context(), viewOf(a.Fields), a)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	recommendation := s.attribute(r, page, a, arrived)
	s.write(w, r, customerAnswer{recommendation, numberOr(id), a.ModelVersion, a.Source, a.UnknownCustomer, a.Stale,
		products, a.Cursor})
}

// numberOr is the id as a number if it is one that every reader of JSON holds, else as a string. A
// shop whose customers have numbers gets numbers.
func numberOr(id activity.ID) any {
	if n, whole := text.Integer(string(id)); whole && -text.MaxInteger <= n && n <= text.MaxInteger {
		return n
	}
	return id
}

// event reads the activity event of a request. If it cannot be answered, it refuses it, and ok is false.
func (s *server) event(w http.ResponseWriter, r *http.Request) (data []byte, event *activity.Event, ok bool) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		s.problem(w, r, http.StatusUnsupportedMediaType,
			"send the activity event with the header Content-Type: application/json")
		return nil, nil, false
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, activity.MaxEventBytes+1))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) { // one byte too many is enough for Parse to refuse
		s.problem(w, r, http.StatusBadRequest, "the body ended early")
		return nil, nil, false
	}
	if event, err = activity.Parse(data); err != nil {
		s.refuse(w, r, err)
		return nil, nil, false
	}
	if event.Type != activity.TypeActivity {
		s.refuse(w, r, &activity.Fault{Reason: activity.ReasonSchema,
			Message: "an event with a type says something and is not answered: send it to the stream"})
		return nil, nil, false
	}
	if k := callerKey(r.Context()); k != nil && event.CustomerID != nil && !k.allows(scopeCustomers) {
		s.problem(w, r, http.StatusForbidden, "the key does not allow to ask for a customer: leave customer_number out")
		return nil, nil, false
	}
	item := activity.Item{Data: data, Event: event}
	if s.shops.Of(&item); item.Fault != nil {
		s.refuse(w, r, item.Fault)
		return nil, nil, false
	}
	return data, event, true
}

func (s *server) session(w http.ResponseWriter, r *http.Request) {
	arrived := s.now()
	data, event, ok := s.event(w, r)
	if !ok {
		return
	}
	answers, err := s.recommender.Batch(r.Context(), []*activity.Event{event})
	if err != nil {
		s.unanswered(w, r, err)
		return
	}
	if event.Control != nil && event.Control.Placements != nil {
		s.strips(w, r, data, event, answers[0], arrived)
		return
	}
	products, similar, err := s.shown(r.Context(), viewOf(answers[0].Fields), answers[0])
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	record := s.recordsOf(r, answers[0], data, event, arrived, nil)[0]
	delivered := s.deliver(r, &record)
	line, err := record.AppendShown(nil, products, similar, delivered)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	s.note(r, send(w, http.StatusOK, "application/json", line))
}

// unanswered answers a question that the recommender did not.
func (s *server) unanswered(w http.ResponseWriter, r *http.Request, err error) {
	var control *recommend.QueryError
	var refused *recommend.RefusedError
	switch {
	case errors.As(err, &control):
		s.problem(w, r, http.StatusBadRequest, control.Message)
	case errors.As(err, &refused):
		s.refuse(w, r, &activity.Fault{Reason: activity.ReasonRefused, Message: refused.Error()})
	default:
		s.unavailable(w, r, err)
	}
}

// refuse answers a record that Parse, or the database, does not accept.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var fault *activity.Fault
	if !errors.As(err, &fault) {
		s.unavailable(w, r, err)
		return
	}
	s.sendProblem(w, r, problem{Status: statusOf(fault.Reason), Detail: fault.Message, Reason: fault.Reason})
}

// statusOf is the status of a refused event.
func statusOf(reason activity.Reason) int {
	switch reason {
	case activity.ReasonTooLarge:
		return http.StatusRequestEntityTooLarge
	case activity.ReasonSchema, activity.ReasonRefused, activity.ReasonUnknownShop:
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadRequest
}

// similarAnswer is the body of a product's neighbours.
type similarAnswer struct {
	RecommendationID *string `json:"recommendation_id"` // see customerAnswer
	ModelVersion     string  `json:"model_version"`
	Stale            bool    `json:"stale,omitempty"`
	similarProducts
}

func (s *server) similar(w http.ResponseWriter, r *http.Request) {
	arrived := s.now()
	control, ok := s.asked(w, r, maxSimilar)
	if !ok {
		return
	}
	page, problem := pageOf(r)
	if problem != "" {
		s.problem(w, r, http.StatusBadRequest, problem)
		return
	}
	page.product = activity.ID(r.PathValue("code"))
	similar, err := s.recommender.Similar(r.Context(), r.PathValue("code"), page.visitor(), control)
	var query *recommend.QueryError
	var refused *recommend.RefusedError
	switch {
	case errors.As(err, &query):
		s.problem(w, r, http.StatusBadRequest, query.Message)
		return
	case errors.Is(err, recommend.ErrUnknownProduct) || errors.As(err, &refused):
		s.problem(w, r, http.StatusNotFound, "the live model does not know this product")
		return
	case err != nil:
		s.unavailable(w, r, err)
		return
	}
	alike, err := s.alike(r.Context(), viewOf(similar.Fields), similar.Items)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	id := s.attribute(r, page, recommend.Answer{Items: shownItems(similar.Items), Source: activity.SourceSimilar,
		ModelVersion: similar.ModelVersion, Stale: similar.Stale, Placement: similar.Placement, Query: similar.Query,
		Experiment: similar.Experiment, Arm: similar.Arm}, arrived)
	s.write(w, r, similarAnswer{id, similar.ModelVersion, similar.Stale, alike})
}

// healthAnswer names the versions that answer now.
type healthAnswer struct {
	Status string       `json:"status"`
	Live   share        `json:"live"`
	Canary *canaryShare `json:"canary,omitempty"`
}

// share is what a version answers.
type share struct {
	ModelVersion string  `json:"model_version"`
	Share        float64 `json:"share"` // of the sessions
}

// canaryShare is what the canary is to answer.
type canaryShare struct {
	share
	Failing bool `json:"failing,omitempty"` // it cannot: the live version answers its share too
}

// healthy answers whether the live version does, asked of the database as a visitor's request would.
func (s *server) healthy(w http.ResponseWriter, r *http.Request) {
	traffic, err := s.health.ask(r.Context())
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	answer := healthAnswer{Status: "ok", Live: share{traffic.Live.Version, 1}}
	if traffic.Canary != nil {
		answer.Canary = &canaryShare{share{traffic.Canary.Version, traffic.Share}, traffic.CanaryFault != nil}
		if traffic.CanaryFault == nil {
			answer.Live.Share = 1 - traffic.Share
		}
	}
	s.write(w, r, answer)
}

// openapi describes the interface. See https://spec.openapis.org/oas/v3.1.0.
//
//go:embed openapi.json
var openapi []byte

// describe answers the description of the interface. Only this answer may be stored; its ETag tells
// whether it has changed.
func (s *server) describe(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+checksum.Bytes(openapi)[:16]+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(openapi))
}

// unavailable logs the cause, which stays inside, and asks the caller to come back.
func (s *server) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	detail, retry, message := "recommendations are not available at the moment; try again", 1, "request failed"
	var busy *busyError
	switch {
	case errors.As(err, &busy):
		detail, message = "too many requests at the moment; try again later", "request turned away"
		retry = max(1, int(math.Ceil(busy.wait.Seconds())))
	case errors.Is(err, vectorstore.ErrNoLiveVersion) || errors.Is(err, vectorstore.ErrNotMigrated):
		detail = "no model version is live yet; train and publish one"
	case errors.Is(err, recommend.ErrNoFacts):
		detail = "filter, boost, diversity and min_share cannot be kept at the moment; ask without them, or try again"
	}
	if ok, suppressed := s.sample.take(message+r.Pattern, s.now()); ok {
		s.log.ErrorContext(r.Context(), message, logkey.Route, r.Pattern, logkey.Suppressed, suppressed,
			logkey.Error, err.Error())
	}
	w.Header().Set("Retry-After", strconv.Itoa(retry))
	s.problem(w, r, http.StatusServiceUnavailable, detail)
}

// problem is a problem document. It repeats nothing from the request but the name of a query parameter.
type problem struct {
	Title  string          `json:"title"`
	Status int             `json:"status"`
	Detail string          `json:"detail"`
	Reason activity.Reason `json:"reason,omitempty"` // of a refused record
}

func (s *server) problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	s.sendProblem(w, r, problem{Status: status, Detail: detail})
}

func (s *server) sendProblem(w http.ResponseWriter, r *http.Request, p problem) {
	s.note(r, p.write(w))
}

// write sends the problem. Its error says that the caller did not get it.
func (p problem) write(w http.ResponseWriter) error {
	p.Title = http.StatusText(p.Status)
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and a number can always be encoded
	}
	return send(w, p.Status, "application/problem+json", body)
}

func (s *server) write(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	s.note(r, send(w, http.StatusOK, "application/json", append(body, '\n')))
}

// note logs that the caller did not get an answer, if err says so.
func (s *server) note(r *http.Request, err error) {
	if err != nil {
		s.log.DebugContext(r.Context(), "caller went away", logkey.Error, err.Error())
	}
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) error {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
