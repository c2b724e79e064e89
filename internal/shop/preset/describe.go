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
	rows, err := db.QueryContext(ctx, fmt.Sprintf(ofKinds, m.Queries["interactions"]))
	if err != nil {
		return fail(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var k Kind
		var anonymous, orders, pairs, again int64
		var from, to sql.NullString
		if err := rows.Scan(&k.Name, &k.Rows, &anonymous, &orders, &from, &to, &pairs, &again); err != nil {
			return fail(err)
		}
		d.Kinds = append(d.Kinds, k)
		d.Interactions += k.Rows
		if k.Name == "purchase" {
			d.Orders, d.Guests, d.Repeats = orders, share(anonymous, k.Rows), share(again, pairs)
		}
		if from.Valid && (d.From == "" || from.String < d.From) {
			d.From = from.String
		}
		d.To = max(d.To, to.String)
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	if d.LeftOut, err = leftOut(ctx, db, m); err != nil {
		return fail(err)
	}
	return d, nil
}

// ofKinds describes the interactions of a query, which it reads once: a line for each kind. Inside, a
// line for each pair of a buyer and a product is followed by the kind's own, whose pair is NULL.
const ofKinds = `SELECT k.kind, SUM(k.n * (k.pair IS NULL)), SUM(k.anonymous * (k.pair IS NULL)), SUM(k.orders * (k.pair IS NULL)),
  CAST(MIN(k.earliest) AS CHAR), CAST(MAX(k.latest) AS CHAR), SUM(k.pair IS NOT NULL), SUM(k.pair IS NOT NULL AND k.orders > 1)
FROM (SELECT t.kind, CONCAT_WS('/', IFNULL(HEX(t.customer), ''), IFNULL(HEX(t.session), ''), HEX(t.product)) AS pair, COUNT(*) AS n,
        COUNT(*) - COUNT(t.customer) AS anonymous, COUNT(DISTINCT t.order_id) AS orders, MIN(t.at) AS earliest, MAX(t.at) AS latest
      FROM (
%s
      ) t GROUP BY t.kind, pair WITH ROLLUP) k
WHERE k.kind IS NOT NULL GROUP BY k.kind ORDER BY k.kind`

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
