package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"kindred/internal/activity"
	"kindred/internal/recommend"

	"github.com/aws/aws-lambda-go/events"
)

// summary counts what became of a batch. A record that failed is counted again when it comes again.
type summary struct {
	events, recommended, quarantined, failed int
	sources                                  map[activity.Source]int
	version                                  string
}

func newSummary(events int) summary {
	return summary{events: events, sources: map[activity.Source]int{}}
}

func (s *summary) delivered(a recommend.Answer) {
	s.recommended++
	s.sources[a.Source]++
	s.version = a.ModelVersion
}

// metric is one of a batch's figures, in the embedded metric format that CloudWatch reads from the log. See
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
type metric struct {
	Name string
	Unit string
}

// metrics are the figures of metricLine, by their JSON names.
func metrics() []metric {
	return []metric{
		{"events", "Count"}, {"recommended", "Count"}, {"quarantined", "Count"}, {"failed", "Count"},
		{"source_session", "Count"}, {"source_customer", "Count"}, {"source_features", "Count"}, {"source_popularity", "Count"},
		{"duration_ms", "Milliseconds"}, {"iterator_age_ms", "Milliseconds"},
	}
}

type metricDirective struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

type metricLine struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []metricDirective
	} `json:"_aws"`
	Function         string  `json:"function"`
	ModelVersion     string  `json:"model_version,omitempty"`
	Events           int     `json:"events"`
	Recommended      int     `json:"recommended"`
	Quarantined      int     `json:"quarantined"`
	Failed           int     `json:"failed"`
	SourceSession    int     `json:"source_session"`
	SourceCustomer   int     `json:"source_customer"`
	SourceFeatures   int     `json:"source_features"`
	SourcePopularity int     `json:"source_popularity"`
	DurationMS       float64 `json:"duration_ms"`
	IteratorAgeMS    float64 `json:"iterator_age_ms"` // of the oldest record, when the batch came
}

// report writes one log line and one line of metrics for the batch. They hold counts and positions, nothing of the events.
func (h *handler) report(ctx context.Context, batch events.KinesisEvent, s summary, start time.Time, err error) {
	line := metricLine{
		Function: "recommend", ModelVersion: s.version,
		Events: s.events, Recommended: s.recommended, Quarantined: s.quarantined, Failed: s.failed,
		SourceSession: s.sources[activity.SourceSession], SourceCustomer: s.sources[activity.SourceCustomer],
		SourceFeatures: s.sources[activity.SourceFeatures], SourcePopularity: s.sources[activity.SourcePopularity],
		DurationMS: milliseconds(h.now().Sub(start)),
	}
	attrs := []slog.Attr{
		slog.Int("events", s.events), slog.Int("recommended", s.recommended), slog.Int("quarantined", s.quarantined),
		slog.Int("failed", s.failed), slog.Float64("duration_ms", line.DurationMS), slog.String("model_version", s.version),
	}
	if len(batch.Records) > 0 {
		oldest := position(batch.Records[0])
		line.IteratorAgeMS = milliseconds(start.Sub(oldest.ArrivedAt))
		attrs = append(attrs, slog.String("shard", oldest.Shard), slog.String("first_sequence_number", oldest.SequenceNumber))
	}
	level, message := slog.LevelInfo, "batch done"
	if err != nil {
		level, message = slog.LevelError, "batch incomplete"
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	h.log.LogAttrs(ctx, level, message, attrs...)

	line.AWS.Timestamp = start.UnixMilli()
	line.AWS.CloudWatchMetrics = []metricDirective{{Namespace: "kindred", Dimensions: [][]string{{"function"}}, Metrics: metrics()}}
	if err := json.NewEncoder(h.metrics).Encode(line); err != nil {
		h.log.LogAttrs(ctx, slog.LevelWarn, "metrics not written", slog.String("error", err.Error()))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
