package integration

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/lab/shopsystem"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop"
)

// mustReadHistory reads the current training set of a lake that is a folder.
func mustReadHistory(t *testing.T, folder string) (*trainingset.History, commit.Manifest) {
	t.Helper()
	repo := commit.NewRepository(objectstore.NewFolder(folder), envconfig.TrainingSetPrefix)
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h, err := trainingset.ReadHistory(t.Context(), repo, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return h, m
}

// rowsOf are a history's rows in the form in which a plan expects them.
func rowsOf(h *trainingset.History) (e shopsystem.Expected) {
	for _, p := range h.Products {
		row := shopsystem.ProductRow{ID: p.ID, Name: p.Name, Categories: p.Categories, Brand: p.Brand, Available: p.Available}
		if p.Price != nil {
			row.Price = strings.TrimSuffix(p.Price.String(), "00")
		}
		e.Products = append(e.Products, row)
	}
	for _, c := range h.Customers {
		e.Customers = append(e.Customers, shopsystem.CustomerRow{ID: c.ID, Country: c.Country, City: c.City})
	}
	for _, i := range h.Entries {
		row := shopsystem.InteractionRow{Product: h.Products[i.Product].ID, Kind: h.Kinds[i.Kind]}
		if i.Customer != trainingset.None {
			row.Customer = h.Customers[i.Customer].ID
		}
		if i.Session != trainingset.None {
			row.Session = h.Sessions[i.Session]
		}
		if i.Order != trainingset.None {
			row.Order = h.Orders[i.Order]
		}
		if row.Kind == shop.KindRating {
			row.Stars = int(i.Value)
		} else if i.Quantity == i.Quantity {
			row.Quantity = int(i.Quantity)
		}
		if i.At != trainingset.NoTime {
			row.At = time.UnixMilli(i.At).UTC()
		}
		e.Interactions = append(e.Interactions, row)
	}
	return e
}

func TestEtlKeepsEveryRowThatAPresetShows(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	for _, system := range shopsystem.Systems() {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			dsn := stack.mustDatabase(t)
			db := mustOpen(t, dsn)
			versions := shopsystem.Versions(system)
			plan := mustLoadSystem(t, db, shopsystem.Config{System: system, Version: versions[len(versions)-1],
				Prefix: shopsystem.DefaultPrefix(system), Seed: 7, Orders: 600})
			folder := t.TempDir()
			l := lake{stack: stack, location: "file://" + folder}
			check := l.mustEtl(t, dsn, "check", "--preset", "auto")
			t.Log(check.stdout)
			store := 0
			if system == "shopware6" { // it has no first store
				store = shopsystem.AllStores
			}
			a := l.mustEtl(t, dsn, "--preset", "auto")
			t.Log(a.stdout)
			h, m := mustReadHistory(t, folder)
			want, got := plan.Expect(shopsystem.View{Store: store}), rowsOf(h)
			listed := map[string]bool{}
			for _, c := range want.Customers {
				listed[c.ID] = true
			}
			got.Customers = slices.DeleteFunc(got.Customers, func(c shopsystem.CustomerRow) bool { return !listed[c.ID] })
			wantRows(t, want, got)
			if again := l.etl(t, dsn, "--preset", system); again.code != 0 || !strings.Contains(again.stdout, "nothing written") {
				t.Errorf("the same shop again: %+v", again)
			}
			if show := l.mustEtl(t, dsn, "show"); !strings.Contains(show.stdout, m.Run) {
				t.Error(show.stdout)
			}
			l.mustEtl(t, dsn, "verify")
		})
	}
}
