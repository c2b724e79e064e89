package trainingset

import (
	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/shop"
)

// ratingRow has the columns of ratings in their order. Amounts are decimal(10,2), held as cents.
// ratedAt has no time zone, as MySQL's DATETIME has none. It is the schema of the files;
// ratingWriter writes them.
type ratingRow[C, P key] struct {
	CustomerNumber  C       `parquet:"customerNumber"`
	City            string  `parquet:"city"`
	State           *string `parquet:"state,optional"`
	PostalCode      *string `parquet:"postalCode,optional"`
	Country         string  `parquet:"country"`
	CreditLimit     *int64  `parquet:"creditLimit,optional,decimal(2:10)"`
	ProductCode     P       `parquet:"productCode"`
	ProductLine     string  `parquet:"productLine"`
	ProductScale    string  `parquet:"productScale"`
	QuantityInStock int16   `parquet:"quantityInStock"`
	BuyPrice        int64   `parquet:"buyPrice,decimal(2:10)"`
	MSRP            int64   `parquet:"MSRP,decimal(2:10)"`
	ProductRating   int8    `parquet:"productRating"`
	RatedAt         *int64  `parquet:"ratedAt,optional,timestamp(millisecond:local)"`
}

// interactionRow is the part of ratingRow that training reads.
type interactionRow[C, P key] struct {
	CustomerNumber C      `parquet:"customerNumber"`
	ProductCode    P      `parquet:"productCode"`
	ProductRating  int8   `parquet:"productRating"`
	RatedAt        *int64 `parquet:"ratedAt,optional,timestamp(millisecond:local)"`
}

type customerRow[C int32 | int64] struct {
	CustomerNumber C       `parquet:"customerNumber,delta"`
	CustomerName   string  `parquet:"customerName"`
	City           string  `parquet:"city,dict"`
	State          *string `parquet:"state,optional,dict"`
	PostalCode     *string `parquet:"postalCode,optional,dict"`
	Country        string  `parquet:"country,dict"`
	CreditLimit    *int64  `parquet:"creditLimit,optional,decimal(2:10),dict"`
}

// textCustomerRow is customerRow for ids that are text.
type textCustomerRow struct {
	CustomerNumber string  `parquet:"customerNumber"`
	CustomerName   string  `parquet:"customerName"`
	City           string  `parquet:"city,dict"`
	State          *string `parquet:"state,optional,dict"`
	PostalCode     *string `parquet:"postalCode,optional,dict"`
	Country        string  `parquet:"country,dict"`
	CreditLimit    *int64  `parquet:"creditLimit,optional,decimal(2:10),dict"`
}

type productRow[P key] struct {
	ProductCode     P      `parquet:"productCode"`
	ProductName     string `parquet:"productName"`
	ProductLine     string `parquet:"productLine,dict"`
	ProductScale    string `parquet:"productScale,dict"`
	ProductVendor   string `parquet:"productVendor,dict"`
	QuantityInStock int16  `parquet:"quantityInStock"`
	BuyPrice        int64  `parquet:"buyPrice,decimal(2:10),dict"`
	MSRP            int64  `parquet:"MSRP,decimal(2:10),dict"`
}

// Schema is the columns of all data sets as text, in the notation of Parquet's own tools.
func Schema(keys Keys) string {
	keys = keys.orSeed()
	return keys.ratings().String() + "\n" + keys.customers().String() + "\n" + keys.products().String() + "\n"
}

func (k Keys) ratings() *parquet.Schema {
	switch k.Customer {
	case Int32:
		return ratingsOf[int32](k.Product)
	case Int64:
		return ratingsOf[int64](k.Product)
	}
	return ratingsOf[string](k.Product)
}

func ratingsOf[C key](product KeyType) *parquet.Schema {
	switch product {
	case Int32:
		return parquet.NewSchema(Ratings, parquet.SchemaOf(ratingRow[C, int32]{}))
	case Int64:
		return parquet.NewSchema(Ratings, parquet.SchemaOf(ratingRow[C, int64]{}))
	}
	return parquet.NewSchema(Ratings, parquet.SchemaOf(ratingRow[C, string]{}))
}

func (k Keys) customers() *parquet.Schema {
	switch k.Customer {
	case Int32:
		return parquet.NewSchema(Customers, parquet.SchemaOf(customerRow[int32]{}))
	case Int64:
		return parquet.NewSchema(Customers, parquet.SchemaOf(customerRow[int64]{}))
	}
	return parquet.NewSchema(Customers, parquet.SchemaOf(textCustomerRow{}))
}

func (k Keys) products() *parquet.Schema {
	switch k.Product {
	case Int32:
		return parquet.NewSchema(Products, parquet.SchemaOf(productRow[int32]{}))
	case Int64:
		return parquet.NewSchema(Products, parquet.SchemaOf(productRow[int64]{}))
	}
	return parquet.NewSchema(Products, parquet.SchemaOf(productRow[string]{}))
}

// writeCustomers writes the customers' file.
func (k Keys) writeCustomers(dir string, customers []shop.Customer) ([]commit.File, error) {
	switch k.Customer {
	case Int32:
		return writeWhole(dir, Customers, customers, toCustomerRow[int32])
	case Int64:
		return writeWhole(dir, Customers, customers, toCustomerRow[int64])
	}
	return writeWhole(dir, Customers, customers, toTextCustomerRow)
}

// writeProducts writes the products' file.
func (k Keys) writeProducts(dir string, products []shop.Product) ([]commit.File, error) {
	switch k.Product {
	case Int32:
		return writeWhole(dir, Products, products, toProductRow[int32])
	case Int64:
		return writeWhole(dir, Products, products, toProductRow[int64])
	}
	return writeWhole(dir, Products, products, toProductRow[string])
}

func toCustomerRow[C int32 | int64](c shop.Customer) customerRow[C] {
	return customerRow[C]{CustomerNumber: fromID[C](c.ID), CustomerName: c.Name, City: c.City, State: c.State,
		PostalCode: c.PostalCode, Country: c.Country, CreditLimit: (*int64)(c.CreditLimit)}
}

func toTextCustomerRow(c shop.Customer) textCustomerRow {
	return textCustomerRow{CustomerNumber: c.ID, CustomerName: c.Name, City: c.City, State: c.State,
		PostalCode: c.PostalCode, Country: c.Country, CreditLimit: (*int64)(c.CreditLimit)}
}

func fromCustomerRow[C int32 | int64](r customerRow[C]) shop.Customer {
	return shop.Customer{ID: toID(r.CustomerNumber), Name: r.CustomerName, City: r.City, State: r.State,
		PostalCode: r.PostalCode, Country: r.Country, CreditLimit: (*shop.Cents)(r.CreditLimit)}
}

func fromTextCustomerRow(r textCustomerRow) shop.Customer {
	return shop.Customer{ID: r.CustomerNumber, Name: r.CustomerName, City: r.City, State: r.State,
		PostalCode: r.PostalCode, Country: r.Country, CreditLimit: (*shop.Cents)(r.CreditLimit)}
}

func toProductRow[P key](p shop.Product) productRow[P] {
	return productRow[P]{ProductCode: fromID[P](p.Code), ProductName: p.Name, ProductLine: p.Line,
		ProductScale: p.Scale, ProductVendor: p.Vendor,
		QuantityInStock: p.QuantityInStock, BuyPrice: int64(p.BuyPrice), MSRP: int64(p.MSRP)}
}

func fromProductRow[P key](r productRow[P]) shop.Product {
	return shop.Product{Code: toID(r.ProductCode), Name: r.ProductName, Line: r.ProductLine, Scale: r.ProductScale,
		Vendor:          r.ProductVendor,
		QuantityInStock: r.QuantityInStock, BuyPrice: shop.Cents(r.BuyPrice), MSRP: shop.Cents(r.MSRP)}
}
