package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// Description is the first line of the command's help.
const Description = "Read the delivered recommendations, and compute hit rates and the interactions for the next " +
	"training."

// Command is the command line.
type Command struct {
	Recommendations envconfig.Recommendations `embed:""`
	Lake            envconfig.Lake            `embed:""`
	Erasure         envconfig.Erasure         `embed:""`
	Shop            envconfig.OnlyShop        `embed:"" set:"shop_use=Read the records of this shop only, and those without a shop. Default: read all records"`
	DuckDB          string                    `name:"duckdb" env:"DUCKDB" default:"duckdb" placeholder:"PROGRAM" help:"The program duckdb, which runs the joins."`
	ScratchDir      string                    `placeholder:"FOLDER" help:"Folder for temporary copies of the records. Default: the system's temporary folder."`
	SQL             bool                      `name:"sql" help:"Print the joins as SQL for Athena, and do nothing else."`
}

// Run joins and reports.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	if err := (envconfig.Shop{Name: c.Shop.Name}).Check(); err != nil {
		return err
	}
	if c.SQL {
		_, err := fmt.Fprint(out.Stdout, sqlOf(c.Shop.Name))
		return err
	}
	recommendations, err := objectstore.OpenSetting(ctx, "RECOMMENDATIONS_BUCKET", c.Recommendations.Bucket)
	if err != nil {
		return err
	}
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return err
	}
	list, err := erased.ReadWith(ctx, lake, c.Erasure)
	if err != nil {
		return err
	}
	bar := out.Bar()
	defer bar.Close()
	r, err := Job{Recommendations: recommendations, Lake: lake, Shop: c.Shop.Name, Erased: list, DuckDB: c.DuckDB,
		ScratchDir: c.ScratchDir,
		Progress:   bar.Show}.Run(ctx)
	bar.Close()
	if errors.Is(err, ErrNoDuckDB) {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if err != nil {
		return err
	}
	return out.Result(r.table(), r)
}

// table is the result for people: a line for each version, source and placement, the places side by side.
func (r *Result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d interactions from %d delivered objects are ", r.Interactions, r.Objects)
	if r.NoOp {
		b.WriteString("as they were")
	} else {
		b.WriteString("now current")
	}
	fmt.Fprintf(&b, " in the lake (run %s).\nA hit is a look at a recommended product by the same visitor within 7 "+
		"days; per page, a hit of any product.\n", r.Run)
	if n := r.Unreadable.Count; n > 0 {
		fmt.Fprintf(&b, "  %d lines could not be read and were left out:\n", n)
		for _, example := range r.Unreadable.Examples {
			fmt.Fprintf(&b, "    %s\n", example)
		}
	}
	fmt.Fprintf(&b, "  %-18s %-10s %-12s %8s %9s %8s %8s   hit rate at place 1, 2, 3, …\n", "version", "source",
		"placement", "pages", "hits/page", "carted", "bought")
	for rest := r.HitRates; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].ModelVersion == rest[0].ModelVersion && rest[n].Source == rest[0].Source &&
			rest[n].Placement == rest[0].Placement {
			n++
		}
		var sum HitRate
		var places []string
		for _, h := range rest[:n] {
			sum.Shown = max(sum.Shown, h.Shown)
			sum.Viewed, sum.Carted, sum.Bought = sum.Viewed+h.Viewed, sum.Carted+h.Carted, sum.Bought+h.Bought
			places = append(places, fmt.Sprintf("%.3f", h.HitRate))
		}
		fmt.Fprintf(&b, "  %-18s %-10s %-12s %8d %9.3f %8d %8d   %s\n", rest[0].ModelVersion, rest[0].Source,
			cmp.Or(rest[0].Placement, "-"), sum.Shown, float64(sum.Viewed)/float64(max(sum.Shown, 1)), sum.Carted, sum.Bought,
			strings.Join(places, " "))
		rest = rest[n:]
	}
	for _, o := range r.Outcomes {
		fmt.Fprintf(&b, "  experiment %s, %s: %d visitors, %d pages, %d with a hit, %d carted, %d bought\n", o.Experiment,
			o.Part, o.Visitors, o.Pages, o.Hits, o.Carts, o.Purchases)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
