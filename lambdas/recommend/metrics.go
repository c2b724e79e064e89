package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"kindred/internal/platform/logkey"
	"kindred/internal/serving/armmetric"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
)

// summary counts what became of a batch. A record that is given back is counted again when it comes again.
type summary struct {
	events, recommended, quarantined, retried int
	otherShop                                 int // events of other shops, which are not among events
	canaryFailed                              int // events that the live version answered in the canary's place
	unknownProducts, unknownCustomers         int
	sources                                   [len(sourceKeys)]int // in the order of sourceKeys
	versions                                  []versionCount
	arms                                      armmetric.Counts
	parse, recommend, deliver, quarantine     time.Duration
}

// versionCount is how many events a model version answered; there are at most two versions, and
// more only while they change.
type versionCount struct {
	version string
	events  int
}

// sourceKeys are the sources with their metrics.
var sourceKeys = [...]struct {
	source activity.Source
	key    string
}{
	{activity.SourceSession, logkey.SourceSession}, {activity.SourceCustomer, logkey.SourceCustomer},
	{activity.SourceFeatures, logkey.SourceFeatures}, {activity.SourcePopularity, logkey.SourcePopularity},
	{activity.SourceState, logkey.SourceState},
}

func (s *summary) delivered(a recommend.Answer) {
	s.recommended++
	s.arms.Add(a)
	if a.CanaryFailed {
		s.canaryFailed++
	}
	s.unknownProducts += a.UnknownProducts
	if a.UnknownCustomer {
		s.unknownCustomers++
	}
	for i := range sourceKeys {
		if sourceKeys[i].source == a.Source {
			s.sources[i]++
		}
	}
	if a.Source == activity.SourceState {
		return // no version has answered
	}
	for i := range s.versions {
		if s.versions[i].version == a.ModelVersion {
			s.versions[i].events++
			return
		}
	}
	s.versions = append(s.versions, versionCount{a.ModelVersion, 1})
}

// version is the one that answered most events, "" when none did.
func (s *summary) version() string {
	if len(s.versions) == 0 {
		return ""
	}
	return slices.MaxFunc(s.versions, func(a, b versionCount) int { return a.events - b.events }).version
}

// timed adds the time since start to a step's.
func (h *handler) timed(step *time.Duration, start time.Time) { *step += h.now().Sub(start) }

// metric is one of a batch's figures.
type metric struct {
	key   string
	value float64
}

// units of the figures, as CloudWatch names them.
const (
	count        = "Count"
	milliseconds = "Milliseconds"
)

// report writes one log line and one line of metrics for the batch. They hold counts and positions,
// nothing of the events.
func (h *handler) report(ctx context.Context, batch events.KinesisEvent, s *summary, start time.Time, err error) {
	counts := []metric{{logkey.Events, float64(s.events)}, {logkey.Recommended, float64(s.recommended)},
		{logkey.Quarantined, float64(s.quarantined)}, {logkey.Retried, float64(s.retried)},
		{logkey.OtherShop, float64(s.otherShop)},
		{logkey.CanaryFailed, float64(s.canaryFailed)}, {logkey.UnknownProducts, float64(s.unknownProducts)},
		{logkey.UnknownCustomers, float64(s.unknownCustomers)}}
	times := []metric{{logkey.Duration, ms(h.now().Sub(start))}, {logkey.Parse, ms(s.parse)},
		{logkey.Recommend, ms(s.recommend)},
		{logkey.Deliver, ms(s.deliver)}, {logkey.Quarantine, ms(s.quarantine)}}
	attrs := make([]slog.Attr, 0, len(counts)+len(times)+4)
	for _, m := range slices.Concat(counts, times) {
		attrs = append(attrs, slog.Float64(m.key, m.value))
	}
	attrs = append(attrs, slog.String(logkey.ModelVersion, s.version()))
	for i, n := range s.sources {
		counts = append(counts, metric{sourceKeys[i].key, float64(n)})
	}
	if len(batch.Records) > 0 {
		oldest := position(batch.Records[0])
		times = append(times, metric{logkey.IteratorAge, ms(start.Sub(oldest.ArrivedAt))})
		attrs = append(attrs, slog.String(logkey.Shard, oldest.Shard), slog.String(logkey.First, oldest.SequenceNumber))
	}
	level, message := slog.LevelInfo, "batch done"
	if err != nil {
		level, message = slog.LevelError, "batch incomplete"
		attrs = append(attrs, slog.String(logkey.Error, err.Error()))
	}
	h.log.LogAttrs(ctx, level, message, attrs...)
	if err := errors.Join(writeMetrics(h.metrics, h.name, start, counts, times, s),
		s.arms.Write(h.metrics, h.name, start)); err != nil {
		h.log.LogAttrs(ctx, slog.LevelWarn, "metrics not written", slog.String(logkey.Error, err.Error()))
	}
}

// writeMetrics writes a line in the embedded metric format, which CloudWatch reads from the log.
// See
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
// The dimension is the function's own name, which the environment is part of: an alarm of one
// environment does not see another's. The model versions are properties of the line, not dimensions:
// each new one would make, and cost, a new set of metrics. Package armmetric counts what an experiment needs.
func writeMetrics(out io.Writer, function string, at time.Time, counts, times []metric,
	s *summary) error {
	line := make([]byte, 0, 2<<10)
	line = append(line, `{"_aws":{"Timestamp":`...)
	line = strconv.AppendInt(line, at.UnixMilli(), 10)
	line = append(line, `,"CloudWatchMetrics":[{"Namespace":"kindred","Dimensions":[["`+logkey.Function+
		`"]],"Metrics":[`...)
	line = appendNames(appendNames(line, counts, count), times, milliseconds)
	line[len(line)-1] = ']' // the last comma
	line = append(line, `}]},"`+logkey.Function+`":`...)
	line = strconv.AppendQuote(line, function)
	line = append(line, `,"`+logkey.ModelVersion+`":`...)
	line = strconv.AppendQuote(line, s.version())
	line = append(line, `,"`+logkey.Versions+`":{`...)
	for i, v := range s.versions {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(strconv.AppendQuote(line, v.version), ':')
		line = strconv.AppendInt(line, int64(v.events), 10)
	}
	line = append(line, '}')
	line = append(appendValues(appendValues(line, counts), times), "}\n"...)
	_, err := out.Write(line)
	return err
}

func appendNames(line []byte, metrics []metric, unit string) []byte {
	for _, m := range metrics {
		line = append(append(append(line, `{"Name":"`...), m.key...), `","Unit":"`...)
		line = append(append(line, unit...), `"},`...)
	}
	return line
}

func appendValues(line []byte, metrics []metric) []byte {
	for _, m := range metrics {
		line = append(append(append(line, `,"`...), m.key...), `":`...)
		line = strconv.AppendFloat(line, m.value, 'f', -1, 64)
	}
	return line
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
