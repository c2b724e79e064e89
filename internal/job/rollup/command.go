package rollup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// Description says what the program does, for its help.
const Description = "Count the delivered records by hour, and index the ids of their events, so that the console " +
	"need not read months of records. A run reads only what came since the one before."

// Command is the program's grammar.
type Command struct {
	Run  RunCommand  `cmd:"" default:"withargs" help:"Add what came since the current roll-up (the default command)."`
	Show ShowCommand `cmd:"" help:"Show the current roll-up: records, sources, versions, latencies, dead letters."`
	Find FindCommand `cmd:"" help:"Find the objects that hold an event, by event id or recommendation id."`
}

// RunCommand is `rollup`.
type RunCommand struct {
	Recommendations envconfig.Recommendations `embed:""`
	Lake            envconfig.Lake            `embed:"" set:"lake_use=where the roll-up is kept"`
	ScratchDir      string                    `placeholder:"FOLDER" help:"Folder for temporary files, about 40 bytes per record. Default: the system's temporary folder."`
}

// Run rolls up and reports.
func (c *RunCommand) Run(ctx context.Context, out *program.Output) error {
	records, lake, err := open(ctx, c.Recommendations, c.Lake)
	if err != nil {
		return err
	}
	bar := out.Bar()
	defer bar.Close()
	r, err := Job{Records: records, Lake: lake, ScratchDir: c.ScratchDir, Progress: bar.Show}.Run(ctx)
	bar.Close()
	if err != nil {
		return err
	}
	return out.Result(r.String(), r)
}

// open opens the buckets of the records and of the roll-ups.
func open(ctx context.Context, r envconfig.Recommendations, l envconfig.Lake) (records, lake objectstore.Store,
	err error) {
	if records, err = objectstore.OpenSetting(ctx, "RECOMMENDATIONS_BUCKET", r.Bucket); err != nil {
		return nil, nil, err
	}
	lake, err = objectstore.OpenSetting(ctx, "LAKE_BUCKET", l.Bucket)
	return records, lake, err
}

// String is the result for people.
func (r *Result) String() string {
	if r.NoOp {
		return "Nothing came since roll-up " + r.Run + "."
	}
	return fmt.Sprintf("%d records of %d objects and %d dead letters are added; roll-up %s is current, as of %s.",
		r.Records, r.Objects, r.Letters, r.Run, r.AsOf.Format("2006-01-02 15:04:05"))
}

// ShowCommand is `rollup show`.
type ShowCommand struct {
	Lake envconfig.Lake `embed:"" set:"lake_use=where the roll-up is kept"`
}

// Run shows.
func (c *ShowCommand) Run(ctx context.Context, out *program.Output) error {
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return err
	}
	s, err := NewReader(nil, lake).Summary(ctx)
	if err != nil {
		return advised(err)
	}
	return out.Result(s.String(), s)
}

// advised says what to do where there is no roll-up.
func advised(err error) error {
	if errors.Is(err, commit.ErrNoCurrent) {
		return fmt.Errorf("%w: run `rollup` first", err)
	}
	return err
}

// FindCommand is `rollup find`.
type FindCommand struct {
	Recommendations envconfig.Recommendations `embed:""`
	Lake            envconfig.Lake            `embed:"" set:"lake_use=where the roll-up is kept"`
	ID              string                    `arg:"" help:"Id of an event or of a recommendation."`
}

// Run finds.
func (c *FindCommand) Run(ctx context.Context, out *program.Output) error {
	records, lake, err := open(ctx, c.Recommendations, c.Lake)
	if err != nil {
		return err
	}
	found, asOf, err := NewReader(records, lake).Find(ctx, c.ID)
	if err != nil {
		return advised(err)
	}
	var keys []string
	for _, f := range found {
		keys = append(keys, f.Key)
	}
	text := "Not found as of " + asOf.Format("2006-01-02 15:04:05") + ": it came later, or there was none."
	if len(keys) > 0 {
		text = strings.Join(keys, "\n")
	}
	return out.Result(text, struct {
		Objects []string `json:"objects"`
	}{keys})
}
