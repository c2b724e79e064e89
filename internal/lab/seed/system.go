package seed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"kindred/internal/lab/shopsystem"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop/shopdb"
)

// System is `seed system`.
type System struct {
	envconfig.MySQL `embed:""`
	Name            string  `arg:"" help:"The shop system: woocommerce, magento2, openmage, prestashop, opencart, shopware6, sylius, bagisto or classicmodels."`
	Release         string  `placeholder:"VERSION" help:"Release of the shop system, such as 8. Default: the latest release that seed knows. The error about an unknown release lists the known ones."`
	Orders          int     `default:"15000" help:"Number of orders. There is one customer for every five orders."`
	Seed            uint64  `default:"1" help:"Seed of the random numbers. Another seed gives another shop."`
	Prefix          *string `help:"Prefix of the tables' names. Default: the prefix that the system's installer proposes."`
	Truth           string  `placeholder:"FILE" help:"File to which the planted tastes are written, as JSON: the categories of each product, and the categories that each customer likes."`
}

// systemResult is what the command prints.
type systemResult struct {
	shopsystem.Config
	Products  int     `json:"products"`
	Customers int     `json:"customers"`
	Reviews   int     `json:"reviews"`
	Rows      int     `json:"rows"`
	Seconds   float64 `json:"seconds"`
}

// rowsPerOrder is about how many rows an order takes, with what belongs to it.
const rowsPerOrder = 6

// Run makes the tables, in a database that has none of them.
func (s *System) Run(ctx context.Context, out *program.Output) error {
	start := time.Now()
	cfg := shopsystem.Config{System: s.Name, Version: s.Release, Seed: s.Seed, Orders: s.Orders,
		Prefix: shopsystem.DefaultPrefix(s.Name)}
	if s.Prefix != nil {
		cfg.Prefix = *s.Prefix
	}
	if known := shopsystem.Versions(s.Name); s.Release == "" && len(known) > 0 {
		cfg.Version = known[len(known)-1]
	}
	plan, err := shopsystem.New(cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	db, err := shopdb.Open(ctx, s.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	r := systemResult{Config: cfg, Products: len(plan.Products), Customers: len(plan.Customers),
		Reviews: len(plan.Reviews)}
	bar := out.Bar()
	defer bar.Close()
	err = shopsystem.Load(ctx, db.SQL(), plan, func(rows int) {
		r.Rows += rows
		bar.Show("loading rows", int64(r.Rows), int64(rowsPerOrder*cfg.Orders))
	})
	if errors.Is(err, shopsystem.ErrNotEmpty) {
		return fmt.Errorf("%w; name an empty database, or another --prefix", err)
	}
	if err != nil {
		return err
	}
	if s.Truth != "" {
		if err := writeTruth(s.Truth, plan.Truth()); err != nil {
			return err
		}
	}
	r.Seconds = time.Since(start).Seconds()
	return out.Result(fmt.Sprintf("Loaded a shop of %s %s: %d customers, %d products, %d orders, %d reviews in %d rows "+
		"(%.1f s).",
		r.System, r.Version, r.Customers, r.Products, r.Orders, r.Reviews, r.Rows, r.Seconds), r)
}

func writeTruth(name string, truth shopsystem.Truth) error {
	text, err := json.MarshalIndent(truth, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the planted tastes: %w", err)
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the planted tastes: %w", err)
	}
	return nil
}
