package mysqlsource

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Column is a column as the source announces it.
type Column struct {
	Name string `json:"name"`
	// "integer", "decimal", "text", "binary", "moment", or what a person calls another type
	Type string `json:"type"`
	// integer, binary: bytes; decimal: digits in all; text: characters, at most longText
	Length   int  `json:"length,omitempty"`
	Decimals int  `json:"decimals,omitempty"` // decimal: digits after the point; moment: digits of a second's fraction
	Unsigned bool `json:"unsigned,omitempty"`
	Nullable bool `json:"nullable,omitempty"`
	Contract bool `json:"contract"` // it is one of those that a training set is made of
}

// Schema is the columns of the data sets, in the source's order.
type Schema struct {
	Customers    []Column `json:"customers"`
	Products     []Column `json:"products"`
	Ratings      []Column `json:"ratings"`
	Interactions []Column `json:"interactions,omitempty"`
}

const (
	// longText is the characters from which on a text counts as unlimited: servers announce their
	// TEXT types differently.
	longText = 16383
	// textBytes is the bytes of a character in what the server announces for our utf8mb4
	// connection.
	textBytes = 4
)

// Schema asks the source for the columns that the user may read, with those that kindred does not
// read. It reads no row. It does not say what the contract wants; Check does.
func (s *Snapshot) Schema(ctx context.Context) (schema Schema, err error) {
	var errs [3]error
	schema.Customers, errs[0] = s.columns(ctx, customersTable(), s.mapping.Customers)
	schema.Products, errs[1] = s.columns(ctx, productsTable(), s.mapping.Products)
	schema.Ratings, errs[2] = s.columns(ctx, ratingsTable(), s.mapping.Ratings)
	return schema, errors.Join(errs[:]...)
}

func (s *Snapshot) columns(ctx context.Context, t table, mapped string) (columns []Column, err error) {
	err = s.guard(ctx, "ask for the columns of "+t.name, func() error {
		fields, err := s.fields(t, mapped)
		for _, f := range fields {
			columns = append(columns, t.describe(f))
		}
		return err
	})
	return columns, err
}

// describe says what a field holds.
func (t table) describe(f *mysql.Field) Column {
	c := Column{Name: string(f.Name), Type: typeName(f), Nullable: f.Flag&mysql.NOT_NULL_FLAG == 0}
	for _, want := range t.columns {
		if strings.EqualFold(want.name, c.Name) {
			c.Name, c.Contract = want.name, true
		}
	}
	switch {
	case isBinaryKey(f):
		c.Type, c.Length = "binary", binaryKeyBytes
	case text.reads(f):
		c.Type, c.Length = "text", min(int(f.ColumnLength)/textBytes, longText)
	case moment.reads(f):
		c.Type, c.Decimals = "moment", int(f.Decimal)
	case f.Type == mysql.MYSQL_TYPE_NEWDECIMAL:
		c.Type, c.Length, c.Decimals = "decimal", decimalDigits(f), int(f.Decimal)
	case integer.reads(f):
		c.Type, c.Length, c.Unsigned = "integer", integerBytes(f.Type), f.Flag&mysql.UNSIGNED_FLAG != 0
	}
	return c
}

// decimalDigits takes the point and the sign off the announced width.
func decimalDigits(f *mysql.Field) int {
	digits := int(f.ColumnLength)
	if f.Decimal > 0 {
		digits--
	}
	if f.Flag&mysql.UNSIGNED_FLAG == 0 {
		digits--
	}
	return digits
}

func integerBytes(kind uint8) int {
	switch kind {
	case mysql.MYSQL_TYPE_TINY:
		return 1
	case mysql.MYSQL_TYPE_SHORT:
		return 2
	case mysql.MYSQL_TYPE_INT24:
		return 3
	case mysql.MYSQL_TYPE_LONG:
		return 4
	}
	return 8
}

// String is the type as people write it: "decimal(10,2)".
func (c Column) String() string {
	switch c.Type {
	case "text":
		if c.Length >= longText {
			return "text of any length"
		}
		return fmt.Sprintf("text of %d characters", c.Length)
	case "decimal":
		return fmt.Sprintf("decimal(%d,%d)", c.Length, c.Decimals)
	case "integer":
		sign := ""
		if c.Unsigned {
			sign = "unsigned "
		}
		return fmt.Sprintf("%sinteger of %d bytes", sign, c.Length)
	case "binary":
		return fmt.Sprintf("BINARY(%d)", c.Length)
	case "moment":
		return fmt.Sprintf("DATETIME(%d)", c.Decimals)
	}
	return c.Type
}

// Holds reports whether every value of another column fits into c: whether c is as wide or wider.
func (c Column) Holds(other Column) bool {
	switch {
	case c.Type == "integer" && other.Type == "integer":
		if c.Unsigned == other.Unsigned {
			return c.Length >= other.Length
		}
		return other.Unsigned && c.Length > other.Length
	case c.Type == "decimal" && other.Type == "integer":
		return c.Length-c.Decimals >= integerDigits(other)
	case c.Type == "decimal" && other.Type == "decimal":
		return c.Decimals >= other.Decimals && c.Length-c.Decimals >= other.Length-other.Decimals
	case c.Type == "text" && other.Type == "text":
		return c.Length >= other.Length
	case c.Type == "moment" && other.Type == "moment":
		return c.Decimals >= other.Decimals
	}
	return c.Type == other.Type
}

// integerDigits is the decimal digits of an integer's largest value.
func integerDigits(c Column) int {
	switch c.Length {
	case 1:
		return 3
	case 2:
		return 5
	case 3:
		return 8
	case 4:
		return 10
	}
	return 20
}
