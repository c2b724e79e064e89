package importer

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// importVersion changes when the same files give other rows.
const importVersion = "1"

// History is orders and events that were found in files. Its interactions are read from the files as
// they are asked for, in bounded memory: what grows is only what is known of products, customers and
// orders. It is for one goroutine.
type History struct {
	Kind        string // short name of the format
	Format      string // for people
	ContentHash string // of the files and of how they are read
	Unused      []string

	gather *gathering
	read   func(*gathering) error
}

// Interactions reads the files. It can be done once.
func (h *History) Interactions() iter.Seq2[shop.Interaction, error] {
	return func(yield func(shop.Interaction, error) bool) {
		h.gather.yield = yield
		switch err := h.read(h.gather); {
		case errors.Is(err, errStopped):
		case err != nil:
			yield(shop.Interaction{}, err)
		case h.gather.kept == 0:
			yield(shop.Interaction{}, fmt.Errorf("%w: of %s not one is something that somebody did with a product",
				ErrNothing, h.gather.lines()))
		}
	}
}

// Account says, after the reading, what became of the lines.
type Account struct {
	Lines   int64            `json:"lines"`              // that hold orders or events
	Kept    int64            `json:"kept"`               // interactions
	LeftOut map[string]int64 `json:"left_out,omitempty"` // lines that are no interaction, by reason
	Notes   []string         `json:"notes,omitempty"`    // what else a person should know
	Unused  []string         `json:"unused,omitempty"`   // files
}

// Account says what became of the lines that Interactions has read.
func (h *History) Account() Account {
	return Account{Lines: h.gather.seen, Kept: h.gather.kept, LeftOut: h.gather.left, Notes: h.gather.notes,
		Unused: h.Unused}
}

// Products are those that the files list or name, by id.
func (h *History) Products() []shop.Listing {
	all := make([]shop.Listing, 0, len(h.gather.products))
	nameless := 0
	for _, id := range slices.Sorted(maps.Keys(h.gather.products)) {
		p := h.gather.products[id]
		l := shop.Listing{ID: id, Name: p.name, Brand: p.brand, Price: p.price, Currency: p.currency, Available: !p.gone}
		for _, c := range p.categories {
			if c = strings.TrimSpace(c); c != "" {
				l.Categories = append(l.Categories, c)
			}
		}
		slices.Sort(l.Categories)
		l.Categories = slices.Compact(l.Categories)
		if l.Name == "" {
			nameless++
			if l.Name = id; len(p.categories) > 0 {
				l.Name = p.categories[0] + " " + id
			}
		}
		l.Name = truncate(l.Name, maxName)
		all = append(all, l)
	}
	if nameless > 0 {
		h.gather.note("%d of %d products have no name in the files, and are called by their category and id.",
			nameless, len(all))
	}
	return all
}

// Customers are those of whom a place is known; none if the files know no places.
func (h *History) Customers() []shop.Shopper {
	all := make([]shop.Shopper, 0, len(h.gather.customers))
	for _, id := range slices.Sorted(maps.Keys(h.gather.customers)) {
		c := h.gather.customers[id]
		all = append(all, shop.Shopper{ID: id, Country: truncate(c.Country, maxCountry), City: truncate(c.City, maxCountry)})
	}
	return all
}

// Limits of kindred's tables of contract 2, in characters.
const (
	maxName    = 1000
	maxBrand   = 250
	maxCountry = 100
)

// product is what is known of a product so far.
type product struct {
	name       string
	votes      int // for the name
	categories []string
	brand      string
	price      *shop.Money
	pricedAt   int64
	currency   string
	gone       bool // it cannot be bought now
}

// gathering takes in what the files say.
type gathering struct {
	options   Options
	yield     func(shop.Interaction, error) bool
	products  map[string]*product
	customers map[string]shop.Shopper
	kinds     map[string]string // as the files write them → as kindred does
	seen      int64
	kept      int64
	left      map[string]int64
	notes     []string
}

func newGathering(o Options) *gathering {
	return &gathering{options: o, products: map[string]*product{}, customers: map[string]shop.Shopper{},
		kinds: map[string]string{},
		left:  map[string]int64{}}
}

func (g *gathering) lines() string { return fmt.Sprintf("%d lines", g.seen) }

func (g *gathering) note(format string, args ...any) {
	g.notes = append(g.notes, fmt.Sprintf(format, args...))
}

// leave counts a line that is no interaction.
func (g *gathering) leave(why string) error {
	g.left[why]++
	return nil
}

// Reasons to leave a line out, which several formats share.
const (
	noProduct  = "without a product"
	noPerson   = "without a customer, a session or an order"
	noQuantity = "with the quantity 0"
	cancelled  = "of orders that were cancelled, refunded or never paid"
	noOrder    = "of an order that is not in the files"
)

// product is what is known of a product, for more to be added.
func (g *gathering) product(id string) *product {
	p := g.products[id]
	if p == nil {
		p = &product{pricedAt: math.MinInt64}
		g.products[strings.Clone(id)] = p
	}
	return p
}

// listed is product for a line of a catalogue, which may have no id.
func (g *gathering) listed(id string) *product {
	if id == "" {
		return &product{}
	}
	return g.product(id)
}

// call gives a product a name. Of several names the one is kept that most lines have.
func (p *product) call(name string) {
	switch {
	case name == "":
	case name == p.name:
		p.votes++
	case p.votes == 0:
		p.name, p.votes = strings.Clone(name), 1
	default:
		p.votes--
	}
}

// costs gives a product the price of a moment; the latest counts. 0 is no price.
func (p *product) costs(amount float64, at int64) {
	if !(amount > 0) || at < p.pricedAt {
		return
	}
	if m, err := shop.ParseMoney(strconv.FormatFloat(amount, 'f', 4, 64)); err == nil {
		p.price, p.pricedAt = &m, at
	}
}

// lives says where a customer is. The last place counts.
func (g *gathering) lives(customer, country, city string) {
	if customer == "" {
		return
	}
	known, ok := g.customers[customer]
	if ok && (country == "" || country == known.Country) && (city == "" || city == known.City) {
		return
	}
	g.customers[strings.Clone(customer)] = shop.Shopper{Country: strings.Clone(cmp.Or(country, known.Country)),
		City: strings.Clone(cmp.Or(city, known.City))}
}

// deed is one interaction, as a file has it.
type deed struct {
	customer, session, order, product, kind string
	value, quantity                         *float64
	at                                      int64 // milliseconds, or shop.NoMoment
}

// take hands on an interaction, whose product becomes known.
func (g *gathering) take(d deed) error {
	switch {
	case d.product == "":
		return g.leave(noProduct)
	case d.customer == "" && d.session == "" && d.order == "":
		return g.leave(noPerson)
	case d.quantity != nil && *d.quantity == 0:
		return g.leave(noQuantity)
	}
	if d.customer == "" && d.session == "" {
		d.session = "order-" + d.order
	}
	if len(d.session) > shop.MaxIDBytes {
		d.session = shortened(d.session)
	}
	g.product(d.product)
	g.kept++
	if !g.yield(shop.Interaction{Customer: []byte(d.customer), Session: []byte(d.session), Product: []byte(d.product),
		Kind: []byte(d.kind), Order: []byte(d.order), Value: d.value, Quantity: d.quantity, At: d.at}, nil) {
		return errStopped
	}
	return nil
}

// shortened is a key that stands for a longer one.
func shortened(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// person is the key of somebody who is known by e-mail address: the address itself goes nowhere.
func person(email string) string {
	if email == "" {
		return ""
	}
	return shortened(strings.ToLower(email))
}

// id reads a column that holds an id.
func (r *row) id(column int) string {
	v := r.at(column)
	if v != "" && text.CheckID(v) != nil {
		r.fail(column, "has %d bytes, at most %d may be an id; --column names another column", len(v), text.MaxID)
		return ""
	}
	if number := whole(v); strings.Trim(number, "0123456789") == "" { // pandas writes 103.0
		return number
	}
	return v
}

// number reads an amount, such as 1,234.56, 2,55 or $12.99; nil for none.
func (r *row) number(column int) *float64 {
	v := r.at(column)
	if v == "" {
		return nil
	}
	n, err := parseAmount(v)
	if err != nil {
		r.fail(column, "is %s, want a number", shown(v))
		return nil
	}
	return &n
}

// shown is a value for a message. What may be an e-mail address is not shown, nor a long text: the
// wrong column may have been named.
func shown(v string) string {
	const most = 40
	if len(v) > most || strings.Contains(v, "@") {
		return fmt.Sprintf("a text of %d bytes", len(v))
	}
	return strconv.Quote(v)
}

// parseAmount reads a number with a comma or a point, thousands and a currency's sign or without.
func parseAmount(v string) (float64, error) {
	v = strings.Map(func(c rune) rune {
		if strings.ContainsRune("$€£¥ \u00a0'", c) {
			return -1
		}
		return c
	}, v)
	comma, point := strings.LastIndexByte(v, ','), strings.LastIndexByte(v, '.')
	switch {
	case comma >= 0 && point > comma, comma >= 0 && point < 0 && (strings.Count(v, ",") > 1 ||
		len(v)-comma == len(",000")):
		v = strings.ReplaceAll(v, ",", "")
	case comma >= 0:
		v = strings.Replace(strings.ReplaceAll(v, ".", ""), ",", ".", 1)
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, errNumber
	}
	return n, nil
}

var errNumber = errors.New("is not a number")

// quantity reads how many; nil for none.
func (r *row) quantity(column int) *float64 {
	n := r.number(column)
	if n != nil && math.Abs(*n) > shop.MaxQuantity {
		r.fail(column, "is %g, at most %.0e can be", *n, shop.MaxQuantity)
	}
	return n
}

// stars reads a rating; halves count as the next star.
func (r *row) stars(column int) *float64 {
	n := r.number(column)
	if n == nil {
		return nil
	}
	if !(*n > 0 && *n <= shop.MaxStars) {
		r.fail(column, "is %g, want stars above 0 and at most %d; --kind view takes such lines as views", *n, shop.MaxStars)
		return nil
	}
	whole := math.Ceil(*n)
	return &whole
}

// moment reads a time; shop.NoMoment for none.
func (r *row) moment(column int, d dates) int64 {
	v := r.at(column)
	if v == "" || strings.HasPrefix(v, "0000-00-00") {
		return shop.NoMoment
	}
	if ms, ok := serial(v); ok && r.sheet.form == workbook {
		return ms
	}
	at, err := d.parse(v)
	if err != nil {
		hint := ""
		if _, _, ok := threeNumbers(v); ok {
			hint = "; the day or the month may be first (--day-first)"
		}
		r.fail(column, "is %s, which %v%s", shown(v), err, hint)
		return shop.NoMoment
	}
	return at
}

// usual are the names of kinds that other programs have.
var usual = map[string]string{
	"view": shop.KindView, "views": shop.KindView, "viewed": shop.KindView, "pageview": shop.KindView, "pv": shop.KindView,
	"productview": shop.KindView,
	"viewitem":    shop.KindView, "productviewed": shop.KindView, "detail": shop.KindView, "detailview": shop.KindView,
	"click": shop.KindView, "clicks": shop.KindView,
	"clicked": shop.KindView,
	"cart":    shop.KindCart, "addtocart": shop.KindCart, "addedtocart": shop.KindCart, "productadded": shop.KindCart,
	"basket": shop.KindCart, "addtobasket": shop.KindCart,
	"purchase": shop.KindPurchase, "purchased": shop.KindPurchase, "buy": shop.KindPurchase, "bought": shop.KindPurchase,
	"transaction": shop.KindPurchase,
	"order":       shop.KindPurchase, "ordered": shop.KindPurchase, "sale": shop.KindPurchase,
	"ordercompleted": shop.KindPurchase,
	"rating":         shop.KindRating, "rate": shop.KindRating, "rated": shop.KindRating, "review": shop.KindRating,
}

// kind reads what somebody did.
func (g *gathering) kind(r *row, column int) string {
	v := r.at(column)
	if known, ok := g.kinds[v]; ok || v == "" {
		return known
	}
	known, ok := usual[canonical(v)]
	if !ok {
		known = strings.ToLower(v)
	}
	switch {
	case len(known) > shop.MaxKindBytes:
		r.fail(column, "has %d bytes, at most %d may be a kind of event; --column names another column", len(known),
			shop.MaxKindBytes)
		return ""
	case len(g.kinds) == shop.MaxKinds:
		r.fail(column, "has more than %d different values, too many for kinds of events; --column names another column",
			shop.MaxKinds)
		return ""
	}
	g.kinds[strings.Clone(v)] = known
	return known
}

// contentHash identifies what files give: by their names, their bytes and how they are read.
func contentHash(kind string, o Options, sheets []*sheet) (string, error) {
	h := sha256.New()
	how, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	_, _ = fmt.Fprintf(h, "%s %s %s\n", importVersion, kind, how)
	for _, s := range sheets {
		f, err := os.Open(s.path)
		if err != nil {
			return "", fmt.Errorf("open %s: %w", s.name, err)
		}
		_, _ = fmt.Fprintf(h, "%q\n", s.name)
		_, err = io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", fmt.Errorf("read %s: %w", s.name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
