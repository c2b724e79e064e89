package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"kindred/internal/awsclient"
	"kindred/internal/envconfig"
	"kindred/internal/objectstore"
	"kindred/internal/program"
	"kindred/internal/shardreader"
)

// Description says what the program does, for its help.
const Description = "Proves that every event on the stream ended as a recommendation, in quarantine or among the failed batches."

// Command is the program's grammar.
type Command struct {
	envconfig.Stream
	envconfig.Recommendations
	Wait  time.Duration `default:"60s" help:"How old an unanswered event must be to count as lost. Looks again until nothing is in flight, or so long."`
	Since string        `placeholder:"TIME" help:"Leave out what arrived earlier: a time (RFC 3339) or an age (15m)."`
}

// Run audits, reports, and fails when an event is unaccounted for.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return fmt.Errorf("%w: --since: %w", program.ErrConfig, err)
	}
	if c.Name == "" || c.Bucket == "" {
		return fmt.Errorf("%w: set ACTIVITY_STREAM and RECOMMENDATIONS_BUCKET", program.ErrConfig)
	}
	if c.Wait < 0 {
		return fmt.Errorf("%w: --wait is negative", program.ErrConfig)
	}
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return err
	}
	store, err := objectstore.Open(ctx, c.Bucket)
	if err != nil {
		return err
	}
	options := Options{Since: since, Wait: c.Wait}
	if !out.JSON {
		before := int64(-1)
		options.Looked = func(r Report) {
			if r.InFlight != before {
				fmt.Fprintf(out.Stderr, "%d of %d events in flight\n", r.InFlight, r.Events)
				before = r.InFlight
			}
		}
	}
	report, err := New(shardreader.New(kinesis.NewFromConfig(cfg), c.Name), store).Run(ctx, options)
	if err != nil {
		return err
	}
	if err := out.Result(report.String(), report); err != nil {
		return err
	}
	return report.Fault()
}

func parseSince(s string, now time.Time) (time.Time, error) {
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
