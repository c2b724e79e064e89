//go:build !onlambda

package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// metricsPath is where Prometheus reads the metrics of the local program. The function has none: it writes
// CloudWatch's.
const metricsPath = "/metrics"

// metrics are what the local program counts for Prometheus. They hold no id of a visitor. It is safe for
// concurrent use.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	answers  *prometheus.CounterVec
	failed   *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "kindred_request_duration_seconds",
			Help:    "Time from a request's arrival to the end of its answer, by route and status code.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"route", "code"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kindred_answers_total",
			Help: "Lists of products, by the model version that answered, the experiment and the visitor's arm, the source " +
				"and the placement."},
			[]string{"model_version", "experiment", "arm", "source", "placement"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kindred_canary_failed_total",
			Help: "Recommendations that the canary was to give and could not: the live version gave them."},
			[]string{"experiment"}),
	}
	m.registry.MustRegister(m.requests, m.answers, m.failed, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler answers metricsPath, and counts what next answers.
func (m *metrics) handler(next http.Handler) http.Handler {
	read := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == metricsPath && r.Method == http.MethodGet {
			read.ServeHTTP(w, r)
			return
		}
		start, noted := time.Now(), &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(noted, r)
		m.requests.WithLabelValues(r.Pattern, strconv.Itoa(noted.code)).Observe(time.Since(start).Seconds())
	})
}

// watch counts what a recommender answers.
func (m *metrics) watch(r recommender) recommender { return watched{r, m} }

type watched struct {
	recommender
	metrics *metrics
}

func (w watched) Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error) {
	answers, err := w.recommender.Batch(ctx, events)
	for _, a := range answers {
		w.count(append([]recommend.Answer{a}, a.More...)...)
		if a.CanaryFailed {
			w.metrics.failed.WithLabelValues(a.Experiment).Inc()
		}
	}
	return answers, err
}

func (w watched) List(ctx context.Context, q recommend.ListQuery, c *activity.Control) (recommend.Answer, error) {
	a, err := w.recommender.List(ctx, q, c)
	if err == nil {
		w.count(a)
	}
	return a, err
}

func (w watched) Similar(ctx context.Context, code string, visitor *activity.Event,
	c *activity.Control) (recommend.SimilarAnswer, error) {
	a, err := w.recommender.Similar(ctx, code, visitor, c)
	if err == nil {
		w.count(recommend.Answer{ModelVersion: a.ModelVersion, Experiment: a.Experiment, Arm: a.Arm,
			Source: activity.SourceSimilar, Placement: a.Placement})
	}
	return a, err
}

// count counts lists of products.
func (w watched) count(lists ...recommend.Answer) {
	for _, a := range lists {
		w.metrics.answers.WithLabelValues(a.ModelVersion, a.Experiment, string(a.Arm), string(a.Source), a.Placement).Inc()
	}
}
