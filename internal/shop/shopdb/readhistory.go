package shopdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
	"kindred/internal/shop/mapping"
)

// HasHistory reports whether the database holds a shop in kindred's own tables of contract 2.
func (db *DB) HasHistory(ctx context.Context) (bool, error) {
	var n int
	err := db.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "+
		"AND TABLE_NAME = ?", mapping.OwnInteractions).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for table %s: %w", mapping.OwnInteractions, db.witness.Explain(err))
	}
	return n > 0, nil
}

// Listed reads the ids and names of all products of contract 2, by id. Those that cannot be bought
// have no stock.
func (db *DB) Listed(ctx context.Context) ([]shop.Product, error) {
	all, err := readAll(ctx, db, "products", "SELECT id, name, available FROM kindred_products",
		func(rows *sql.Rows) (p shop.Product, err error) {
			return p, rows.Scan(&p.Code, &p.Name, &p.QuantityInStock)
		})
	slices.SortFunc(all, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) })
	return all, err
}

// Wanted reads the newest interactions of contract 2, at most most, as if they were likes: what was
// taken back and low stars are left out. Who did them is a customer or a session. customers are the
// customers among them, by id.
func (db *DB) Wanted(ctx context.Context, minStars int8, most int) (customers []shop.Customer,
	liked []shop.Rating, err error) {
	type deed struct {
		shop.Rating
		customer bool
	}
	const query = "SELECT COALESCE(customer, session), customer IS NOT NULL, product FROM kindred_interactions " +
		"WHERE COALESCE(quantity, 1) > 0 AND (kind <> 'rating' OR value >= ?) ORDER BY n DESC LIMIT ?"
	all, err := readAll(ctx, db, "interactions", query, func(rows *sql.Rows) (d deed, err error) {
		return d, rows.Scan(&d.CustomerID, &d.customer, &d.ProductCode)
	}, minStars, most)
	if err != nil {
		return nil, nil, err
	}
	places, err := readAll(ctx, db, "customers",
		"SELECT id, COALESCE(country, ''), COALESCE(city, '') FROM kindred_customers", func(rows *sql.Rows) (c shop.Customer,
			err error) {
			return c, rows.Scan(&c.ID, &c.Country, &c.City)
		})
	if err != nil {
		return nil, nil, err
	}
	known, seen := map[string]shop.Customer{}, map[string]bool{}
	for _, c := range places {
		known[c.ID] = c
	}
	for _, d := range all {
		liked = append(liked, d.Rating)
		if d.customer && !seen[d.CustomerID] {
			seen[d.CustomerID] = true
			c := known[d.CustomerID]
			c.ID = d.CustomerID
			customers = append(customers, c)
		}
	}
	slices.SortFunc(customers, func(a, b shop.Customer) int { return text.CompareIDs(a.ID, b.ID) })
	slices.SortStableFunc(liked, func(a, b shop.Rating) int { return strings.Compare(a.CustomerID, b.CustomerID) })
	return customers, liked, nil
}
