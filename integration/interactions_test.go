package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// oddModes change what a query means, which dates a session reads and which GROUP BY is refused.
const oddModes = "--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,ONLY_FULL_GROUP_BY,TRADITIONAL," +
	"HIGH_NOT_PRECEDENCE"

func TestEtlKeepsEveryRowThatAPresetShows(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	stack.MySQLAdminDSN = mustMySQLServer(t, oddModes).FormatDSN()
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
			if again := l.etl(t, dsn, "--preset", system); again.code != 0 || !strings.Contains(again.stdout,
				"nothing written") {
				t.Errorf("the same shop again: %+v", again)
			}
			if show := l.mustEtl(t, dsn, "show"); !strings.Contains(show.stdout, m.Run) {
				t.Error(show.stdout)
			}
			l.mustEtl(t, dsn, "verify")
		})
	}
}

// orderRows fills the shop of testdata/order-mapping: good rows, and some of each fault.
const orderRows = `
INSERT INTO account VALUES (0x0FA91CE3E96A4BC2BE4BD9CE752C3425, 'a@example.org', 'FR', 'Łódź', 'gold'),
	(0x1FA91CE3E96A4BC2BE4BD9CE752C3425, 'b@example.org', NULL, NULL, NULL);
INSERT INTO ware VALUES ('007', 'Seven', '["Tea", "Black", "Tea", null]', 'Łoś', 4.99, 5, 1, 1.5, 1), ('7', 'Other', '[1]', NULL, NULL, NULL, 0, NULL, 1),
	('ü😀', NULL, 'Tea', NULL, 19.999949, 0, 0, NULL, 1), ('gone', 'Gone', NULL, NULL, 1, 1, 0, NULL, 0), ('dear', 'Dear', NULL, NULL, -1, 1, 0, NULL, 1);
INSERT INTO sale VALUES (18446744073709551615, 0x0FA91CE3E96A4BC2BE4BD9CE752C3425, '2024-02-29 23:59:59'), (2, NULL, '2024-01-01'), (3, 0x2FA91CE3E96A4BC2BE4BD9CE752C3425, '2199-01-01');
INSERT INTO sale_line (sale, sku, n) VALUES (18446744073709551615, '007', 2), (18446744073709551615, '7', -1), (2, 'ü😀', 1), (2, 'gone', 1), (3, '7', 0), (3, '007', 1);
INSERT INTO basket VALUES ('v1', NULL, '007', 'VIEW', '0000-00-00'), ('v1', NULL, '7', '', '2024-01-01'), ('', NULL, '7', 'view', '2024-01-01'),
	(REPEAT('x', 129), NULL, '7', 'view', '2024-01-01'), ('v2', NULL, '', 'cart', '2024-01-01'), ('v2', NULL, '7', 'wishlist', '2024-00-01');
INSERT INTO opinion VALUES (0x0FA91CE3E96A4BC2BE4BD9CE752C3425, '7', 4.5, NULL), (0x0FA91CE3E96A4BC2BE4BD9CE752C3425, '007', 0, NULL);
`

func TestMappingWithInteractionsCountsEveryFault(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn := stack.mustDatabase(t)
	db := mustOpen(t, dsn)
	tables, err := os.ReadFile(filepath.Join("..", "testdata", "order-mapping", "tables.sql"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range strings.SplitAfter("SET SESSION sql_mode = '';\n"+string(tables)+orderRows, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v in %s", err, statement)
		}
	}
	folder := t.TempDir()
	l := lake{stack: stack, location: "file://" + folder}
	mapping := filepath.Join("..", "testdata", "order-mapping", "shop.sql")
	for _, args := range [][]string{{"check"}, {}} {
		a := l.etl(t, dsn, append(args, "--mapping", mapping)...)
		for _, part := range []string{"--max-missing-keys", "--max-orphans", `product "gone" of order "2"`, "--max-bad-kinds",
			"--max-bad-stars", "--max-bad-quantities", "--max-future-dates"} {
			if a.code != 1 || !strings.Contains(a.stderr, part) {
				t.Errorf("etl %v: exit %d, without %q: %s", args, a.code, part, a.stderr)
			}
		}
	}
	loose := []string{"--mapping", mapping, "--max-missing-keys=1", "--max-orphans=1", "--max-bad-kinds=1",
		"--max-bad-stars=1", "--max-bad-quantities=1", "--max-future-dates=1", "--max-bad-dates=1", "--max-bad-attributes=1",
		"--max-bad-amounts=1"}
	l.mustEtl(t, dsn, loose...)
	h, m := mustReadHistory(t, folder)
	var details struct {
		Interactions struct {
			Interactions int64               `json:"interactions"`
			Broken       map[shop.Rule]int64 `json:"broken"`
		} `json:"interactions"`
	}
	if err := json.Unmarshal(m.Details, &details); err != nil {
		t.Fatal(err)
	}
	want := map[shop.Rule]int64{shop.InteractionKey: 2, shop.InteractionID: 1, shop.InteractionKind: 1,
		shop.InteractionValue:    1,
		shop.InteractionQuantity: 1, shop.InteractionProduct: 1, shop.InteractionCustomer: 1, shop.InteractionTime: 1,
		shop.InteractionFuture: 1, shop.ProductValue: 1, shop.ProductAmount: 1, shop.ProductCategories: 1}
	if diff := cmp.Diff(want, details.Interactions.Broken); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if details.Interactions.Interactions != 14 || len(h.Entries) != 7 {
		t.Errorf("%d interactions were read, %d kept", details.Interactions.Interactions, len(h.Entries))
	}
	if diff := cmp.Diff(shop.Listing{ID: "007", Name: "Seven", Categories: []string{"Black", "Tea"}, Brand: "Łoś",
		Price: new(shop.Money(4_9900)), Currency: "EUR", Available: true, Stock: new(int64(5)), URL: "/ware/007",
		Attributes: []shop.Attribute{{Name: "grams", Number: new(1.5)}, {Name: "organic", Flag: new(true)}}},
		h.Products[0]); diff != "" {
		t.Errorf("product (-want +got):\n%s", diff)
	}
	if c := h.Customers[0]; len(h.Customers) != 3 || c.ID != "0fa91ce3e96a4bc2be4bd9ce752c3425" || c.City != "Łódź" ||
		len(c.Attributes) != 1 || *c.Attributes[0].Text != "gold" {
		t.Errorf("customers %+v", h.Customers)
	}
	if slices.Sort(h.Kinds); !slices.Contains(h.Orders, "18446744073709551615") ||
		!slices.Equal(h.Kinds, []string{"purchase", "rating", "view", "wishlist"}) {
		t.Errorf("orders %q, kinds %q", h.Orders, h.Kinds)
	}
	part := l.etl(t, dsn, "--mapping", mapping, "--job", "j", "--partition", "0/2")
	part.wantSentence(t, 2, "is read whole by one process")
}
