// Package seed is the command that fills the shop: it joins the generators or the importer with the
// database and the lake. It owns the order of those writes; rows, formats and the schema belong to
// packages simulation, shopsystem, importer and shopdb.
package seed

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kindred/internal/lab/importer"
	"kindred/internal/lab/plantedshop"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop/mysqlsecret"
	"kindred/internal/shop/shopdb"
)

// Description is the first line of the command's help.
const Description = "Fill the shop's MySQL database. seed generates a shop in kindred's tables or in those of " +
	"another shop system, or imports files."

// Command is the command line.
type Command struct {
	Generate Generate `cmd:"" help:"Generate a shop whose customers' tastes are known, so that the best possible ranking is known too."`
	Import   Import   `cmd:"" help:"Import files of ratings, orders or events: MovieLens, Online Retail, RetailRocket, Instacart, Olist, Amazon reviews, Shopify's export of orders, or any CSV, TSV, JSON lines, Parquet or Excel workbook (docs/files.md)."`
	System   System   `cmd:"" help:"Generate a shop in the tables of another shop system, such as WooCommerce, to try kindred with that system."`
}

// target is where generate and import write.
type target struct {
	envconfig.MySQL `embed:""`
	envconfig.Lake  `embed:"" set:"lake_use=seed keeps planted/shop.json there, which describes a generated shop"`
	MySQLSecret     string `name:"mysql-secret" env:"MYSQL_SECRET_ARN" placeholder:"ARN" help:"Secrets Manager secret: either {username, password} to add to --mysql-dsn, or a complete DSN."`
	Force           bool   `help:"Replace all rows of kindred's tables in the database, even those that seed did not write. Load the rows again even if the database already holds the same ones."`
}

// result is what a command prints.
type result struct {
	shopdb.Result
	Duplicates int `json:"duplicates"` // earlier ratings of a pair, dropped
	Orphans    int `json:"orphans"`    // ratings of unknown customers or products, dropped
	// Format is which files they were, for people, and Files what became of the lines of orders and
	// events.
	Format  string            `json:"format,omitempty"`
	Files   *importer.Account `json:"files,omitempty"`
	Seconds float64           `json:"seconds"`
}

// sentence tells it to a person.
func (r result) sentence(what string) string {
	verb := "Loaded"
	if r.NoOp {
		verb = "Nothing to do: the database already holds"
	}
	if r.Kinds != nil {
		return fmt.Sprintf("%s %s: %s (%.1f s).%s", verb, what, r.history(), r.Seconds, r.account())
	}
	s := fmt.Sprintf("%s %s: %d customers, %d products, %d ratings (%.1f s).", verb, what, r.Customers, r.Products,
		r.Ratings, r.Seconds)
	if r.Duplicates+r.Orphans > 0 {
		s += fmt.Sprintf(" Left out: %d ratings of a pair that was rated again, %d of unknown customers or products.",
			r.Duplicates, r.Orphans)
	}
	return s
}

// history says what a shop of orders and events holds.
func (r result) history() string {
	parts := []string{fmt.Sprintf("%d customers", r.Customers)}
	if r.Guests > 0 {
		parts = append(parts, fmt.Sprintf("%d guests", r.Guests))
	}
	parts = append(parts, fmt.Sprintf("%d products", r.Products))
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		parts = append(parts, fmt.Sprintf("%d of kind %s", r.Kinds[kind], kind))
	}
	return strings.Join(parts, ", ")
}

// account says what became of the files' lines.
func (r result) account() string {
	if r.Files == nil {
		return ""
	}
	var b strings.Builder
	if r.Files.Lines > 0 {
		fmt.Fprintf(&b, "\n%d lines read, %d kept.", r.Files.Lines, r.Files.Kept)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Files.LeftOut)) {
		fmt.Fprintf(&b, "\nLeft out: %d lines %s.", r.Files.LeftOut[why], why)
	}
	for _, note := range r.Files.Notes {
		b.WriteString("\n" + note)
	}
	if len(r.Files.Unused) > 0 {
		b.WriteString("\nNot used: " + strings.Join(r.Files.Unused, ", ") + ".")
	}
	return b.String()
}

// filling loads a shop into the database.
type filling func(ctx context.Context, db *shopdb.DB, o shopdb.Options) (shopdb.Result, error)

// ratings is the filling of a shop of contract 1.
func ratings(content shopdb.Content) filling {
	return func(ctx context.Context, db *shopdb.DB, o shopdb.Options) (shopdb.Result, error) {
		return db.Load(ctx, content, o)
	}
}

// load fills the database and brings the planted truth in the lake in line: planted is its content,
// nil for none. A truth that differs is removed before the database changes and written after, so
// that it is never another shop's.
func (t *target) load(ctx context.Context, out *program.Output, fill filling, planted []byte,
	expectedRows int) (result, error) {
	start := time.Now()
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", t.Bucket)
	if err != nil {
		return result{}, err
	}
	dsn, err := mysqlsecret.DSN(ctx, t.DSN, t.MySQLSecret)
	if err != nil {
		return result{}, err
	}
	db, err := shopdb.Open(ctx, dsn)
	if err != nil {
		return result{}, err
	}
	defer func() { _ = db.Close() }()
	truth := plantedTruth{lake: lake, content: planted}
	bar, done := out.Bar(), 0
	defer bar.Close()
	loaded, err := fill(ctx, db, shopdb.Options{
		Force:  t.Force,
		Before: truth.removeOther,
		After:  truth.write,
		Progress: func(rows int) {
			done += rows
			bar.Show("loading rows", int64(done), int64(max(expectedRows, done)))
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
