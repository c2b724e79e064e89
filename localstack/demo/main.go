// Demo runs the whole loop on this machine and gives a readable account of it: stack, seed, etl,
// train, publish, publish catalogue, deploy, replay, verify. `make demo` builds the programs it runs.
package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"kindred/internal/platform/program"
	"kindred/localstack/demo/loop"
)

type command struct {
	Data string `placeholder:"PATH" type:"path" help:"File or folder to use: MovieLens, Online Retail, RetailRocket, Instacart, Olist, Amazon reviews, Shopify's export of orders, or any CSV, TSV, JSON lines, Parquet or Excel workbook (docs/files.md). Default: a generated shop."`
	// as of seed import
	Column   map[string]string `placeholder:"ROLE=NAME" help:"With --data: name a column of the files, such as product=sku. Repeat it for several columns."`
	Kind     string            `placeholder:"KIND" help:"With --data: the kind of every line, such as view or purchase, whatever the columns contain."`
	DayFirst bool              `help:"With --data: read 1/12/2010 as the first of December."`

	Scale  float64 `default:"1" help:"Size of the generated shop: 1 is 2,000 customers and 100,000 ratings."`
	Events int     `default:"2000" help:"Number of clicks to send."`
	Poison int     `default:"20" help:"Number of unreadable records to send between the clicks."`
	Rate   int     `default:"200" help:"Clicks per second."`
	State  string  `default:".kindred" type:"path" placeholder:"FOLDER" env:"KINDRED_STATE" help:"State folder of the local stack. The report is written there."`
}

func (c *command) Run(ctx context.Context, out *program.Output) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	d := loop.Demo{
		Programs: filepath.Dir(executable), State: c.State, Data: c.Data, Scale: c.Scale,
		Events: c.Events, Poison: c.Poison, Rate: c.Rate, Out: out.Stdout, Progress: out.Stderr,
	}
	for _, role := range slices.Sorted(maps.Keys(c.Column)) {
		d.ImportFlags = append(d.ImportFlags, "--column", role+"="+c.Column[role])
	}
	if c.Kind != "" {
		d.ImportFlags = append(d.ImportFlags, "--kind", c.Kind)
	}
	if c.DayFirst {
		d.ImportFlags = append(d.ImportFlags, "--day-first")
	}
	return d.Run(ctx)
}

func main() {
	os.Exit(program.Main("demo", "Run the loop once on this machine, without feedback, and report what happened.",
		&command{}, os.Args[1:], os.Stdout, os.Stderr))
}
