// Package seed is the command that fills the shop: it joins the generators or the importer with the
// database and the lake. It owns the order of those writes; rows, formats and the schema belong to
// packages simulation, shopsystem, importer and shopdb.
package seed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"kindred/internal/lab/plantedshop"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop/shopdb"
)

// Description is the first line of the command's help.
const Description = "Fill the shop's MySQL database: with a generated shop, whose customers' tastes are known, " +
	"with published data, or with the tables of another shop system."

// Command is the command line.
type Command struct {
	Generate Generate `cmd:"" help:"Generate a shop whose customers' tastes are known, so that the best possible ranking is known too."`
	Import   Import   `cmd:"" help:"Import MovieLens files or CSV files."`
	System   System   `cmd:"" help:"Generate a shop in the tables of another shop system, such as WooCommerce, to try kindred with that system."`
}

// target is where generate and import write.
type target struct {
	envconfig.MySQL `embed:""`
	envconfig.Lake  `embed:"" set:"lake_use=seed keeps planted/shop.json there, which describes a generated shop"`
	Force           bool `help:"Replace any shop that the database holds, even one that seed did not fill. Load the rows again even if the database already holds the same ones."`
}

// result is what a command prints.
type result struct {
	shopdb.Result
	Duplicates int     `json:"duplicates"` // earlier ratings of a pair, dropped
	Orphans    int     `json:"orphans"`    // ratings of unknown customers or products, dropped
	Seconds    float64 `json:"seconds"`
}

// sentence tells it to a person.
func (r result) sentence(what string) string {
	verb := "Loaded"
	if r.NoOp {
		verb = "Nothing to do: the database already holds"
	}
	s := fmt.Sprintf("%s %s: %d customers, %d products, %d ratings (%.1f s).", verb, what, r.Customers, r.Products,
		r.Ratings, r.Seconds)
	if r.Duplicates+r.Orphans > 0 {
		s += fmt.Sprintf(" Left out: %d ratings of a pair that was rated again, %d of unknown customers or products.",
			r.Duplicates, r.Orphans)
	}
	return s
}

// load fills the database and brings the planted truth in the lake in line: planted is its content,
// nil for none. A truth that differs is removed before the database changes and written after, so
// that it is never another shop's.
func (t *target) load(ctx context.Context, out *program.Output, content shopdb.Content, planted []byte,
	expectedRows int) (result, error) {
	start := time.Now()
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", t.Bucket)
	if err != nil {
		return result{}, err
	}
	db, err := shopdb.Open(ctx, t.DSN)
	if errors.Is(err, shopdb.ErrDSN) {
		err = fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if err != nil {
		return result{}, err
	}
	defer func() { _ = db.Close() }()
	truth := plantedTruth{lake: lake, content: planted}
	bar, done := out.Bar(), 0
	defer bar.Close()
	loaded, err := db.Load(ctx, content, shopdb.Options{
		Force:  t.Force,
		Before: truth.removeOther,
		After:  truth.write,
		Progress: func(rows int) {
			done += rows
			bar.Show("loading rows", int64(done), int64(expectedRows))
		},
	})
	if err != nil {
		return result{}, err
	}
	return result{Result: loaded, Seconds: time.Since(start).Seconds()}, nil
}

// plantedTruth is the object that says how the shop in the database was made.
type plantedTruth struct {
	lake    objectstore.Store
	content []byte
}

// removeOther removes the truth of another shop.
func (p plantedTruth) removeOther(ctx context.Context) error {
	held, err := plantedshop.Read(ctx, p.lake)
	if err != nil || held == nil || (p.content != nil && bytes.Equal(held, p.content)) {
		return err
	}
	if err := p.lake.Delete(ctx, envconfig.PlantedShopKey); err != nil {
		return fmt.Errorf("remove the planted truth of an earlier shop: %w", err)
	}
	return nil
}

// write stores the truth unless it is there.
func (p plantedTruth) write(ctx context.Context) error {
	if p.content == nil {
		return p.removeOther(ctx)
	}
	held, err := plantedshop.Read(ctx, p.lake)
	if err != nil || bytes.Equal(held, p.content) {
		return err
	}
	_, err = p.lake.Put(ctx, envconfig.PlantedShopKey, bytes.NewReader(p.content), int64(len(p.content)),
		objectstore.Condition{})
	if err != nil {
		return fmt.Errorf("store the planted truth: %w", err)
	}
	return nil
}
