package publish

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kindred/internal/job/etl"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/shop"
)

type catalogueCommand struct {
	envconfig.PGVector
	etl.Source

	MaxShrink    float64 `default:"0.5" help:"Refuse the catalogue if more than this share (0 to 1) of the known products are gone, or if the number of products that can be bought has fallen by more than this share. 0 refuses every loss, unlike etl's --max-shrink 0. 1 turns the check off."`
	AcceptShrink bool    `help:"Accept, this once, a catalogue that shrank by more than --max-shrink, or in which nothing can be bought."`
	ReplaceShop  bool    `help:"Forget, this once, the state of another shop's products, and write the state of this shop's products."`
}

// CatalogueResult is what a catalogue changed.
type CatalogueResult struct {
	Shop   string    `json:"shop"`
	ReadAt time.Time `json:"read_at"` // the time that the values have
	vectorstore.CatalogueResult

	LeftOut     int64   `json:"left_out"`     // rows of the shop without a usable id, or with that of another row
	ReadSeconds float64 `json:"read_seconds"` // of Seconds, reading the shop
	Seconds     float64 `json:"seconds"`
}

// Unchanged reports whether the run was a no-op.
func (r CatalogueResult) Unchanged() bool { return r.Values == 0 }

func (r CatalogueResult) sentence() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The shop %s lists %d products, of which %d can be bought: ", r.Shop, r.Products, r.Available)
	if r.Unchanged() {
		b.WriteString("nothing has changed.")
	} else {
		fmt.Fprintf(&b, "%d are new, %d have changed, %d are gone.", r.New, r.Changed, r.Gone)
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(&b, "\n%d rows were left out: they have no usable id, or that of another row; `etl check` shows some.",
			r.LeftOut)
	}
	return b.String()
}

// Run reads the shop's products and writes what has changed. Then it deletes what events said and no longer
// counts.
func (c *catalogueCommand) Run(ctx context.Context, out *program.Output) error {
	start := time.Now()
	if !(c.MaxShrink >= 0 && c.MaxShrink <= 1) {
		return fmt.Errorf("%w: --max-shrink is %g, want 0 to 1", program.ErrConfig, c.MaxShrink)
	}
	o := vectorstore.CatalogueOptions{MaxShrink: c.MaxShrink, ReplaceShop: c.ReplaceShop}
	if c.AcceptShrink {
		o.MaxShrink = 1
	}
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		listed, err := c.Listings(ctx, out)
		if err != nil {
			return err
		}
		result := CatalogueResult{Shop: listed.Shop, ReadAt: listed.ReadAt.UTC(), LeftOut: listed.LeftOut,
			ReadSeconds: time.Since(start).Seconds()}
		read := vectorstore.Catalogue{Shop: listed.Shop, ReadAt: listed.ReadAt, Products: make([]vectorstore.Product,
			len(listed.Products))}
		for i := range listed.Products {
			read.Products[i] = productOf(&listed.Products[i])
		}
		if result.CatalogueResult, err = s.WriteCatalogue(ctx, read, o); err != nil {
			return err
		}
		if err := s.PruneState(ctx); err != nil {
			return fmt.Errorf("the catalogue is written: %w", err)
		}
		result.Seconds = time.Since(start).Seconds()
		return out.Result(result.sentence(), result)
	})
}

// productOf is a listing as the vector database keeps it.
func productOf(l *shop.Listing) vectorstore.Product {
	p := vectorstore.Product{ID: l.ID, Available: l.Available, Stock: l.Stock, Currency: l.Currency,
		Categories: l.Categories,
		Brand:      l.Brand, Name: l.Name, URL: l.URL, Image: l.Image}
	if l.Price != nil {
		p.Price = l.Price.String()
	}
	if len(l.Attributes) > 0 {
		p.Attributes = make(map[string]any, len(l.Attributes))
	}
	for _, a := range l.Attributes {
		switch {
		case a.Text != nil:
			p.Attributes[a.Name] = *a.Text
		case a.Number != nil:
			p.Attributes[a.Name] = *a.Number
		case a.Flag != nil:
			p.Attributes[a.Name] = *a.Flag
		}
	}
	return p
}
