package etl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// sampleRows is how many rows of each data set an inspection reads.
const sampleRows = 10_000

// Inspection is what a look at a shop has found.
type Inspection struct {
	Schema   mysqlsource.Schema      `json:"schema"`
	Plans    []mysqlsource.QueryPlan `json:"plans"`
	Sampled  Rows                    `json:"sampled"`                // rows that were read
	Whole    bool                    `json:"whole"`                  // they are all customers and products, so orphans were looked for
	Rules    Counts                  `json:"rules,omitzero"`         // of the sample
	History  *HistoryCounts          `json:"interactions,omitempty"` // of the sample, for a shop with interactions
	Examples shop.Examples           `json:"examples"`               // of broken rules
	Refusals []string                `json:"refusals"`               // what etl would refuse the shop for
	Remarks  []Remark                `json:"remarks"`                // what may go wrong, or be slow
}

// Remark is something to know about a shop, with SQL that mends it where there is some.
type Remark struct {
	Text string `json:"text"`
	SQL  string `json:"sql,omitempty"`
}

// inspect looks at a shop as a run would, but reads few rows and writes nothing. base is the
// current set. What keeps the looking itself from working is an error.
func inspect(ctx context.Context, snapshot *mysqlsource.Snapshot, base commit.Manifest, o Options) (Inspection, error) {
	if snapshot.Mapped().HasInteractions() {
		return inspectHistory(ctx, snapshot, base, o)
	}
	var found Inspection
	var err error
	if base, err = predecessor(base, snapshot.Position().Database, o); err == nil {
		found.Schema, err = prepare(ctx, snapshot, base, o)
	}
	if errors.Is(err, mysqlsource.ErrSchema) || errors.Is(err, ErrDrift) || errors.Is(err, ErrOtherShop) {
		found.Refusals = []string{err.Error()}
		return found, nil
	}
	if err != nil {
		return found, err
	}
	found.Remarks = columnRemarks(found.Schema)
	if found.Plans, err = snapshot.Plans(ctx); err != nil {
		return found, err
	}
	found.Remarks = append(found.Remarks, planRemarks(found.Plans, snapshot.Mapped())...)
	if account, keeps := snapshot.KeepsLocks(); keeps {
		found.Remarks = append(found.Remarks, lockRemark(account))
	}
	return found, found.sample(ctx, snapshot, o)
}

// sample reads the first rows and judges them by the limits.
func (f *Inspection) sample(ctx context.Context, snapshot *mysqlsource.Snapshot, o Options) error {
	snapshot.Sample(sampleRows)
	defer snapshot.Sample(0)
	j, tables, err := dimensions(ctx, snapshot)
	f.Rules = tables
	if errors.Is(err, ErrEmpty) {
		f.Refusals = append(f.Refusals, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	f.Whole = tables.Customers.Read < sampleRows && tables.Products.Read < sampleRows
	if f.Rules, err = j.read(ctx, &sampled{source: snapshot, whole: f.Whole}, mysqlsource.Range{}, o,
		func(trainingset.Rating) error { return nil }); err != nil {
		return err
	}
	f.Rules.Customers, f.Rules.Products = tables.Customers, tables.Products
	if f.Examples = snapshot.Faults().Examples(); !f.Whole { // their customers and products may exist
		f.Rules.UnknownCustomer, f.Rules.UnknownProduct = 0, 0
		delete(f.Examples, shop.RatingCustomer)
		delete(f.Examples, shop.RatingProduct)
	}
	f.Sampled = Rows{Ratings: f.Rules.Read, Customers: tables.Customers.Read, Products: tables.Products.Read}
	if err := f.Rules.check(o.Limits, f.Examples); err != nil && f.Whole {
		f.Refusals = append(f.Refusals, err.Error())
	} else if err != nil {
		f.Refusals = append(f.Refusals, f.Rules.broken(o.Limits, f.Examples)...)
	}
	if f.Whole && f.Rules.Products.InStock == 0 {
		f.Refusals = append(f.Refusals, "no product has any stock, so nothing could be recommended (--accept-shrink)")
	}
	for _, r := range rules(f.Rules, o.Limits) {
		if r.count > 0 && !r.exceeded() {
			f.Remarks = append(f.Remarks, Remark{Text: r.sentence(f.Examples)})
		}
	}
	if n := f.Rules.OtherSpelling; n > 0 {
		f.Remarks = append(f.Remarks,
			Remark{Text: fmt.Sprintf("%d of %d ratings name a customer or a product that differs only by case, "+
				"accents or trailing space; they are joined as the column's collation does, such as %s", n, f.Rules.Read,
				strings.Join(f.Examples[shop.RatingSpelling], ", "))})
	}
	return nil
}

// sampled gives the ratings of a sample, which come in any order, by customer.
type sampled struct {
	source
	whole bool
}

func (s *sampled) Pieces(context.Context, mysqlsource.Range) ([]mysqlsource.Range, error) {
	return []mysqlsource.Range{{}}, nil
}

// SameProducts does not ask where the products of the sample are not all: it would find nothing.
func (s *sampled) SameProducts(ctx context.Context, codes []string) (map[string][]string, error) {
	if !s.whole {
		return nil, nil
	}
	return s.source.SameProducts(ctx, codes)
}

// SameCustomers is as SameProducts.
func (s *sampled) SameCustomers(ctx context.Context, ids []string) (map[string][]string, error) {
	if !s.whole {
		return nil, nil
	}
	return s.source.SameCustomers(ctx, ids)
}

func (s *sampled) RatingsIn(ctx context.Context, in mysqlsource.Range, rating func(shop.Rating) error) error {
	var all []shop.Rating
	err := s.source.RatingsIn(ctx, in, func(r shop.Rating) error {
		r.CustomerID, r.ProductCode = strings.Clone(r.CustomerID), strings.Clone(r.ProductCode)
		if r.RatedAt != nil {
			r.RatedAt = new(*r.RatedAt)
		}
		all = append(all, r)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b shop.Rating) int { return cmp.Compare(a.CustomerID, b.CustomerID) })
	for _, r := range all {
		if err := rating(r); err != nil {
			return err
		}
	}
	return nil
}

// columnRemarks says which columns may hold values that are not kept as they are.
func columnRemarks(s mysqlsource.Schema) (remarks []Remark) {
	add := func(sql, format string, args ...any) {
		remarks = append(remarks, Remark{Text: fmt.Sprintf(format, args...), SQL: sql})
	}
	for _, p := range pairs(s, s) {
		for _, c := range p.now {
			if !c.Contract {
				continue
			}
			name, full := c.Name, p.name+"."+c.Name
			isKey := name == "customerNumber" || name == "productCode"
			switch {
			case isKey && (c.Type == "integer" && c.Length == 8 && c.Unsigned || c.Type == "decimal" && c.Length > 18):
				add("", "%s is %v: rows with a number above %d are left out", full, c, math.MaxInt64)
			case isKey && c.Type == "text" && c.Length > text.MaxID:
				add(fmt.Sprintf("SELECT %s FROM %s WHERE LENGTH(CONVERT(%s USING utf8mb4)) > %d", name, p.name, name, text.MaxID),
					"%s is %v: rows with an id of more than %d bytes are left out", full, c, text.MaxID)
			case name == "quantityInStock" && (c.Type != "integer" || c.Length > 2 || c.Length == 2 && c.Unsigned):
				add("LEAST(quantityInStock, 32767) AS quantityInStock",
					"%s is %v: a stock above 32767 is taken as 32767", full, c)
			case (name == "buyPrice" || name == "MSRP" || name == "creditLimit") && c.Type == "decimal" &&
				c.Length-c.Decimals > 8:
				add("", "%s is %v: an amount above %s is not kept", full, c, shop.MaxCents)
			}
			if c.Nullable && wantsValue(name) {
				add(fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s IS NULL", p.name, name),
					"%s may be NULL: %s", full, onNull(p.name, name))
			}
		}
	}
	return remarks
}

// wantsValue reports whether NULL in a column is counted as a missing value.
func wantsValue(column string) bool {
	switch column {
	case "state", "postalCode", "creditLimit", "ratedAt":
		return false
	}
	return true
}

// onNull is what becomes of a row whose column is NULL.
func onNull(table, column string) string {
	switch {
	case table == "ratings" || column == "customerNumber" || column == "productCode":
		return "such a row is left out"
	case column == "quantityInStock" || column == "buyPrice" || column == "MSRP":
		return "it is then taken as 0"
	}
	return "it is then taken as empty"
}

// planRemarks says which queries are slow for want of an index.
func planRemarks(plans []mysqlsource.QueryPlan, mapped mysqlsource.Mapping) (remarks []Remark) {
	for _, p := range plans {
		switch {
		case p.Hidden:
			remarks = append(remarks, Remark{Text: "the query of " + p.DataSet +
				" reads a view, and the user may not see how: " +
				"GRANT SHOW VIEW to know its cost"})
		case p.Sorts && p.DataSet == "ratings" && mapped.Ratings == "":
			remarks = append(remarks, Remark{Text: fmt.Sprintf(
				"ratings has no index on (customerNumber, productCode): the server "+
					"sorts about %s rows before it sends the first, and reads them by one query, for which an ALTER TABLE waits",
				group(p.Rows)),
				SQL: "CREATE INDEX kindred ON ratings (customerNumber, productCode)"})
		case p.Sorts && p.DataSet == "ratings":
			remarks = append(remarks, Remark{Text: fmt.Sprintf(
				"the mapping's query of ratings is sorted, about %s rows, before the "+
					"first is sent: an index on the table's customer and product columns may spare that", group(p.Rows))})
		}
	}
	return remarks
}

// lockRemark says that an ALTER TABLE waits until etl ends, whatever --range-rows is.
func lockRemark(account string) Remark {
	name, host := account, "%"
	if at := strings.LastIndexByte(account, '@'); at >= 0 {
		name, host = account[:at], account[at+1:]
	}
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	return Remark{Text: "an ALTER TABLE of customers, products or ratings waits until etl ends, because this MariaDB " +
		"has a binary log and the user may not set sql_log_bin; with that right it waits for one query at most",
		SQL: "GRANT BINLOG ADMIN ON *.* TO " + quote(name) + "@" + quote(host)}
}

// sentence tells a person what was found.
func (f Inspection) sentence() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Looked at the columns and at %s.", f.Sampled)
	if !f.Whole && len(f.Refusals) == 0 {
		fmt.Fprintf(&b, " There are more than %s, so whether each rating has its customer and product is not known yet.",
			group(sampleRows))
	}
	for _, p := range f.Plans {
		fmt.Fprintf(&b, "\nquery   %s: about %s rows", p.DataSet, group(p.Rows))
		if p.Cost > 0 {
			fmt.Fprintf(&b, ", cost %s", group(int64(p.Cost)))
		}
		if len(p.Keys) > 0 {
			fmt.Fprintf(&b, ", by index %s", strings.Join(p.Keys, ", "))
		} else {
			b.WriteString(", without an index")
		}
	}
	for _, r := range f.Remarks {
		fmt.Fprintf(&b, "\nnote    %s", r.Text)
		if r.SQL != "" {
			fmt.Fprintf(&b, "\n        SQL: %s", r.SQL)
		}
	}
	for _, r := range f.Refusals {
		fmt.Fprintf(&b, "\nrefused %s", r)
	}
	if len(f.Refusals) == 0 {
		b.WriteString("\nNothing was found that etl would refuse.")
	}
	return b.String()
}

// verdict is an error when etl would refuse the shop.
func (f Inspection) verdict() error {
	if len(f.Refusals) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrWouldRefuse, strings.Join(f.Refusals, "; "))
}
