package preset

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Description says what a shop holds, as its mapping sees it.
type Description struct {
	Products     int64  `json:"products"`
	Available    int64  `json:"available"` // products that can be bought now
	Customers    int64  `json:"customers"`
	Interactions int64  `json:"interactions"`
	Kinds        []Kind `json:"kinds"`
	Orders       int64  `json:"orders"`
	From         string `json:"from,omitempty"` // the first and last interaction, as the shop writes times
	To           string `json:"to,omitempty"`
	// share of purchases whose buyer is a guest
	Guests float64 `json:"guests"`
	// share of the pairs of a buyer and a product that were bought in more than one order
	Repeats float64 `json:"repeats"`
	// LeftOut is what the mapping does not read: orders that are no sale, orders of other stores, lines
	// of products that are gone. The most first.
	LeftOut []Kind `json:"left_out,omitempty"`
}

// Kind is how many rows there are of one kind.
type Kind struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Describe reads the whole of a mapping's three data sets on the server, which takes seconds for a
// few hundred thousand orders.
func Describe(ctx context.Context, db *sql.DB, m Mapping) (Description, error) {
	var d Description
	fail := func(err error) (Description, error) {
		return Description{}, fmt.Errorf("describe the shop %v: %w", m.Found, err)
	}
	err := db.QueryRowContext(ctx,
		"SELECT COUNT(*), COALESCE(SUM(t.available), 0) FROM (\n"+m.Queries["products"]+"\n) t").
		Scan(&d.Products, &d.Available)
	if err != nil {
		return fail(err)
	}
	if query := m.Queries["customers"]; query != "" {
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM (\n"+query+"\n) t").Scan(&d.Customers); err != nil {
			return fail(err)
		}
	}
	interactions := " FROM (\n" + m.Queries["interactions"] + "\n) t "
	rows, err := db.QueryContext(ctx,
		"SELECT t.kind, COUNT(*), COUNT(*) - COUNT(t.customer), COUNT(DISTINCT t.order_id), "+
			"CAST(MIN(t.at) AS CHAR), CAST(MAX(t.at) AS CHAR)"+interactions+"GROUP BY t.kind ORDER BY t.kind")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var k Kind
		var orders, anonymous int64
		var from, to sql.NullString
		if err := rows.Scan(&k.Name, &k.Rows, &anonymous, &orders, &from, &to); err != nil {
			return fail(err)
		}
		d.Kinds = append(d.Kinds, k)
		d.Interactions += k.Rows
		if k.Name == "purchase" {
			d.Orders, d.Guests = orders, share(anonymous, k.Rows)
		}
		if from.Valid && (d.From == "" || from.String < d.From) {
			d.From = from.String
		}
		d.To = max(d.To, to.String)
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	var pairs, again int64
	err = db.QueryRowContext(ctx, "SELECT COUNT(*), COALESCE(SUM(p.orders > 1), 0) "+
		"FROM (SELECT COUNT(DISTINCT t.order_id) AS orders"+interactions+"WHERE t.kind = 'purchase' GROUP BY t.customer, t.session, t.product) p").Scan(&pairs, &again)
	if err != nil {
		return fail(err)
	}
	d.Repeats = share(again, pairs)
	if d.LeftOut, err = leftOut(ctx, db, m); err != nil {
		return fail(err)
	}
	return d, nil
}

// leftOut counts what a mapping does not read.
func leftOut(ctx context.Context, db *sql.DB, m Mapping) (all []Kind, err error) {
	if m.leftOut == "" {
		return nil, nil
	}
	rows, err := db.QueryContext(ctx, m.leftOut)
	if err != nil {
		return nil, fmt.Errorf("count what is left out: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name sql.NullString
		var k Kind
		if err := rows.Scan(&name, &k.Rows); err != nil {
			return nil, fmt.Errorf("count what is left out: %w", err)
		}
		if k.Name = name.String; k.Name != "" && k.Rows > 0 {
			all = append(all, k)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count what is left out: %w", err)
	}
	slices.SortStableFunc(all, func(a, b Kind) int { return cmp.Compare(b.Rows, a.Rows) })
	return all, nil
}

func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Sentence tells a person what was found, what was chosen and what else could be.
func (m Mapping) Sentence(d Description) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Found %v.\n", m.Found)
	fmt.Fprintf(&b, "  %s products (%s can be bought now), %s customers, %s orders", count(d.Products), count(d.Available),
		count(d.Customers), count(d.Orders))
	if d.From != "" {
		fmt.Fprintf(&b, ", %s to %s", day(d.From), day(d.To))
	}
	b.WriteString("\n")
	for _, k := range d.Kinds {
		fmt.Fprintf(&b, "  %s interactions of kind %s\n", count(k.Rows), k.Name)
	}
	fmt.Fprintf(&b, "  %.0f %% of the purchases are guests', %.0f %% of what somebody bought was bought again\n",
		100*d.Guests, 100*d.Repeats)
	if len(d.LeftOut) > 0 {
		var parts []string
		for _, k := range d.LeftOut {
			parts = append(parts, fmt.Sprintf("%s (%s)", k.Name, count(k.Rows)))
		}
		fmt.Fprintf(&b, "  left out: %s\n", strings.Join(parts, ", "))
	}
	for _, v := range m.Values {
		if v.Value == "" && len(v.Choices) == 0 {
			continue // this shop has nothing of the kind
		}
		fmt.Fprintf(&b, "  --%s %s (%s)", strings.ReplaceAll(v.Name, "_", "-"), v.Value, v.From)
		if len(v.Choices) > 1 {
			fmt.Fprintf(&b, "; the shop has %s", choices(v.Choices))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func day(moment string) string { return moment[:min(len(moment), len("2006-01-02"))] }

// count groups a number's digits by comma.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
