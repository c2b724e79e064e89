package shopdb

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/shop"
)

func TestOpenRefusesBadDSNWithoutShowingIt(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "root:hunter2@tcp(127.0.0.1:3306)", "root:hunter2@tcp(127.0.0.1:3306)/",
		"root:hunter2@nowhere/db?x",
		"root:hunter2@tcp(127.0.0.1:3306)/mysql", "root:hunter2@tcp(127.0.0.1:3306)/SYS"} {
		_, err := Open(t.Context(), dsn)
		if !errors.Is(err, ErrDSN) {
			t.Errorf("Open(%q): %v, want ErrDSN", dsn, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error shows the password: %v", err)
		}
	}
}

func TestEachTableHasASchemaThatCanBeRenamed(t *testing.T) {
	t.Parallel()
	for _, table := range slices.Concat(ratingTables, historyTables, []string{seedTable}) {
		ddl, err := schema.ReadFile("schema/" + table + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(ddl), "CREATE TABLE "+table+" ("); n != 1 {
			t.Errorf("schema of %s makes it %d times", table, n)
		}
	}
}

// TestFingerprintSeesEveryColumn changes one value at a time.
func TestFingerprintSeesEveryColumn(t *testing.T) {
	t.Parallel()
	moment, later := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_001, 0)
	limit, state := shop.Cents(100), "NY"
	base := func() ([]shop.Customer, []shop.Product, []shop.Rating) {
		return []shop.Customer{{ID: "1", Name: "A"}}, []shop.Product{{Code: "P", Name: "B"}},
			[]shop.Rating{{CustomerID: "1", ProductCode: "P", Stars: 3, RatedAt: &moment}}
	}
	changes := map[string]func(*shop.Customer, *shop.Product, *shop.Rating){
		"nothing":  func(*shop.Customer, *shop.Product, *shop.Rating) {},
		"name":     func(c *shop.Customer, _ *shop.Product, _ *shop.Rating) { c.Name = "C" },
		"credit":   func(c *shop.Customer, _ *shop.Product, _ *shop.Rating) { c.CreditLimit = &limit },
		"state":    func(c *shop.Customer, _ *shop.Product, _ *shop.Rating) { c.State = &state },
		"price":    func(_ *shop.Customer, p *shop.Product, _ *shop.Rating) { p.MSRP = 1 },
		"stock":    func(_ *shop.Customer, p *shop.Product, _ *shop.Rating) { p.QuantityInStock = 1 },
		"stars":    func(_ *shop.Customer, _ *shop.Product, r *shop.Rating) { r.Stars = 4 },
		"time":     func(_ *shop.Customer, _ *shop.Product, r *shop.Rating) { r.RatedAt = &later },
		"no time":  func(_ *shop.Customer, _ *shop.Product, r *shop.Rating) { r.RatedAt = nil },
		"customer": func(_ *shop.Customer, _ *shop.Product, r *shop.Rating) { r.CustomerID = "2" },
	}
	seen := map[string]string{}
	for name, change := range changes {
		c, p, r := base()
		change(&c[0], &p[0], &r[0])
		hash, n, err := fingerprint(Content{Customers: c, Products: p, Ratings: slices.Values(r)})
		if err != nil || n != 1 {
			t.Fatalf("%s: %d ratings, error %v", name, n, err)
		}
		if other, ok := seen[hash]; ok {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[hash] = name
	}
}

func TestFingerprintRefusesWhatTheSchemaCannotHold(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]Content{
		"six stars": {Ratings: slices.Values([]shop.Rating{{CustomerID: "1", ProductCode: "P", Stars: 6}})},
		"no code":   {Products: []shop.Product{{Name: "B"}}, Ratings: slices.Values([]shop.Rating(nil))},
	} {
		if _, _, err := fingerprint(content); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A port where something else listens, which waits for us to speak first, as PostgreSQL does.
func TestServerThatSaysNothingEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	_, err = Open(ctx, "root:hunter2@tcp("+listener.Addr().String()+")/shop?timeout=100ms")
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("error %v, want one that names the server before the context ends", err)
	}
}
