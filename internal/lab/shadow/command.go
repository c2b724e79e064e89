package shadow

import (
	"context"
	"fmt"
	"os"
	"strings"

	"kindred/internal/lake/linefile"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// Command is `replay shadow`.
type Command struct {
	PGVector  envconfig.PGVector `embed:""`
	Control   string             `required:"" placeholder:"VERSION" help:"Version that the other one is compared with. It must be in the vector database."`
	Treatment string             `required:"" placeholder:"VERSION" help:"Version that is compared with the control. It must be in the vector database."`
	Files     []string           `arg:"" type:"existingfile" help:"Files of recommendation records, or of events, with one JSON object per line, gzipped or not."`
	Events    int                `default:"20000" help:"Number of events to answer at most, from the beginning of the files."`
}

// batch is how many events are answered at once.
const batch = 100

// pinned is a store in which one version answers everybody.
type pinned struct {
	*vectorstore.Store
	version string
}

func (p pinned) Traffic(ctx context.Context) (recommend.Traffic, error) {
	return p.Pinned(ctx, p.version)
}

// Run compares, and prints the figures.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	if c.PGVector.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set: it names the vector database", program.ErrConfig)
	}
	all, err := c.read()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("%w: the files hold no event that is answered", program.ErrConfig)
	}
	store, err := vectorstore.Open(ctx, c.PGVector)
	if err != nil {
		return err
	}
	defer store.Close()
	for _, version := range []string{c.Control, c.Treatment} {
		if _, err := store.Pinned(ctx, version); err != nil {
			return err
		}
	}
	r, err := Compare(ctx, recommend.New(pinned{store, c.Control}), recommend.New(pinned{store, c.Treatment}), all, batch)
	if err != nil {
		return err
	}
	return out.Result(r.table(c.Control, c.Treatment), r)
}

// read reads the answered events of the files. A line without one is passed over.
func (c *Command) read() (all []Recorded, err error) {
	for _, name := range c.Files {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		for data, err := range linefile.Lines(file) {
			if err != nil || len(all) >= c.Events {
				_ = file.Close()
				if err != nil {
					err = fmt.Errorf("read %s: %w", name, err)
				}
				return all, err
			}
			all = append(all, recorded(data)...)
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// recorded are the events of a line that are answered. Events of before are answered as they would be now.
func recorded(data []byte) (all []Recorded) {
	var shown []activity.RecommendedItem
	if record, err := activity.ParseRecord(data); err == nil {
		data, shown = record.Event, record.RecommendedItems
	}
	for _, item := range activity.Read(nil, activity.Position{}, data) {
		if item.Fault == nil && item.Event.Answered() {
			all = append(all, Recorded{Event: item.Event, Shown: shown})
		}
	}
	return all
}

// table is the result for people.
func (r Result) table(control, treatment string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Version %s (treatment) against %s (control). Nobody saw these answers.\n", treatment, control)
	fmt.Fprintf(&b, "  %-12s %8s %8s %10s %12s\n", "source", "answers", "differ", "overlap@10", "Kendall's tau")
	for _, s := range r.Segments {
		source := string(s.Source)
		if source == "" {
			source = "all"
		}
		fmt.Fprintf(&b, "  %-12s %8d %7.1f%% %10.3f %12.3f\n", source, s.Answers, 100*s.Differ, s.Overlap, s.Tau)
	}
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "  %d events were left out: a version refuses them.\n", r.Skipped)
	}
	if r.NoEstimate != "" {
		b.WriteString("No estimate of views: " + r.NoEstimate + ".")
		return b.String()
	}
	for _, e := range []struct {
		name string
		Estimate
	}{{"control", r.Control}, {"treatment", r.Treatment}} {
		fmt.Fprintf(&b, "  %-9s %d explored places, %d with its product, %d of them viewed; views for each place: "+
			"%.4f (IPS), %.4f (self-normalised)\n", e.name, e.Slots, e.Shown, e.Viewed, e.IPS, e.SNIPS)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
