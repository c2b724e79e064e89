package seed

import (
	"context"
	"encoding/json"
	"fmt"

	"kindred/internal/lab/simulation"
	"kindred/internal/platform/program"
	"kindred/internal/shop/shopdb"
)

// Generate is `seed generate`.
type Generate struct {
	target
	Scale float64  `default:"1" help:"Size of the shop. 1 is about 2,000 customers, 800 products and 100,000 ratings."`
	Seed  uint64   `default:"1" help:"Seed of the random numbers. Another one gives another shop."`
	Drift *float64 `help:"How far tastes move over the two years of ratings, in standard deviations of the tastes of all customers. Default: 0.2."`
}

// maxScale is ten million customers.
const maxScale = 5_000

// Run loads the generated shop and leaves its parameters in the lake.
func (g *Generate) Run(ctx context.Context, out *program.Output) error {
	if !(g.Scale > 0 && g.Scale <= maxScale) {
		return fmt.Errorf("%w: --scale is %v, want more than 0 and at most %d", program.ErrConfig, g.Scale, maxScale)
	}
	cfg := simulation.DefaultConfig(g.Scale)
	cfg.Seed = g.Seed
	if g.Drift != nil {
		cfg.Drift = *g.Drift
	}
	shop, err := simulation.New(cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	planted, err := json.MarshalIndent(cfg, "", "  ")
	if err != nil {
		return fmt.Errorf("encode shop configuration: %w", err)
	}
	content := shopdb.Content{Kind: "generated", Customers: shop.Customers(), Products: shop.Products(),
		Ratings: shop.Ratings()}
	expected := int(float64(cfg.Customers)*(1-cfg.SilentCustomers)*cfg.RatingsPerCustomer) + cfg.Customers + cfg.Products
	r, err := g.load(ctx, out, ratings(content), planted, expected)
	if err != nil {
		return err
	}
	return out.Result(r.sentence("generated shop"), r)
}
