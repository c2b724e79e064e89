// Command plain is the extract as one writes it first: go-sql-driver, the join in SQL, rows scanned
// into a struct, parquet-go's generic writer. A peer of the benchmark.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/parquet-go/parquet-go"

	"kindred/internal/shop"
)

type row struct {
	CustomerID      int32     `parquet:"customerNumber"`
	City            string    `parquet:"city,dict"`
	State           *string   `parquet:"state,optional,dict"`
	PostalCode      *string   `parquet:"postalCode,optional,dict"`
	Country         string    `parquet:"country,dict"`
	CreditLimit     *int64    `parquet:"creditLimit,optional,decimal(2:10)"`
	ProductCode     string    `parquet:"productCode,dict"`
	ProductLine     string    `parquet:"productLine,dict"`
	ProductScale    string    `parquet:"productScale,dict"`
	QuantityInStock int32     `parquet:"quantityInStock"`
	BuyPrice        int64     `parquet:"buyPrice,decimal(2:10)"`
	MSRP            int64     `parquet:"MSRP,decimal(2:10)"`
	ProductRating   int32     `parquet:"productRating"`
	RatedAt         time.Time `parquet:"ratedAt,timestamp(millisecond)"`
}

const (
	groupRows = 1 << 20
	batchRows = 4096
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dsn, query, out string) (err error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, db.Close()) }()
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	w := parquet.NewGenericWriter[row](file, parquet.Compression(&parquet.Snappy))
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, rows.Close()) }()
	batch := make([]row, 0, batchRows)
	inGroup := 0
	flush := func() error {
		n, err := w.Write(batch)
		batch = batch[:0]
		if inGroup += n; err == nil && inGroup >= groupRows {
			inGroup = 0
			err = w.Flush()
		}
		return err
	}
	for rows.Next() {
		var r row
		var credit *string
		var buy, msrp string
		if err := rows.Scan(&r.CustomerID, &r.City, &r.State, &r.PostalCode, &r.Country, &credit, &r.ProductCode,
			&r.ProductLine,
			&r.ProductScale, &r.QuantityInStock, &buy, &msrp, &r.ProductRating, &r.RatedAt); err != nil {
			return err
		}
		if credit != nil {
			limit, err := shop.ParseCents(*credit)
			if err != nil {
				return err
			}
			r.CreditLimit = (*int64)(&limit)
		}
		price, err := shop.ParseCents(buy)
		if err != nil {
			return err
		}
		list, err := shop.ParseCents(msrp)
		if err != nil {
			return err
		}
		r.BuyPrice, r.MSRP = int64(price), int64(list)
		if batch = append(batch, r); len(batch) == batchRows {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return firstOf(w.Close(), file.Close())
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
