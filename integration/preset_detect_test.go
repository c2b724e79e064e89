package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"kindred/internal/lab/shopsystem"
	"kindred/internal/shop/preset"
)

// wantUndetected checks that a database is refused with a sentence.
func wantUndetected(t *testing.T, db *sql.DB, choice preset.Choice, want error, sentences ...string) {
	t.Helper()
	found, err := preset.Detect(t.Context(), db, choice)
	if !errors.Is(err, want) {
		t.Fatalf("found %v, error %v, want %v", found, err, want)
	}
	for _, s := range sentences {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q is not in: %v", s, err)
		}
	}
}

func TestDatabaseOfSeveralShopsIsRefusedUntilOneIsNamed(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	presta := shopsystem.Config{System: "prestashop", Version: "8", Prefix: "ps_", Seed: 1, Orders: 40}
	second := presta
	second.Prefix, second.Orders = "Second_shop_", 50
	_, db := stack.mustSystem(t, presta)
	plan := mustLoadSystem(t, db, second)
	wantUndetected(t, db, preset.Choice{}, preset.ErrSeveralShops, "PrestaShop 1.7.8 to 8 (tables ps_…)",
		"--prefix 'Second_shop_'", "choose one with --prefix")
	m := mustMap(t, db, preset.Choice{Prefix: new("Second_shop_")}, nil)
	wantRows(t, plan.Expect(shopsystem.View{}), readMapping(t, db, m))
}

func TestDatabaseOfTwoSystemsIsRefusedByBothNames(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	_, db := stack.mustSystem(t, shopsystem.Config{System: "prestashop", Version: "8", Prefix: "ps_", Seed: 1, Orders: 40})
	plan := mustLoadSystem(t, db, shopsystem.Config{System: "opencart", Version: "3.0", Prefix: "oc_",
		Seed: 1, Orders: 60})
	wantUndetected(t, db, preset.Choice{System: preset.Auto}, preset.ErrSeveralShops, "PrestaShop 1.7.8 to 8",
		"OpenCart 3.0", "--preset opencart", "--preset prestashop", "choose one with --preset")
	m := mustMap(t, db, preset.Choice{System: "opencart"}, nil)
	wantRows(t, plan.Expect(shopsystem.View{}), readMapping(t, db, m))
}

func TestUnknownShopIsToldWhatItsTablesLookLike(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	db := mustOpen(t, stack.mustDatabase(t))
	wantUndetected(t, db, preset.Choice{}, preset.ErrUnknownShop, "0 tables", "no table looks like orders", "--mapping")
	mustExec(t, db, "CREATE TABLE my_bestellungen (id int)")
	mustExec(t, db, "CREATE TABLE my_artikel (id int)")
	mustExec(t, db, "CREATE TABLE weather (id int)")
	wantUndetected(t, db, preset.Choice{}, preset.ErrUnknownShop, "3 tables", "orders: my_bestellungen",
		"products: my_artikel",
		"-- kindred: interactions")
	wantUndetected(t, db, preset.Choice{System: "shopify"}, preset.ErrUnknownShop, `no preset "shopify"`, "woocommerce")

	mustLoadSystem(t, db, shopsystem.Config{System: "prestashop", Version: "9", Prefix: "ps_", Seed: 1, Orders: 20})
	mustExec(t, db, "ALTER TABLE ps_orders DROP COLUMN valid")
	wantUndetected(t, db, preset.Choice{}, preset.ErrUnknownShop,
		"PrestaShop lacks ps_orders.valid (or SELECT is not granted on it)")
}

func TestEverySystemIsRecognisedWithAnotherPrefix(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	for _, system := range shopsystem.Systems() {
		c := shopsystem.Config{System: system, Version: shopsystem.Versions(system)[0], Prefix: "my-shop_2_",
			Seed: 3, Orders: 60}
		if c.Validate() != nil { // its tables have no prefix
			continue
		}
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			plan, db := stack.mustSystem(t, c)
			m := mustMap(t, db, preset.Choice{}, nil)
			if m.Found.Prefix != c.Prefix {
				t.Errorf("found %v", m.Found)
			}
			wantRows(t, plan.Expect(shopsystem.View{}), readMapping(t, db, m))
		})
	}
}

// secondOf names the second store, language and currency of a system, as its own tables do.
var secondOf = map[string]struct{ store, language, currency string }{
	"magento2":   {store: "B2B", currency: "USD"},
	"openmage":   {store: "3", currency: "USD"},
	"prestashop": {store: "2", language: "Deutsch", currency: "USD"},
	"opencart":   {store: "1", language: "2", currency: "USD"},
	"shopware6":  {store: "B2B", language: "d00d0000-0000-0000-0000-000000000005", currency: "USD"},
	"sylius":     {store: "B2B", language: "de_DE"},
	"bagisto":    {store: "b2b", language: "de", currency: "USD"},
}

func TestAnotherStoreLanguageAndCurrencyAreChosenByName(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	for system, second := range secondOf {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			all := shopsystem.Versions(system)
			plan, db := stack.mustSystem(t, shopsystem.Config{System: system, Version: all[len(all)-1],
				Prefix: shopsystem.DefaultPrefix(system), Seed: 5, Orders: 300})
			given := map[string]string{"store": second.store}
			view := shopsystem.View{Store: 1}
			if second.language != "" {
				given["language"], view.Language = second.language, 1
			}
			want := plan.Expect(view)
			if second.currency != "" { // Sylius has prices of each channel instead
				given["currency"] = second.currency
			}
			for i, p := range want.Products { // two dollars for a euro, whatever the system
				want.Products[i].Price = money(t, fmt.Sprint(2*mustFloat(t, p.Price)))
			}
			wantRows(t, want, readMapping(t, db, mustMap(t, db, preset.Choice{}, given)))

			everything := mustMap(t, db, preset.Choice{}, map[string]string{"store": preset.Everything})
			wantRows(t, plan.Expect(shopsystem.View{Store: shopsystem.AllStores}), readMapping(t, db, everything))

			found := everything.Found
			for name, value := range map[string]string{"store": "4711", "language": "Klingon", "currency": "XXX",
				"color": "red"} {
				if _, err := preset.Map(t.Context(), db, found, map[string]string{name: value}); !errors.Is(err,
					preset.ErrVariable) {
					t.Errorf("%s %q: error %v", name, value, err)
				}
			}
		})
	}
}

func mustFloat(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
