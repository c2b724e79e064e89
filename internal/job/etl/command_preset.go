package etl

import (
	"context"
	"errors"
	"fmt"

	"kindred/internal/platform/program"
	"kindred/internal/shop/mapping"
	"kindred/internal/shop/preset"
)

// Preset chooses one of the mappings that kindred brings along, and its variables. A variable that
// is not given is looked up in the shop.
type Preset struct {
	Preset      string  `env:"ETL_PRESET" placeholder:"NAME" help:"Read a shop system that kindred knows: auto, woocommerce, magento2, openmage, prestashop, opencart, shopware6, sylius, bagisto or classicmodels. auto recognises the system by its tables. --preset ratings or --preset interactions reads kindred's own tables instead."`
	Prefix      *string `env:"ETL_PREFIX" placeholder:"TEXT" help:"With --preset: what the names of the shop's tables begin with. Needed only if one database holds several shops."`
	Store       string  `env:"ETL_STORE" placeholder:"ID" help:"With --preset: the store, channel or website whose orders are read, or all."`
	Language    string  `env:"ETL_LANGUAGE" placeholder:"ID" help:"With --preset: the language of the products' names."`
	Currency    string  `env:"ETL_CURRENCY" placeholder:"CODE" help:"With --preset: the currency of the prices."`
	Paid        string  `env:"ETL_PAID" placeholder:"STATES" help:"With --preset: the states of orders that count as sold, separated by commas."`
	LiveVersion string  `env:"ETL_LIVE_VERSION" placeholder:"ID" help:"With --preset shopware6: the id of the row version that the storefront shows."`
}

// given are the variables that have a value.
func (p Preset) given() map[string]string {
	all := map[string]string{}
	for name, value := range map[string]string{"store": p.Store, "language": p.Language, "currency": p.Currency,
		"paid": p.Paid, "live_version": p.LiveVersion} {
		if value != "" {
			all[name] = value
		}
	}
	return all
}

func (p Preset) check(mappingFile string) error {
	switch {
	case p.Preset != "" && mappingFile != "":
		return errors.New("--preset and --mapping exclude each other")
	case p.Preset == "" && (p.Prefix != nil || len(p.given()) > 0):
		return errors.New("--prefix, --store, --language, --currency, --paid and --live-version need --preset")
	}
	return nil
}

// find recognises the shop and writes its mapping. found names the system.
func (p Preset) find(ctx context.Context, dsn string) (m mapping.Mapping, found string, err error) {
	made, err := p.Map(ctx, dsn)
	if err != nil {
		return m, "", err
	}
	m, err = mapping.Parse(made.SQL)
	return m, made.Found.String(), err
}

// Map recognises the shop and writes its mapping. program.ErrConfig marks what other flags mend.
func (p Preset) Map(ctx context.Context, dsn string) (preset.Mapping, error) {
	m, err := preset.Of(ctx, dsn, preset.Choice{System: p.Preset, Prefix: p.Prefix}, p.given())
	for _, mend := range []error{preset.ErrUnknownShop, preset.ErrSeveralShops, preset.ErrVariable} {
		if errors.Is(err, mend) {
			return m, fmt.Errorf("%w: %w", program.ErrConfig, err)
		}
	}
	return m, err
}
