package shopdb

import (
	"context"
	"database/sql"
	"fmt"

	"kindred/internal/shop"
)

// Customers reads all customers by number.
func (db *DB) Customers(ctx context.Context) ([]shop.Customer, error) {
	const query = "SELECT customerNumber, customerName, city, state, postalCode, country, creditLimit FROM customers " +
		"ORDER BY customerNumber"
	return readAll(ctx, db, "customers", query, func(rows *sql.Rows) (c shop.Customer, err error) {
		var credit *string
		if err := rows.Scan(&c.ID, &c.Name, &c.City, &c.State, &c.PostalCode, &c.Country, &credit); err != nil ||
			credit == nil {
			return c, err
		}
		cents, err := shop.ParseCents(*credit)
		c.CreditLimit = &cents
		return c, err
	})
}

// Products reads all products by code.
func (db *DB) Products(ctx context.Context) ([]shop.Product, error) {
	const query = "SELECT productCode, productName, productLine, productScale, productVendor, quantityInStock, " +
		"buyPrice, MSRP FROM products ORDER BY productCode"
	return readAll(ctx, db, "products", query, func(rows *sql.Rows) (p shop.Product, err error) {
		var buy, msrp string
		if err := rows.Scan(&p.Code, &p.Name, &p.Line, &p.Scale, &p.Vendor, &p.QuantityInStock, &buy, &msrp); err != nil {
			return p, err
		}
		if p.BuyPrice, err = shop.ParseCents(buy); err != nil {
			return p, err
		}
		p.MSRP, err = shop.ParseCents(msrp)
		return p, err
	})
}

// Liked reads the ratings with at least minStars, by customer and product.
func (db *DB) Liked(ctx context.Context, minStars int8) ([]shop.Rating, error) {
	const query = "SELECT customerNumber, productCode, productRating, ratedAt FROM ratings WHERE productRating >= ? " +
		"ORDER BY customerNumber, productCode"
	return readAll(ctx, db, "ratings", query, func(rows *sql.Rows) (r shop.Rating, err error) {
		return r, rows.Scan(&r.CustomerID, &r.ProductCode, &r.Stars, &r.RatedAt)
	}, minStars)
}

func readAll[T any](ctx context.Context, db *DB, what, query string, scan func(*sql.Rows) (T, error),
	args ...any) ([]T, error) {
	rows, err := db.sql.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, db.witness.Explain(err))
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", what, db.witness.Explain(err))
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", what, db.witness.Explain(err))
	}
	return all, nil
}
