package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"kindred/internal/activity"
	"kindred/internal/recommend"
)

const (
	// answerTime bounds the work for one request; a shop's page does not wait longer for its recommendations.
	answerTime = 5 * time.Second
	// defaultSimilar and maxSimilar are the number of similar products without ?limit=, and its upper bound.
	defaultSimilar = 5
	maxSimilar     = 50
	// streamHTTP stands in a record's position for the stream: this event came over HTTP.
	streamHTTP = "http"
)

// recommender decides; package recommend documents the methods.
type recommender interface {
	Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error)
	Similar(ctx context.Context, code string, limit int) (similar *activity.SimilarItems, version string, err error)
	Version(ctx context.Context) (string, error)
}

// server holds what the routes need. It is safe for concurrent use.
type server struct {
	recommender recommender
	log         *slog.Logger
	now         func() time.Time
}

// newHandler makes the HTTP interface:
//
//	GET  /customers/{number}/recommendations   what this customer may like
//	POST /recommendations                      an activity record; answers the recommendation record
//	GET  /products/{code}/similar?limit=5      the nearest products
//	GET  /health                               the live model version
//
// Errors are application/problem+json (RFC 9457). Answers must not be stored: the next click changes them.
func newHandler(r recommender, log *slog.Logger, now func() time.Time) http.Handler {
	s := &server{recommender: r, log: log, now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /customers/{number}/recommendations", s.customer)
	mux.HandleFunc("POST /recommendations", s.session)
	mux.HandleFunc("GET /products/{code}/similar", s.similar)
	mux.HandleFunc("GET /health", s.health)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTime)
		defer cancel()
		if _, pattern := mux.Handler(r); pattern == "" {
			s.noRoute(w, r, mux)
			return
		}
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

// noRoute answers what the mux would, 404 or 405, as a problem.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" {
			w.Header().Set("Allow", method)
			s.problem(w, r, http.StatusMethodNotAllowed, "this path answers "+method+" only")
			return
		}
	}
	s.problem(w, r, http.StatusNotFound, "there is nothing at this path")
}

// customerAnswer is the body of a customer's recommendations. An unknown customer gets the popular products: nobody is met
// with an error page.
type customerAnswer struct {
	CustomerNumber   int32                      `json:"customer_number"`
	ModelVersion     string                     `json:"model_version"`
	Source           activity.Source            `json:"source"`
	RecommendedItems []activity.RecommendedItem `json:"recommended_items"`
}

func (s *server) customer(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("number"), 10, 32)
	if err != nil {
		s.problem(w, r, http.StatusBadRequest, "the customer's number is no 32-bit integer")
		return
	}
	number := int32(n)
	answers, err := s.recommender.Batch(r.Context(), []*activity.Event{{CustomerNumber: &number}})
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	a := answers[0]
	s.write(w, r, customerAnswer{number, a.ModelVersion, a.Source, a.Items})
}

func (s *server) session(w http.ResponseWriter, r *http.Request) {
	arrived := s.now()
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, activity.MaxEventBytes+1))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) { // one byte too many is enough for Parse to refuse
		s.problem(w, r, http.StatusBadRequest, "the body ended early")
		return
	}
	event, err := activity.Parse(data)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	answers, err := s.recommender.Batch(r.Context(), []*activity.Event{event})
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	// The request's place in the "stream" is random, so that an event without an id gets one of its own.
	p := activity.Position{Stream: streamHTTP, Shard: streamHTTP, SequenceNumber: rand.Text(),
		PartitionKey: event.SessionID, ArrivedAt: arrived.UTC()}
	line, err := answers[0].Record(data, event, p, s.now()).AppendLine(nil)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, "application/json", line)
}

// refuse answers a record that Parse does not take.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var fault *activity.Fault
	switch {
	case !errors.As(err, &fault):
		s.unavailable(w, r, err)
	case fault.Reason == activity.ReasonTooLarge:
		s.problem(w, r, http.StatusRequestEntityTooLarge, fault.Message)
	case fault.Reason == activity.ReasonSchema:
		s.problem(w, r, http.StatusUnprocessableEntity, fault.Message)
	default:
		s.problem(w, r, http.StatusBadRequest, fault.Message)
	}
}

// similarAnswer is the body of a product's neighbours.
type similarAnswer struct {
	ModelVersion string `json:"model_version"`
	activity.SimilarItems
}

func (s *server) similar(w http.ResponseWriter, r *http.Request) {
	limit := defaultSimilar
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxSimilar {
			s.problem(w, r, http.StatusBadRequest, "limit is no number from 1 to "+strconv.Itoa(maxSimilar))
			return
		}
		limit = n
	}
	similar, version, err := s.recommender.Similar(r.Context(), r.PathValue("code"), limit)
	if errors.Is(err, recommend.ErrUnknownProduct) {
		s.problem(w, r, http.StatusNotFound, "the live model does not know this product")
		return
	}
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	s.write(w, r, similarAnswer{version, *similar})
}

func (s *server) health(w http.ResponseWriter, r *http.Request) {
	version, err := s.recommender.Version(r.Context())
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	s.write(w, r, struct {
		Status       string `json:"status"`
		ModelVersion string `json:"model_version"`
	}{"ok", version})
}

// unavailable logs the cause, which stays inside, and asks the caller to come back.
func (s *server) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	s.log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "error", err.Error())
	w.Header().Set("Retry-After", "1")
	s.problem(w, r, http.StatusServiceUnavailable, "recommendations are not available at the moment; try again")
}

// problem answers with a problem document. detail holds nothing of the request's data.
func (s *server) problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
	if err != nil {
		panic(err) // two strings and a number can always be encoded
	}
	s.send(w, r, status, "application/problem+json", body)
}

func (s *server) write(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, "application/json", append(body, '\n'))
}

func (s *server) send(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.DebugContext(r.Context(), "caller went away", "error", err.Error())
	}
}
