package trainingset

import (
	"github.com/parquet-go/parquet-go"

	"kindred/internal/shop"
)

// ratingRow has the columns of ratings in their order. Amounts are decimal(10,2), held as cents.
// ratedAt has no time zone, as MySQL's DATETIME has none. It is the schema of the files;
// ratingWriter writes them.
type ratingRow struct {
	CustomerNumber  int32   `parquet:"customerNumber"`
	City            string  `parquet:"city"`
	State           *string `parquet:"state,optional"`
	PostalCode      *string `parquet:"postalCode,optional"`
	Country         string  `parquet:"country"`
	CreditLimit     *int64  `parquet:"creditLimit,optional,decimal(2:10)"`
	ProductCode     string  `parquet:"productCode"`
	ProductLine     string  `parquet:"productLine"`
	ProductScale    string  `parquet:"productScale"`
	QuantityInStock int16   `parquet:"quantityInStock"`
	BuyPrice        int64   `parquet:"buyPrice,decimal(2:10)"`
	MSRP            int64   `parquet:"MSRP,decimal(2:10)"`
	ProductRating   int8    `parquet:"productRating"`
	RatedAt         *int64  `parquet:"ratedAt,optional,timestamp(millisecond:local)"`
}

// interactionRow is the part of ratingRow that training reads.
type interactionRow struct {
	CustomerNumber int32  `parquet:"customerNumber"`
	ProductCode    string `parquet:"productCode"`
	ProductRating  int8   `parquet:"productRating"`
	RatedAt        *int64 `parquet:"ratedAt,optional,timestamp(millisecond:local)"`
}

type customerRow struct {
	CustomerNumber int32   `parquet:"customerNumber,delta"`
	CustomerName   string  `parquet:"customerName"`
	City           string  `parquet:"city,dict"`
	State          *string `parquet:"state,optional,dict"`
	PostalCode     *string `parquet:"postalCode,optional,dict"`
	Country        string  `parquet:"country,dict"`
	CreditLimit    *int64  `parquet:"creditLimit,optional,decimal(2:10),dict"`
}

type productRow struct {
	ProductCode     string `parquet:"productCode"`
	ProductName     string `parquet:"productName"`
	ProductLine     string `parquet:"productLine,dict"`
	ProductScale    string `parquet:"productScale,dict"`
	ProductVendor   string `parquet:"productVendor,dict"`
	QuantityInStock int16  `parquet:"quantityInStock"`
	BuyPrice        int64  `parquet:"buyPrice,decimal(2:10),dict"`
	MSRP            int64  `parquet:"MSRP,decimal(2:10),dict"`
}

// Schema is the columns of all data sets as text, in the notation of Parquet's own tools.
func Schema() string {
	return parquet.NewSchema(Ratings, parquet.SchemaOf(ratingRow{})).String() + "\n" +
		parquet.NewSchema(Customers, parquet.SchemaOf(customerRow{})).String() + "\n" +
		parquet.NewSchema(Products, parquet.SchemaOf(productRow{})).String() + "\n"
}

func toCustomerRow(c shop.Customer) customerRow {
	return customerRow{CustomerNumber: c.Number, CustomerName: c.Name, City: c.City, State: c.State,
		PostalCode: c.PostalCode,
		Country:    c.Country, CreditLimit: (*int64)(c.CreditLimit)}
}

func fromCustomerRow(r customerRow) shop.Customer {
	return shop.Customer{Number: r.CustomerNumber, Name: r.CustomerName, City: r.City, State: r.State,
		PostalCode: r.PostalCode,
		Country:    r.Country, CreditLimit: (*shop.Cents)(r.CreditLimit)}
}

func toProductRow(p shop.Product) productRow {
	return productRow{ProductCode: p.Code, ProductName: p.Name, ProductLine: p.Line, ProductScale: p.Scale,
		ProductVendor:   p.Vendor,
		QuantityInStock: p.QuantityInStock, BuyPrice: int64(p.BuyPrice), MSRP: int64(p.MSRP)}
}

func fromProductRow(r productRow) shop.Product {
	return shop.Product{Code: r.ProductCode, Name: r.ProductName, Line: r.ProductLine, Scale: r.ProductScale,
		Vendor:          r.ProductVendor,
		QuantityInStock: r.QuantityInStock, BuyPrice: shop.Cents(r.BuyPrice), MSRP: shop.Cents(r.MSRP)}
}
