// Package armmetric counts the answers of an experiment's arms for CloudWatch. It owns the names of these
// metrics and their dimensions. The function's other metrics are its own; what Prometheus reads is serve's.
//
// Each line is in the embedded metric format, which CloudWatch reads from a function's log:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
// CloudWatch keeps, and charges, each combination of dimensions apart. Their number is bounded: a line is
// written only while an experiment runs, and then there are two arms and the two versions that answer them.
package armmetric

import (
	"io"
	"strconv"
	"time"

	"kindred/internal/platform/logkey"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// Counts are the answers of the arms since the last line. The zero value has none. It is not safe for
// concurrent use.
type Counts struct {
	of []count
}

// count is what one version answered in an arm.
type count struct {
	experiment, arm, version string
	answers, fallbacks       int
}

// Add counts an answer, if its visitor takes part in an experiment. A fallback is an answer in the arm that
// popularity gave, or another version in place of the arm's.
func (c *Counts) Add(a recommend.Answer) {
	if a.Experiment == "" || a.Source == activity.SourceState { // no version has answered
		return
	}
	fallback := 0
	if a.CanaryFailed || a.Source == activity.SourcePopularity {
		fallback = 1
	}
	for i := range c.of {
		if n := &c.of[i]; n.experiment == a.Experiment && n.arm == string(a.Arm) && n.version == a.ModelVersion {
			n.answers, n.fallbacks = n.answers+1, n.fallbacks+fallback
			return
		}
	}
	c.of = append(c.of, count{a.Experiment, string(a.Arm), a.ModelVersion, 1, fallback})
}

// Write writes a line for each arm and version; none without an experiment. function is the name of the
// Lambda function, which the environment is part of: an alarm of one environment does not see another's.
func (c *Counts) Write(out io.Writer, function string, at time.Time) error {
	if len(c.of) == 0 {
		return nil
	}
	var lines []byte
	for _, n := range c.of {
		lines = append(lines, `{"_aws":{"Timestamp":`...)
		lines = strconv.AppendInt(lines, at.UnixMilli(), 10)
		lines = append(lines, `,"CloudWatchMetrics":[{"Namespace":"kindred","Dimensions":[["`+logkey.Function+`","`+
			logkey.Arm+`"],["`+logkey.Function+`","`+logkey.ModelVersion+`","`+logkey.Arm+`"]],"Metrics":[{"Name":"`+
			logkey.ArmAnswers+`","Unit":"Count"},{"Name":"`+logkey.ArmFallbacks+`","Unit":"Count"}]}]}`...)
		for _, text := range [][2]string{{logkey.Function, function}, {logkey.Experiment, n.experiment}, {logkey.Arm, n.arm},
			{logkey.ModelVersion, n.version}} {
			lines = append(append(append(lines, `,"`...), text[0]...), `":`...)
			lines = strconv.AppendQuote(lines, text[1])
		}
		lines = append(lines, `,"`+logkey.ArmAnswers+`":`...)
		lines = strconv.AppendInt(lines, int64(n.answers), 10)
		lines = append(lines, `,"`+logkey.ArmFallbacks+`":`...)
		lines = append(strconv.AppendInt(lines, int64(n.fallbacks), 10), "}\n"...)
	}
	_, err := out.Write(lines)
	return err
}
