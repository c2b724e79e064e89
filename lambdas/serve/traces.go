//go:build !onlambda || traces

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"kindred/internal/platform/logkey"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

const (
	// endTraces bounds the time to send the last spans when the process is told to end.
	endTraces = 5 * time.Second
	// mostIDs bounds the ids of events in a span.
	mostIDs = 20
)

// errTraces is what is wrong with the variables of OpenTelemetry.
var errTraces = errors.New("set up traces")

// traces sends a span for each request, and one for what the recommender does of it, to a collector. They hold no
// address, no path and no id of a visitor: only the route, and the ids of events and recommendations. Where no
// collector is configured it is nil, and then costs nothing. It is safe for concurrent use.
type traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// newTraces reads the variables of OpenTelemetry
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). It is nil without an endpoint.
// atOnce sends each span as it ends; otherwise they are sent in batches, in the background.
func newTraces(ctx context.Context, log *slog.Logger, getenv func(string) string, atOnce bool) (*traces, error) {
	if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" ||
		strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if protocol := getenv(name); protocol != "" && protocol != "http/protobuf" {
			return nil, fmt.Errorf("%w: %s is %q, and serve speaks http/protobuf only", errTraces, name, protocol)
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTraces, err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "kindred-serve")),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTraces, errors.Join(err, exporter.Shutdown(ctx)))
	}
	send := sdktrace.WithSyncer
	if !atOnce {
		send = func(e sdktrace.SpanExporter) sdktrace.TracerProviderOption { return sdktrace.WithBatcher(e) }
	}
	lost := sample{kinds: map[string]*sampled{}}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		const message = "traces not sent"
		if ok, suppressed := lost.take(message, time.Now()); ok {
			log.Warn(message, logkey.Suppressed, suppressed, logkey.Error, err.Error())
		}
	}))
	provider := sdktrace.NewTracerProvider(send(exporter), sdktrace.WithResource(about))
	return &traces{provider, provider.Tracer("kindred/lambdas/serve")}, nil
}

// end sends what is left.
func (t *traces) end(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTraces)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// noted are the ids of one request. It is safe for concurrent use.
type noted struct {
	mu                      sync.Mutex
	events, recommendations []string
}

// notedOf is the key of a request's *noted in its context.
type notedOf struct{}

// handler makes a span of each request. A caller that has a span itself names it by the header traceparent.
func (t *traces) handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids := &noted{}
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(context.WithValue(ctx, notedOf{}, ids), "request",
			trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		r = r.WithContext(ctx)
		answered := &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(answered, r)
		if method, route, found := strings.Cut(r.Pattern, " "); found {
			span.SetName(r.Pattern)
			span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", answered.code))
		if answered.code >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		ids.mu.Lock()
		defer ids.mu.Unlock()
		if len(ids.events) > 0 {
			span.SetAttributes(attribute.StringSlice("kindred.event_ids", ids.events))
		}
		if len(ids.recommendations) > 0 {
			span.SetAttributes(attribute.StringSlice("kindred.recommendation_ids", ids.recommendations))
		}
	})
}

// watching notes ids, and makes a span of what the recommender does.
func (t *traces) watching() watching {
	if t == nil {
		return watching{}
	}
	return watching{func(r recommender) recommender { return tracedRecommender{r, t.tracer} },
		func(ctx context.Context, event, recommendation string) {
			ids, ok := ctx.Value(notedOf{}).(*noted)
			if !ok {
				return
			}
			ids.mu.Lock()
			defer ids.mu.Unlock()
			if len(ids.events) < mostIDs {
				ids.events = append(ids.events, event)
			}
			if recommendation != "" {
				ids.recommendations = append(ids.recommendations, recommendation)
			}
		}}
}

// tracedRecommender makes a span of each question. An error's text stays out of it: it may name what was asked.
type tracedRecommender struct {
	recommender
	tracer trace.Tracer
}

// question makes the span of a question, and returns what ends it.
func (t tracedRecommender) question(ctx context.Context, kind string) (context.Context, func(recommend.Answer, error)) {
	ctx, span := t.tracer.Start(ctx, "recommend", trace.WithAttributes(attribute.String("kindred.question", kind)))
	return ctx, func(a recommend.Answer, err error) {
		if err != nil {
			span.SetStatus(codes.Error, "")
		} else {
			span.SetAttributes(attribute.String("kindred.model_version", a.ModelVersion),
				attribute.String("kindred.source", string(a.Source)), attribute.Bool("kindred.stale", a.Stale))
		}
		span.End()
	}
}

func (t tracedRecommender) Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error) {
	ctx, end := t.question(ctx, "recommendations")
	answers, err := t.recommender.Batch(ctx, events)
	if len(answers) > 0 {
		end(answers[0], err)
	} else {
		end(recommend.Answer{}, err)
	}
	return answers, err
}

func (t tracedRecommender) Similar(ctx context.Context, code string, visitor *activity.Event,
	c *activity.Control) (recommend.SimilarAnswer, error) {
	ctx, end := t.question(ctx, "similar")
	answer, err := t.recommender.Similar(ctx, code, visitor, c)
	end(recommend.Answer{ModelVersion: answer.ModelVersion, Source: activity.SourceSimilar, Stale: answer.Stale}, err)
	return answer, err
}

func (t tracedRecommender) List(ctx context.Context, q recommend.ListQuery,
	c *activity.Control) (recommend.Answer, error) {
	ctx, end := t.question(ctx, "list")
	answer, err := t.recommender.List(ctx, q, c)
	end(answer, err)
	return answer, err
}

func (t tracedRecommender) Rerank(ctx context.Context, e *activity.Event, codes []string) (recommend.Reranked, error) {
	ctx, end := t.question(ctx, "rerank")
	answer, err := t.recommender.Rerank(ctx, e, codes)
	end(answer.Answer, err)
	return answer, err
}
