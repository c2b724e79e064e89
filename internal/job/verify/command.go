package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/kinesisclient"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardreader"
)

// Description says what the program does, for its help.
const Description = "Prove that every event on the stream ended as a recommendation, in quarantine or in a " +
	"failed batch."

// Command is `verify`. The default of --wait is for AWS, where an answer may take as long as this
// when nothing is wrong: the function's time limit and one retry of it (2 minutes), Firehose's
// buffering (1), and room for its delivery. An audit ends as soon as all is answered, so a stack
// without buffering waits for no more than the last answer.
type Command struct {
	envconfig.Stream
	envconfig.Recommendations
	Shop       envconfig.OnlyShop     `embed:"" set:"shop_use=Account for the events of this shop only; other shops share the stream. Default: account for all events"`
	Shared     envconfig.SharedStream `embed:""`
	PGVector   envconfig.PGVector     `embed:"" set:"pgvector_use=optional; with it, verify checks that every answer names a version that was published"`
	Artifacts  envconfig.Artifacts    `embed:"" set:"artifacts_use=optional; without a vector database, verify checks here that every answer names a version that exists"`
	Erased     erased.Setting         `embed:""`
	Wait       time.Duration          `default:"5m" help:"Wait until every event is answered or is older than this. An unanswered event that is older counts as lost."`
	Since      string                 `placeholder:"TIME" help:"Ignore events that arrived before this time. Give a time (2026-03-01T12:00:00Z) or an age (15m means 15 minutes ago). Default: all that the stream keeps."`
	Until      string                 `placeholder:"TIME" help:"Ignore events that arrived at this time or later. Give a time (2026-03-01T12:00:00Z) or an age (15m means 15 minutes ago). Default: everything up to now."`
	MaxUnknown float64                `default:"0.05" help:"Fail if more than this share (0 to 1) of the products that events name are unknown to the models that answered. An event whose products are all unknown is still answered, but without its session. 1 sets no limit."`
	IDs        string                 `name:"ids" placeholder:"FILE" help:"File of the recommendation ids that callers of serve got, one per line. Fail unless exactly these were delivered in the audited time."`
	ScratchDir string                 `aliases:"scratch" placeholder:"FOLDER" help:"Folder for temporary files, about 300 bytes per event. Default: the system's temporary folder."`
}

// Run audits, reports, and fails when an event is unaccounted for.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	var looked func(Report)
	if !out.JSON {
		before := int64(-1)
		looked = func(r Report) {
			if r.InFlight != before {
				fmt.Fprintf(out.Stderr, "%d of %d events in flight\n", r.InFlight, r.Events)
				before = r.InFlight
			}
		}
	}
	report, err := c.Audit(ctx, out.Log, looked)
	if err != nil {
		return err
	}
	if err := out.Result(report.String(), report); err != nil {
		return err
	}
	return report.Fault()
}

// Audit is Run without what it prints. looked is called after each look but the last; nil is allowed.
func (c *Command) Audit(ctx context.Context, log *slog.Logger, looked func(Report)) (Report, error) {
	options, err := c.options(time.Now())
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	options.Looked = looked
	if options.Shops, err = activity.NewShops(c.Shop.Name, c.Shared.Shops); err != nil {
		return Report{}, err
	}
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return Report{}, err
	}
	store, err := objectstore.OpenSetting(ctx, "RECOMMENDATIONS_BUCKET", c.Bucket)
	if err != nil {
		return Report{}, err
	}
	if options.Erased, err = c.Erased.Read(ctx); err != nil {
		return Report{}, err
	}
	if options.Versions, err = c.versions(ctx, log); err != nil {
		log.WarnContext(ctx, "model versions are not checked", logkey.Error, err.Error())
	}
	return New(shardreader.New(kinesisclient.New(cfg), c.Name), store).Run(ctx, options)
}

// versions lists the model versions that may have answered: those of the vector database's registry,
// which keeps dropped ones too, else those in the bucket of artifacts. It is nil when neither is set.
func (c *Command) versions(ctx context.Context, log *slog.Logger) (map[string]bool, error) {
	if c.PGVector.DSN != "" {
		store, err := vectorstore.OpenAs(ctx, c.PGVector, awsclient.Environment)
		if err != nil {
			return nil, err
		}
		defer store.Close()
		list, err := store.Versions(ctx)
		if err == nil {
			known := map[string]bool{}
			for _, v := range list {
				known[v.ID] = true
			}
			return known, nil
		}
		if c.Artifacts.Bucket == "" {
			return nil, err
		}
		log.WarnContext(ctx, "the vector database does not say which versions there are; asking the bucket of artifacts",
			logkey.Error, err.Error())
	}
	if c.Artifacts.Bucket == "" {
		return nil, nil
	}
	store, err := objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", c.Artifacts.Bucket)
	if err != nil {
		return nil, err
	}
	known, prefix := map[string]bool{}, envconfig.ModelPrefix+"/run="
	for info, err := range store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		version, file, _ := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
		known[version] = known[version] || file == "manifest.json"
	}
	return known, nil
}

// options reads the flags and reports every problem at once.
func (c *Command) options(now time.Time) (Options, error) {
	o := Options{Wait: c.Wait, Scratch: c.ScratchDir, MaxUnknown: &c.MaxUnknown, IDs: c.IDs}
	var problems []error
	var err error
	if o.Since, err = parseTime(c.Since, now); err != nil {
		problems = append(problems, fmt.Errorf("--since: %w", err))
	}
	if o.Until, err = parseTime(c.Until, now); err != nil {
		problems = append(problems, fmt.Errorf("--until: %w", err))
	}
	if c.IDs != "" {
		if err := eachListedID(c.IDs, func(string) error { return nil }); err != nil {
			problems = append(problems, fmt.Errorf("--ids: %w", err))
		}
	}
	for problem, is := range map[error]bool{
		errors.New("--until is not after --since"):                !o.Until.IsZero() && !o.Until.After(o.Since),
		errors.New("--wait is negative"):                          c.Wait < 0,
		errors.New("--max-unknown is not from 0 to 1"):            !(c.MaxUnknown >= 0 && c.MaxUnknown <= 1),
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
