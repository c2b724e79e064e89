package seed

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"kindred/internal/lab/simulation"
	"kindred/internal/platform/program"
	"kindred/internal/shop/shopdb"
)

// Generate is `seed generate`.
type Generate struct {
	target
	Scale        float64  `default:"1" help:"Size of the shop. 1 is about 2,000 customers, 800 products and 100,000 ratings."`
	Seed         uint64   `default:"1" help:"Seed of the random numbers. Another seed gives another shop."`
	Descriptions string   `placeholder:"FILE" help:"CSV file to write: for each product an embedding of 64 components, as a language model gives for a text that describes the product. train --embeddings reads it."`
	Drift        *float64 `help:"How far tastes move over the two years of ratings, in standard deviations of the tastes of all customers. Default: 0.2."`
}

// descriptionDims is the length of an embedding.
const descriptionDims = 64

// writeDescriptions writes the header id,embedding, and lists in brackets.
func writeDescriptions(name string, shop *simulation.Shop) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := csv.NewWriter(file)
	err = out.Write([]string{"id", "embedding"})
	for i, embedding := range shop.Descriptions(descriptionDims) {
		list, jsonErr := json.Marshal(embedding)
		err = cmp.Or(err, jsonErr, out.Write([]string{shop.Products()[i].Code, string(list)}))
	}
	out.Flush()
	return cmp.Or(err, out.Error())
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
	if g.Descriptions != "" {
		if err := writeDescriptions(g.Descriptions, shop); err != nil {
			return fmt.Errorf("write descriptions: %w", err)
		}
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
