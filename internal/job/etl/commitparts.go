package etl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop/mysqlsource"
)

// Consistency says how far apart the snapshots of a set's partitions are.
type Consistency struct {
	Partitions  int       `json:"partitions"`
	FirstReadAt time.Time `json:"first_read_at"` // the earliest snapshot, of customers and products or of a partition
	LastReadAt  time.Time `json:"last_read_at"`
	// SameMoment is true when the server proves that nothing was written between the first and the
	// last snapshot: all of them name the same exact place of its binary log. False means: not
	// proved.
	SameMoment bool                   `json:"same_moment"`
	Sources    []mysqlsource.Position `json:"sources"` // by partition
}

// PartsOptions is what CommitParts may vary.
type PartsOptions struct {
	// MaxSpread is how long after the first snapshot the last one may be.
	MaxSpread time.Duration
	// SameMoment demands that all snapshots are provably the same.
	SameMoment bool
	// TrustSizes compares the sizes of the files and does not read them back.
	TrustSizes bool
}

// CommitParts makes what the partitions of a job wrote the current training set. All of them must
// have finished. Where the content is that of the current set, the job's files are deleted. After
// any error the old set is still current, and CommitParts may be repeated.
func CommitParts(ctx context.Context, repo *commit.Repository, job string, o Options,
	p PartsOptions) (out Outcome, err error) {
	plan, err := readPlan(ctx, repo, Job{Name: job})
	if errors.Is(err, commit.ErrCollected) || errors.Is(err, objectstore.ErrNotFound) {
		return out, fmt.Errorf("%w: there is no job %s, or it was collected as left behind", ErrPartition, job)
	}
	if err != nil {
		return out, err
	}
	parts, err := readParts(ctx, repo, plan)
	if err != nil {
		return out, err
	}
	draft := commit.Draft{Kind: trainingset.Kind, Run: job, SchemaFingerprint: plan.SchemaFingerprint, Source: plan.Source,
		Base: &plan.Base, Files: plan.Files}
	out.Details = Details{Shop: plan.Shop, Limits: o.Limits, Schema: plan.Schema, Partitions: consistency(plan, parts),
		Counts: plan.Counts}
	out.Details.Examples.Add(plan.Examples)
	for _, part := range parts {
		draft.Files = append(draft.Files, part.Files...)
		out.Details.Counts.add(part.Counts)
		out.Details.Examples.Add(part.Examples)
	}
	base, err := current(ctx, repo)
	if err != nil {
		return out, err
	}
	o.Shop, o.ReplaceShop = plan.Shop, true // the plan was allowed to, and base is its own
	base, err = predecessor(base, plan.Source.Database, o)
	if err != nil {
		return out, err
	}
	if err := errors.Join(out.Details.Partitions.check(p), out.Details.Counts.check(o.Limits, out.Details.Examples),
		shrunk(base, rowsOfFiles(draft.Files), out.Details, o)); err != nil {
		return out, oneLine(err)
	}
	draft.Details = out.Details
	if out.Manifest, out.Changed, err = repo.CommitStaged(ctx, draft, !p.TrustSizes); err != nil {
		return out, fmt.Errorf("commit job %s: %w", job, oneLine(err))
	}
	if !out.Changed && out.Manifest.Run != job {
		out.Pruned, out.PruneErr = repo.Discard(ctx, job)
		return out, nil
	}
	out.prune(ctx, repo, o)
	return out, nil
}

func readParts(ctx context.Context, repo *commit.Repository, plan Plan) (parts []Part, err error) {
	var missing []string
	for i := range plan.Partitions {
		part, err := readPart(ctx, repo, plan.Job, i)
		switch {
		case errors.Is(err, objectstore.ErrNotFound):
			missing = append(missing, fmt.Sprint(i))
			continue
		case err != nil:
			return nil, err
		case part.Job != plan.Job || part.Partition != i || part.Partitions != plan.Partitions:
			return nil, fmt.Errorf("%w: part %d of job %s speaks of partition %d/%d of job %s", ErrPartition, i, plan.Job,
				part.Partition, part.Partitions, part.Job)
		}
		parts = append(parts, part)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: of %d partitions of job %s these have not finished: %s", ErrPartition, plan.Partitions,
			plan.Job, strings.Join(missing, ", "))
	}
	return parts, nil
}

func consistency(plan Plan, parts []Part) *Consistency {
	c := &Consistency{Partitions: plan.Partitions, FirstReadAt: plan.ReadAt, LastReadAt: plan.ReadAt,
		SameMoment: plan.Source.Exact}
	for _, part := range parts {
		if part.ReadAt.Before(c.FirstReadAt) {
			c.FirstReadAt = part.ReadAt
		}
		if part.ReadAt.After(c.LastReadAt) {
			c.LastReadAt = part.ReadAt
		}
		c.SameMoment = c.SameMoment && part.Source == plan.Source
		c.Sources = append(c.Sources, part.Source)
	}
	return c
}

func (c *Consistency) spread() time.Duration { return c.LastReadAt.Sub(c.FirstReadAt) }

func (c *Consistency) check(p PartsOptions) error {
	if p.SameMoment && !c.SameMoment {
		return fmt.Errorf("%w: their snapshots are not provably of one moment (--same-moment); the old training set stays",
			ErrPartition)
	}
	if c.spread() > p.MaxSpread {
		return fmt.Errorf("%w: their snapshots are %v apart, at most %v may be (--max-spread); the old training set stays",
			ErrPartition,
			c.spread().Round(time.Second), p.MaxSpread)
	}
	return nil
}
