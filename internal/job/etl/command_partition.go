package etl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop/mysqlsource"
)

// maxPartitions bounds N of --partition: a file a partition at least, and manifests stay small.
const maxPartitions = 10_000

// parsePartition reads "I/N".
func parsePartition(text string) (index, partitions int, err error) {
	var rest string
	n, _ := fmt.Sscanf(text+" end", "%d/%d %s", &index, &partitions, &rest)
	if n != 3 || rest != "end" || index < 0 || partitions < 1 || index >= partitions || partitions > maxPartitions {
		return 0, 0, fmt.Errorf("%w: --partition is %q, want I/N with I from 0 to N-1 and N up to %d", program.ErrConfig,
			text, maxPartitions)
	}
	return index, partitions, nil
}

// PartResult is what a partition achieved.
type PartResult struct {
	Job         string        `json:"job"`
	Partition   int           `json:"partition"`
	Partitions  int           `json:"partitions"`
	NoOp        bool          `json:"-"` // it had finished before
	Rows        int64         `json:"rows"`
	Bytes       int64         `json:"bytes"`
	Rules       Counts        `json:"rules"`
	Files       []commit.File `json:"files"`
	WallSeconds float64       `json:"wall_seconds"`
	CPUSeconds  float64       `json:"cpu_seconds"`
	MaxRSSBytes int64         `json:"max_rss_bytes"`
}

// Unchanged reports whether the run was a no-op.
func (r PartResult) Unchanged() bool { return r.NoOp }

// partition is `etl --partition I/N --job NAME`.
func (c *RunCommand) partition(ctx context.Context, shop shopAt, repo *commit.Repository, list *erased.List,
	out *program.Output, start time.Time) error {
	index, partitions, err := parsePartition(c.Partition)
	if err != nil {
		return err
	}
	var part Part
	var done bool
	job := Job{Name: c.Job, Partitions: partitions, Mapping: shop.options.Mapping}
	err = shop.read(ctx, out, func(snapshot *mysqlsource.Snapshot) error {
		if err := inOne(snapshot); err != nil {
			return err
		}
		o, close := c.options(ctx, out)
		defer close()
		o.Erased = list
		part, done, err = RunPartition(ctx, snapshot, repo, job, index, o)
		return err
	})
	if err != nil {
		return jobError(c.Job, err)
	}
	r := PartResult{Job: c.Job, Partition: index, Partitions: partitions, NoOp: done, Rules: part.Counts,
		Files: part.Files}
	for _, f := range part.Files {
		r.Rows += f.Rows
		r.Bytes += f.Bytes
	}
	r.WallSeconds, r.CPUSeconds, r.MaxRSSBytes = cost(start)
	verb := "wrote"
	if done {
		verb = "had written"
	}
	return out.Result(fmt.Sprintf("Partition %d of %d of job %s %s %s ratings; %.1f MB in %.1f s.%s", index, partitions,
		c.Job, verb, group(r.Rows),
		float64(r.Bytes)/1e6, r.WallSeconds, r.Rules.sentence(part.Examples)), r)
}

// jobError says in one sentence that a job's folder is no more.
func jobError(job string, err error) error {
	switch {
	case errors.Is(err, commit.ErrCollected):
		return fmt.Errorf("%w: the folder of job %s was collected as left behind; begin another job", ErrPartition, job)
	case errors.Is(err, objectstore.ErrNotFound):
		return fmt.Errorf("%w: job %s is not there: %w", ErrPartition, job, err)
	}
	return configured(err)
}

// inOne refuses to cut a shop with interactions into partitions: one process sorts its
// interactions.
func inOne(snapshot *mysqlsource.Snapshot) error {
	if snapshot.Mapped().HasInteractions() {
		return fmt.Errorf("%w: a shop of interactions is read whole by one process; leave partitions out",
			program.ErrConfig)
	}
	return nil
}

// PlanCommand is `etl plan`.
type PlanCommand struct {
	Reading
	Scratch
	Lake       envconfig.Lake `embed:""`
	Job        string         `env:"ETL_JOB" required:"" placeholder:"NAME" help:"Name of a job of several partitions. Give plan, every partition and commit-parts the same name, and use a new name for each training set."`
	Partitions int            `required:"" placeholder:"N" help:"How many partitions there are."`
}

// Run begins a job.
func (c *PlanCommand) Run(ctx context.Context, out *program.Output) error {
	if c.Partitions < 1 || c.Partitions > maxPartitions {
		return fmt.Errorf("%w: --partitions is %d, want 1 to %d", program.ErrConfig, c.Partitions, maxPartitions)
	}
	repo, list, err := c.open(ctx, c.Lake)
	if err != nil {
		return err
	}
	shop, err := c.find(ctx)
	if err != nil {
		return err
	}
	var plan Plan
	var made bool
	job := Job{Name: c.Job, Partitions: c.Partitions, Mapping: shop.options.Mapping}
	err = shop.read(ctx, out, func(snapshot *mysqlsource.Snapshot) error {
		if err := inOne(snapshot); err != nil {
			return err
		}
		o := c.accepting(Limits{})
		o.ScratchDir, o.Erased = c.ScratchDir, list
		plan, made, err = MakePlan(ctx, snapshot, repo, job, o)
		return err
	})
	if err != nil {
		return jobError(c.Job, err)
	}
	verb := "is planned"
	if !made {
		verb = "was planned before"
	}
	return out.Result(fmt.Sprintf("Job %s %s: %d partitions. Run etl --job %s --partition 0/%d and so on, "+
		"then etl commit-parts --job %s.", c.Job, verb, c.Partitions, c.Job, c.Partitions, c.Job), plan)
}

// CommitPartsCommand is `etl commit-parts`.
type CommitPartsCommand struct {
	Lake       envconfig.Lake `embed:""`
	Job        string         `env:"ETL_JOB" required:"" placeholder:"NAME" help:"The job whose partitions have finished."`
	Limits     Limits         `embed:""`
	Shrinking  Shrinking      `embed:""`
	MaxSpread  time.Duration  `default:"1h" help:"Longest time between the first and the last snapshot of a job's partitions."`
	SameMoment bool           `help:"Refuse the set unless the server proves that nothing was written between the partitions' snapshots."`
	TrustSizes bool           `help:"Check only the sizes of the files. Without this flag, every file is read back and its hash is checked."`
	PruneAfter time.Duration  `default:"168h" help:"After a commit, delete the files of incomplete runs that are older than this. 0 deletes nothing."`
}

// Run commits a job.
func (c *CommitPartsCommand) Run(ctx context.Context, out *program.Output) error {
	start := time.Now()
	check := RunCommand{Limits: c.Limits, Shrinking: c.Shrinking, PruneAfter: c.PruneAfter}
	if err := check.check(); err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	repo, err := openRepository(ctx, c.Lake)
	if err != nil {
		return err
	}
	o := Options{Limits: c.Limits, MaxShrink: c.Shrinking.MaxShrink, AcceptShrink: c.Shrinking.AcceptShrink,
		PruneAge: c.PruneAfter}
	outcome, err := CommitParts(ctx, repo, c.Job, o,
		PartsOptions{MaxSpread: c.MaxSpread, SameMoment: c.SameMoment, TrustSizes: c.TrustSizes})
	if err != nil {
		return jobError(c.Job, err)
	}
	return outcome.report(ctx, out, start)
}
