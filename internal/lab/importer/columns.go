package importer

import (
	"fmt"
	"slices"
)

// aliases are the columns that are taken for a role where none is named, the likeliest first.
var aliases = []struct{ role, columns string }{
	{"product", "productid|itemid|sku|asin|stockcode|productcode|productsku|articleid|articleno|articlenumber|variantid|" +
		"movieid|songid|trackid|bookid|isbn|gtin|ean|lineitemsku|product|item|article|productname|itemname"},
	{"customer", "customerid|customernumber|customerno|userid|visitorid|clientid|reviewerid|memberid|shopperid|buyerid|" +
		"accountid|userpseudoid|anonymousid|customer|user|visitor|client|buyer|member"},
	{"email", "email|emailaddress|customeremail|useremail|buyeremail"},
	{"session", "sessionid|usersession|session|visitid|gasessionid"},
	{"order", "orderid|ordernumber|orderno|invoiceno|invoicenumber|invoiceid|transactionid|basketid|receiptid|order|" +
		"invoice|transaction|basket|receipt"},
	{"at", "timestamp|eventtime|eventtimestamp|datetime|createdat|orderedat|purchasedat|placedat|paidat|orderdate|" +
		"invoicedate|purchasedate|transactiondate|orderpurchasetimestamp|ratedat|eventdate|tdat|" +
		"date|time|at|ts|unixreviewtime"},
	{"kind", "eventtype|event|eventname|kind|action|behavior|behaviour|behaviortype|interactiontype|interaction"},
	{"value", "rating|stars|overall|reviewscore|productrating|bookrating"},
	{"quantity", "quantity|qty|units|quantityordered|itemquantity|lineitemquantity"},
	{"price", "price|unitprice|itemprice|priceeach|saleprice|lineitemprice"},
	{"state", "orderstatus|financialstatus|paymentstatus|status|state"},
	{"name", "productname|itemname|prodname|producttitle|itemtitle|title|name|description|lineitemname"},
	{"category", "categories|categorycode|categoryname|category|productcategory|itemcategory|producttypename|" +
		"producttype|productline|department|genres|genre|categoryid"},
	{"brand", "brand|brandname|manufacturer|vendor|productvendor"},
	{"currency", "currency|currencycode"},
	{"country", "country|countrycode|customercountry|shippingcountry"},
	{"city", "city|customercity|shippingcity"},
}

// Roles are what a column of a file may be, for --column.
func Roles() []string {
	var all []string
	for _, a := range aliases {
		all = append(all, a.role)
	}
	return all
}

// places are a sheet's columns by role; -1 where it has none.
type places map[string]int

// places finds the columns of a sheet: those that are named, else those that are called as usual.
func (o Options) places(s *sheet) places {
	p := places{}
	for _, a := range aliases {
		if named, given := o.Columns[a.role]; given {
			p[a.role] = s.find(canonical(named))
		} else {
			p[a.role] = s.find(a.columns)
		}
	}
	return p
}

func (p places) has(role string) bool { return p[role] >= 0 }

func (p places) person() bool { return p.has("customer") || p.has("email") || p.has("session") }

// checkColumns finds names of columns that no file has, or one file has twice.
func (o Options) checkColumns(sheets []*sheet) error {
	for _, a := range aliases {
		named := o.Columns[a.role]
		if named != "" && !slices.ContainsFunc(sheets, func(s *sheet) bool { return s.find(canonical(named)) >= 0 }) {
			return fmt.Errorf("%w: no file has the column %s, which --column names", ErrUnknownFolder, named)
		}
	}
	return nil
}

// unclear refuses a sheet that has a column twice which is needed.
func (s *sheet) unclear(p places) error {
	for role, column := range p {
		if column >= 0 && s.twice[canonical(s.columns[column])] {
			return fmt.Errorf("read %s, line 1: the column %s is there twice; rename the one that is not the %s", s.name,
				s.columns[column], role)
		}
	}
	return nil
}
