package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/stream/shardreader"
)

// Description says what the program does, for its help.
const Description = "Proves that every event on the stream ended as a recommendation, in quarantine or among the failed batches."

// Command is `verify`. The default of --wait is for AWS, where an answer may take as long as this
// when nothing is wrong: the function's time limit and one retry of it (2 minutes), Firehose's
// buffering (1), and room for its delivery. An audit ends as soon as all is answered, so a stack
// without buffering waits for no more than the last answer.
type Command struct {
	envconfig.Stream
	envconfig.Recommendations
	Wait    time.Duration `default:"5m" help:"How old an unanswered event must be to count as lost: looks again until all is answered, or so long."`
	Since   string        `placeholder:"TIME" help:"Leave out what arrived earlier: a time (RFC 3339) or an age (15m). Default: all that the stream keeps."`
	Until   string        `placeholder:"TIME" help:"Leave out what arrived then or later, likewise."`
	Scratch string        `placeholder:"FOLDER" help:"Where facts lie while they are compared, 300 bytes an event. Default: the system's temporary folder."`
}

// Run audits, reports, and fails when an event is unaccounted for.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	options, err := c.options(time.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return err
	}
	store, err := objectstore.OpenSetting(ctx, "RECOMMENDATIONS_BUCKET", c.Bucket)
	if err != nil {
		return err
	}
	if !out.JSON {
		before := int64(-1)
		options.Looked = func(r Report) {
			if r.InFlight != before {
				fmt.Fprintf(out.Stderr, "%d of %d events in flight\n", r.InFlight, r.Events)
				before = r.InFlight
			}
		}
	}
	report, err := New(shardreader.New(awsclient.Kinesis(cfg), c.Name), store).Run(ctx, options)
	if err != nil {
		return err
	}
	if err := out.Result(report.String(), report); err != nil {
		return err
	}
	return report.Fault()
}

// options reads the flags and reports every problem at once.
func (c *Command) options(now time.Time) (Options, error) {
	o := Options{Wait: c.Wait, Scratch: c.Scratch}
	var problems []error
	var err error
	if o.Since, err = parseTime(c.Since, now); err != nil {
		problems = append(problems, fmt.Errorf("--since: %w", err))
	}
	if o.Until, err = parseTime(c.Until, now); err != nil {
		problems = append(problems, fmt.Errorf("--until: %w", err))
	}
	for problem, is := range map[error]bool{
		errors.New("--until is not after --since"):                !o.Until.IsZero() && !o.Until.After(o.Since),
		errors.New("--wait is negative"):                          c.Wait < 0,
		envconfig.NotSetError{Variable: "ACTIVITY_STREAM"}:        c.Name == "",
		envconfig.NotSetError{Variable: "RECOMMENDATIONS_BUCKET"}: c.Bucket == "",
	} {
		if is {
			problems = append(problems, problem)
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return o, errors.Join(problems...)
}

// parseTime reads a time or an age; "" is the zero time.
func parseTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if age, err := time.ParseDuration(s); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time like 2006-01-02T15:04:05Z nor an age like 15m", s)
	}
	return at, nil
}
