package infer

import (
	"context"
	"errors"
	"fmt"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/inmemory"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// Description is the first line of the command's help.
const Description = "Recommend products to all customers of the live version, and write them to the lake as Parquet " +
	"and CSV, for e-mail and other programs."

// Command is the command line.
type Command struct {
	PGVector   envconfig.PGVector `embed:""`
	Memory     envconfig.Memory   `embed:""`
	Lake       envconfig.Lake     `embed:""`
	Placement  string             `placeholder:"NAME" help:"Placement whose rules count, such as email (publish placements). Filters and exclusions of both apply. Otherwise the flags override the placement. Default: no placement."`
	Limit      int                `placeholder:"N" help:"Products of a customer, 1 to 100. Default: 10, or what the placement says."`
	Filter     string             `placeholder:"EXPRESSION" help:"Only products that match, such as 'product.price < 50.0'. docs/formats.md describes expressions."`
	Boost      []string           `sep:"none" placeholder:"FACTOR:EXPRESSION" help:"Multiply the scores of products that match by a factor from 0.1 to 10. May be repeated."`
	Diversity  string             `placeholder:"category:N" help:"At most N products of one category (category:2) or brand (brand:2), or maximal marginal relevance with the weight of the score (mmr:0.7)."`
	MinShare   []string           `sep:"none" placeholder:"SHARE:EXPRESSION" help:"So much of each customer's products matches at least, as far as there are such products. May be repeated."`
	Exclude    []string           `sep:"none" placeholder:"ID" help:"Product to leave out. May be repeated."`
	ScratchDir string             `placeholder:"FOLDER" help:"Folder for the files before they are uploaded. Default: the system's temporary folder."`
}

// control is what every answer is asked with.
func (c *Command) control() (*activity.Control, error) {
	control := &activity.Control{Placement: c.Placement}
	if c.Limit != 0 {
		control.Limit = &c.Limit
	}
	for _, id := range c.Exclude {
		control.Exclude = append(control.Exclude, activity.ID(id))
	}
	given := map[string][]string{"boost": c.Boost, "min_share": c.MinShare}
	for name, value := range map[string]string{"filter": c.Filter, "diversity": c.Diversity} {
		if value != "" {
			given[name] = []string{value}
		}
	}
	problem := control.AddRules(given)
	if problem == "" {
		problem = control.Problem()
	}
	if problem != "" {
		return nil, fmt.Errorf("%w: %s", program.ErrConfig, problem)
	}
	return control, nil
}

// Run recommends and reports.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	control, err := c.control()
	if err != nil {
		return err
	}
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return err
	}
	db, err := vectorstore.OpenAs(ctx, c.PGVector, awsclient.Environment)
	if err != nil {
		return err
	}
	defer db.Close()
	memory, err := inmemory.Open(db, c.Memory, out.Log)
	if err != nil {
		return err
	}
	bar := out.Bar()
	defer bar.Close()
	job := Job{Recommender: recommend.New(db), Customers: db, Control: control, Lake: lake, ScratchDir: c.ScratchDir,
		Progress: bar.Show}
	if memory != nil {
		rules := c.Placement != "" || control.Filter != "" || control.Diversity != nil ||
			len(control.Boost)+len(control.MinShare) > 0
		job.Recommender, job.Ready = recommend.New(memory), func(ctx context.Context) { memory.Load(ctx, rules) }
	}
	r, err := job.Run(ctx)
	bar.Close()
	var wrong *recommend.QueryError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if err != nil {
		return err
	}
	what := "now current"
	if r.NoOp {
		what = "as they were"
	}
	return out.Result(fmt.Sprintf("%d recommendations for %d customers, from version %s, are %s in the lake (run %s).",
		r.Rows, r.Customers, r.ModelVersion, what, r.Run), r)
}
