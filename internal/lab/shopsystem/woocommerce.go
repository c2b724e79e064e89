package shopsystem

import (
	"fmt"
	"strconv"
)

// wooLookup is the first version of the analytics tables, wooOrders the first with orders of their own.
const (
	wooLookup    = "4"
	wooOrders    = "8"
	wooNoLookups = "9-no-analytics" // the analytics tables are there and empty
	// the analytics tables lack the first orders
	wooLate = "9-late-analytics"
	// the order tables were filled up to the middle of the orders, and are not in use
	wooPosts = "9-posts"
	// a plugin keeps a post for each language
	wooWPML     = "9-wpml"
	wooPolylang = "9-polylang"
)

// Where the numbers of posts of each sort begin.
const (
	wooTranslation = 500_000
	wooVariation   = 1_000_000
	wooOrder       = 2_000_000
	wooRefund      = 8_000_000
	wooUser        = 40 // numbers of users are not those of the customer table
)

func woocommerce() system {
	return system{
		name: "woocommerce", versions: []string{"3", wooLookup, wooOrders, wooNoLookups, wooLate, wooPosts, wooWPML,
			wooPolylang, "10"}, prefix: "wp_",
		prefixed: true, brands: true,
		traits: traits{guests: true, variants: true, disabled: true, unpriced: true, uncounted: true, refunds: true,
			reviews: true, several: true},
		ids: func(p *Plan) identity {
			session := func(i int) string {
				if !wooAnalysed(p, i) {
					return keyed("order", numbered(wooOrder))(i)
				}
				return "guest-" + strconv.Itoa(len(p.Customers)+p.Orders[i].Guest+1)
			}
			return identity{product: numbered(0), customer: numbered(wooUser), order: numbered(wooOrder), session: session}
		},
		write: func(b *builder) {
			w := &woo{builder: b}
			w.catalogue()
			w.people()
			w.orders()
			w.reviews()
		},
	}
}

type woo struct {
	*builder
	posts    func(...any)
	postmeta func(...any)
}

// wooAnalysed reports whether an order is in the analytics tables.
func wooAnalysed(p *Plan, order int) bool {
	switch p.Config.Version {
	case "3", wooNoLookups, wooPosts:
		return false
	case wooLate:
		return order >= len(p.Orders)/40 // with the refunds, they hold more orders than there are
	}
	return true
}

// lookups reports whether the last orders are in the analytics tables.
func (w *woo) lookups() bool { return wooAnalysed(w.Plan, len(w.Orders)) }

func (w *woo) catalogue() {
	w.posts = w.into("posts", "ID post_date post_date_gmt post_content post_title post_status post_parent post_type")
	w.postmeta = w.into("postmeta", "post_id meta_key meta_value")
	option := w.into("options", "option_name option_value")
	option("woocommerce_currency", "EUR")
	option("default_product_cat", "999")
	if w.since(wooOrders) {
		inUse := "yes"
		if w.Config.Version == wooPosts {
			inUse = "no"
		}
		option("woocommerce_custom_orders_table_enabled", inUse)
	}
	byBrand := w.terms(option)
	related := w.once("term_relationships", "object_id term_taxonomy_id")
	hidden := 0
	for i, p := range w.Products {
		id, status := 1+i, "publish"
		if !p.Enabled && !p.Unpriced {
			if hidden++; hidden%2 == 0 {
				status = "draft"
			} else {
				related(id, 1998)
			}
		}
		w.posts(id, periodEnd, periodEnd, "", p.Names[0], status, 0, "product")
		for n := range p.Variants {
			w.posts(wooVariation+100*i+n, periodEnd, periodEnd, "", p.Names[0]+" size "+strconv.Itoa(n), "publish", id,
				"product_variation")
		}
		ids := []int{id}
		if w.translated(i) {
			ids = append(ids, wooTranslation+id)
			w.posts(wooTranslation+id, periodEnd, periodEnd, "", p.Names[1], status, 0, "product")
		}
		for n, id := range ids {
			for _, k := range p.Categories {
				related(id, 1001+k)
			}
			related(id, 1999)
			related(id, 1000+byBrand[p.Brand])
			w.language(i, n, id)
		}
		stock, quantity := "instock", any(p.Stock)
		switch {
		case !p.Counted:
			quantity = nil
		case p.Stock == 0:
			stock = "outofstock"
		}
		w.prices(id, p)
		if w.since(wooLookup) {
			price := amount(p.Cents)
			if p.Unpriced {
				price = 0
			}
			w.lookup()(id, fmt.Sprintf("SKU-%d", id), price, price, quantity, stock)
		} else {
			w.postmeta(id, "_stock_status", stock)
		}
	}
}

// prices writes a product's price. One with variations has the lowest and the highest of theirs.
func (w *woo) prices(id int, p Product) {
	if p.Unpriced {
		w.postmeta(id, "_price", "")
		return
	}
	w.postmeta(id, "_price", fmt.Sprintf("%d.%02d", p.Cents/100, p.Cents%100))
	if p.Variants > 0 {
		w.postmeta(id, "_price", fmt.Sprintf("%d", 99+p.Cents/10))
	}
}

// terms fills the taxonomies, and gives the brands' numbers.
func (w *woo) terms(option func(...any)) map[string]int {
	terms := w.into("terms", "term_id name slug")
	taxonomy := w.into("term_taxonomy", "term_taxonomy_id term_id taxonomy description")
	byBrand := map[string]int{}
	term := func(id int, name, kind string) {
		terms(id, escaped(name), fmt.Sprintf("term-%d", id))
		taxonomy(1000+id, id, kind, "")
	}
	for i, name := range w.Categories {
		term(1+i, name, "product_cat")
	}
	for i, name := range brands {
		byBrand[name] = 500 + i
		term(500+i, name, "product_brand")
	}
	term(999, "Uncategorized", "product_cat")
	if w.Config.Version == wooPolylang {
		option("polylang", `a:2:{s:7:"browser";b:0;s:12:"default_lang";s:2:"en";}`)
		for i, code := range []string{"en", "de"} {
			terms(990+i, code, code)
			taxonomy(1990+i, 990+i, "language", "")
		}
		for i := range w.Products {
			terms(9_000+i, "pll", fmt.Sprintf("pll-%d", i))
			taxonomy(10_000+i, 9_000+i, "post_translations", "")
		}
	}
	term(998, "exclude-from-catalog", "product_visibility")
	return byBrand
}

// translated reports whether product i has a post for each language. The plugin does not know the others.
func (w *woo) translated(i int) bool {
	return (w.Config.Version == wooWPML || w.Config.Version == wooPolylang) && i%9 > 0
}

// language says that a post shows product i in the language at that index.
func (w *woo) language(i, index, post int) {
	if !w.translated(i) {
		return
	}
	if w.Config.Version == wooWPML {
		w.once("icl_translations", "element_type element_id trid language_code source_language_code")(
			"post_product", post, 1+i, []string{"en", "de"}[index], []any{nil, "en"}[index])
	}
	if w.Config.Version == wooPolylang {
		related := w.once("term_relationships", "object_id term_taxonomy_id")
		related(post, 1990+index)
		related(post, 10_000+i)
	}
}

// lookup opens the table of products, which earlier versions have not.
func (w *woo) lookup() func(...any) {
	return w.once("wc_product_meta_lookup", "product_id sku min_price max_price stock_quantity stock_status")
}

// people fills the table of customers: first those with an account, then guests by e-mail address.
func (w *woo) people() {
	if !w.lookups() || w.Config.Version == wooLate {
		meta := w.into("usermeta", "user_id meta_key meta_value")
		for i, c := range w.Customers {
			meta(wooUser+1+i, "billing_country", c.Country)
			meta(wooUser+1+i, "billing_city", c.City)
			meta(wooUser+1+i, "billing_phone", "1")
		}
	}
	if !w.lookups() {
		return
	}
	add := w.into("wc_customer_lookup", "customer_id user_id first_name last_name email country city")
	for i, c := range w.Customers {
		add(1+i, wooUser+1+i, "A", "B", fmt.Sprintf("c%d@example.org", i), c.Country, c.City)
	}
	for i, c := range w.Guests {
		add(1+len(w.Customers)+i, nil, "A", "B", fmt.Sprintf("g%d@example.org", i), c.Country, c.City)
	}
}

var wooStates = map[State]string{Open: "wc-pending", Cancelled: "wc-cancelled", Refunded: "wc-refunded"}

func (w *woo) orders() {
	items := w.into("woocommerce_order_items", "order_item_id order_item_name order_item_type order_id")
	meta := w.into("woocommerce_order_itemmeta", "order_item_id meta_key meta_value")
	item := 0
	line := func(i, order int, l Line, quantity int, o Order) {
		item++
		product, variation := 1+l.Product, 0
		if w.Products[l.Product].Variants > 0 {
			variation = wooVariation + 100*l.Product + l.Variant
		}
		if w.translated(l.Product) && i%2 == 1 { // it was bought in the other language
			product += wooTranslation
		}
		items(item, "x", "line_item", order)
		meta(item, "_product_id", strconv.Itoa(product))
		meta(item, "_variation_id", strconv.Itoa(variation))
		meta(item, "_qty", strconv.Itoa(quantity))
		if wooAnalysed(w.Plan, i) {
			w.once("wc_order_product_lookup",
				"order_item_id order_id product_id variation_id customer_id date_created product_qty")(
				item, order, product, variation, w.customer(o), o.At, quantity)
		}
	}
	for i, o := range w.Orders {
		id, status := wooOrder+1+i, wooStates[o.State]
		switch o.State {
		case Sold: // the last is the shop's own
			status = []string{"wc-completed", "wc-processing", "wc-sent_by-rail"}[i%3]
		case Open: // likewise
			status = []string{status, "wc-quote"}[i%2]
		}
		w.order(i, id, 0, status, o)
		refund := wooRefund + 1 + i
		back := false
		for _, l := range o.Lines {
			line(i, id, l, l.Quantity, o)
			back = back || l.Back > 0
		}
		item++
		items(item, "Flat rate", "shipping", id) // no product
		if !back {
			continue
		}
		w.order(i, refund, id, "wc-completed", o)
		for _, l := range o.Lines {
			if l.Back > 0 {
				line(i, refund, l, -l.Back, o)
			}
		}
	}
}

// customer is the row of the table of customers.
func (w *woo) customer(o Order) int {
	if o.Customer < 0 {
		return 1 + len(w.Customers) + o.Guest
	}
	return 1 + o.Customer
}

// order writes order i, or a refund of the order that is its parent, wherever the version keeps it.
func (w *woo) order(i, id, parent int, status string, o Order) {
	user, kind := 0, "shop_order"
	if o.Customer >= 0 {
		user = wooUser + 1 + o.Customer
	}
	if parent > 0 {
		kind, user = "shop_order_refund", 0
	}
	posts := !w.since(wooOrders) || w.Config.Version == wooPosts
	if w.since(wooOrders) && (!posts || i < len(w.Orders)/2) {
		w.once("wc_orders",
			"id status currency type customer_id date_created_gmt parent_order_id")(id, status, "EUR", kind, user, o.At, parent)
		if o.State == Sold && parent == 0 {
			w.once("wc_order_operational_data", "order_id date_paid_gmt")(id, o.At)
		}
	}
	if posts {
		w.posts(id, o.At, o.At, "", "", status, parent, kind)
		if parent == 0 {
			w.postmeta(id, "_customer_user", strconv.Itoa(user))
		}
		if o.State == Sold && parent == 0 {
			w.postmeta(id, "_date_paid", strconv.FormatInt(o.At.Unix(), 10))
		}
	} else {
		w.posts(id, o.At, o.At, "", "", "draft", parent, "shop_order_placehold")
	}
	if wooAnalysed(w.Plan, i) {
		w.once("wc_order_stats",
			"order_id parent_id date_created date_created_gmt status customer_id")(id, parent, o.At, o.At, status, w.customer(o))
	}
}

func (w *woo) reviews() {
	comments := w.into("comments",
		"comment_ID comment_post_ID comment_author comment_date_gmt comment_content comment_approved "+
			"comment_type user_id")
	meta := w.into("commentmeta", "comment_id meta_key meta_value")
	for i, r := range w.Reviews {
		kind := []string{"review", "comment", ""}[i%3] // what it was called over the years
		comments(1+i, 1+r.Product, "A", r.At, "", strconv.Itoa(map[bool]int{true: 1}[r.Approved]), kind, wooUser+1+r.Customer)
		meta(1+i, "rating", strconv.Itoa(r.Stars))
	}
}
