package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/outcome"
	"kindred/internal/model/sequential"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
)

type experimentCommand struct {
	Start  experimentStart  `cmd:"" help:"Start an experiment. While it runs, another model version goes live only with --force, and placements cannot change until it ends."`
	Status experimentStatus `cmd:"" help:"Show how an experiment stands. You may look as often as you like."`
	Decide experimentDecide `cmd:"" help:"End the running experiment if its outcome decides: make the treatment live, or return to the live version. Run this after each feedback."`
	Stop   experimentStop   `cmd:"" help:"End the running experiment without a decision: the live version and placements serve all visitors again."`
}

type experimentStart struct {
	envconfig.PGVector
	envconfig.Artifacts
	envconfig.Lake `set:"lake_use=the outcomes that feedback wrote, for revenue; the placements, for --placements"`
	move
	Version     string              `arg:"" optional:"" help:"Model version that is the treatment. Default: the newest one, or none with --placements."`
	Placements  string              `placeholder:"FILE" help:"File of placements (YAML) that is the treatment: it is compared with the live placements, and the model stays. Both must have the same names."`
	Experiment  string              `required:"" placeholder:"NAME" help:"Name of the experiment, as records will have it: up to 40 lower-case letters, digits and hyphens. It must be new."`
	Share       float64             `default:"0.5" help:"Share of the visitors who get the treatment, between 0 and 1."`
	Outcome     vectorstore.Outcome `default:"hits" help:"What is compared: hits (pages with a product that the visitor looked at, of all pages), carts (products put into the cart, for each visitor), purchases (products bought, for each visitor) or revenue (what was paid for them, for each visitor, up to a cap)."`
	Quantile    float64             `default:"0.99" help:"For revenue: each visitor's revenue counts up to a cap. The cap is the smallest of 1, 2, 5, 10, 20, 50, … that at least this share of earlier buyers stayed within on a day, as feedback wrote it to the lake (LAKE_BUCKET)."`
	ErrorRate   float64             `default:"0.05" help:"Largest share of experiments with equal arms in which one arm is wrongly called better, however often you look."`
	MaxVisitors int64               `default:"20000" help:"Visitors of both arms after which the experiment ends without a decision."`
	Force       bool                `help:"Start the experiment even if the gate refuses the version. Needs --reason."`

	ReplaceShop bool `help:"Start the experiment, this once, even if the live version belongs to another shop."`
}

// Run starts an experiment.
func (c *experimentStart) Run(ctx context.Context, out *program.Output) error {
	opts := vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason, Force: c.Force, ReplaceShop: c.ReplaceShop}
	x := vectorstore.Experiment{Name: c.Experiment, Share: c.Share, Outcome: c.Outcome,
		Rule: sequential.Rule{Error: c.ErrorRate, MaxVisitors: c.MaxVisitors}}
	if x.Outcome == vectorstore.OutcomeRevenue {
		if err := c.fixCap(ctx, &x, &opts); err != nil {
			return err
		}
	}
	if err := x.Check(); err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if c.Force && c.Reason == "" {
		return fmt.Errorf("%w: --force needs --reason", program.ErrConfig)
	}
	if c.Placements != "" {
		return c.comparePlacements(ctx, out, x, opts)
	}
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		from, err := OpenModels(ctx, c.Artifacts)
		if err != nil {
			return err
		}
		x.Treatment = c.Version
		if x, err = StartExperiment(ctx, Database{s}, from, x, opts); err != nil {
			return advise(err)
		}
		return out.Result(fmt.Sprintf("Experiment %s runs: version %s answers %g %% of the visitors, %s the others. "+
			"`publish experiment decide` ends it when the outcome says so, after feedback.", x.Name, x.Treatment,
			100*x.Share, x.Control), x)
	})
}

// comparePlacements starts an experiment whose arms are placements.
func (c *experimentStart) comparePlacements(ctx context.Context, out *program.Output, x vectorstore.Experiment,
	opts vectorstore.PromoteOptions) error {
	if c.Version != "" {
		return fmt.Errorf("%w: the treatment is a version of the model or --placements, and not both", program.ErrConfig)
	}
	data, err := os.ReadFile(c.Placements)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return err
	}
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		x, err := ComparePlacements(ctx, Database{s}, lake, filepath.Base(c.Placements), data, x, opts)
		if err != nil {
			return err
		}
		return out.Result(fmt.Sprintf("Experiment %s runs: of the visitors of placements, %g %% see %s, the others %s. "+
			"`publish experiment decide` ends it when the outcome says so, after feedback.", x.Name, 100*x.Share,
			x.Treatment, x.Control), x)
	})
}

// fixCap fixes how much of a visitor's revenue counts, by what earlier buyers paid, and notes it in the reason.
func (c *experimentStart) fixCap(ctx context.Context, x *vectorstore.Experiment,
	opts *vectorstore.PromoteOptions) error {
	if !(c.Quantile >= 0.5 && c.Quantile < 1) {
		return fmt.Errorf("%w: --quantile %g is not from 0.5 to below 1", program.ErrConfig, c.Quantile)
	}
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return err
	}
	rows, run, err := readOutcomes(ctx, lake)
	if err != nil {
		return err
	}
	most, ok := outcome.CapAt(rows, c.Quantile)
	if !ok {
		return fmt.Errorf("%w: no cap for revenue: by the outcomes in the lake, nobody has bought a recommended product "+
			"whose price is known. Send purchases with their value, run feedback, and start again",
			program.ErrConfig)
	}
	x.Cap = &most.Cap
	opts.Reason = strings.TrimPrefix(fmt.Sprintf("%s; the cap %g is the quantile %g of %d earlier buyers, of run %s",
		opts.Reason, most.Cap, c.Quantile, most.Buyers, run), "; ")
	return nil
}

type experimentStatus struct {
	envconfig.PGVector
	envconfig.Lake `set:"lake_use=the outcomes that feedback wrote"`
	Experiment     string `arg:"" optional:"" help:"Name of the experiment. Default: the last one."`
}

// Run shows how an experiment stands.
func (c *experimentStatus) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Bucket)
		if err != nil {
			return err
		}
		all, err := s.Experiments(ctx)
		if err != nil {
			return err
		}
		for i := len(all) - 1; i >= 0; i-- {
			if c.Experiment != "" && c.Experiment != all[i].Name {
				continue
			}
			rows, run, err := readOutcomes(ctx, lake)
			if err != nil {
				return err
			}
			r := assess(all[i], rows, run)
			return out.Result(r.String(), r)
		}
		return fmt.Errorf("show experiment %.50s: %w", c.Experiment, vectorstore.ErrNoExperiment)
	})
}

type experimentDecide struct {
	envconfig.PGVector
	envconfig.Lake `set:"lake_use=the outcomes that feedback wrote"`
	move
}

// Run decides. No experiment is nothing to do: this runs every night.
func (c *experimentDecide) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Bucket)
		if err != nil {
			return err
		}
		d, err := Decide(ctx, s, lake, vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason})
		if errors.Is(err, vectorstore.ErrNoExperiment) {
			return out.Result("No experiment runs: nothing to decide.", d)
		}
		if err != nil {
			return advise(err)
		}
		return out.Result(d.String(), d)
	})
}

type experimentStop struct {
	envconfig.PGVector
	move
}

// Run ends the experiment.
func (c *experimentStop) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		x, err := StopExperiment(ctx, s, vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason})
		if err != nil {
			return err
		}
		return out.Result("Experiment "+x.Name+" has ended: what is live answers all visitors.", x)
	})
}
