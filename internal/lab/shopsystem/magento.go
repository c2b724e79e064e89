package shopsystem

import "strconv"

// Numbers of Magento's attributes and of the first variant, option and address.
const (
	magentoName         = 73
	magentoPrice        = 77
	magentoStatus       = 97
	magentoVisibility   = 99
	magentoManufacturer = 83
	magentoImage        = 87
	magentoCategory     = 45
	magentoBilling      = 13
	magentoCity         = 26
	magentoCountry      = 27

	magentoVariant  = 500_000
	magentoRow      = 30_000 // what a row's number is ahead of its product's, in magentoCommerce
	magentoProduct  = 10
	magentoCustomer = 100
	magentoOrder    = 5_000
)

// magentoCommerce keeps several rows of a product, each for a time.
const magentoCommerce = "2.4-commerce"

func magento2() system {
	return magento("magento2", []string{"2.2", "2.3", magentoCommerce, "2.4"}, &magentoNames{website: "store_website",
		group: "store_group", store: "store",
		order: "sales_order", item: "sales_order_item"})
}

func openmage() system {
	return magento("openmage", []string{"1.9", "20"}, &magentoNames{website: "core_website", group: "core_store_group",
		store: "core_store",
		order: "sales_flat_order", item: "sales_flat_order_item", eav: true})
}

// magentoNames is how the two lines differ.
type magentoNames struct {
	website, group, store, order, item string
	eav                                bool // customers are attributes too, and values hold their type of entity
}

func magento(name string, versions []string, names *magentoNames) system {
	return system{
		name: name, versions: versions, prefixed: true, brands: true,
		traits: traits{guests: true, variants: true, stores: true, languages: true, disabled: true, uncounted: true,
			refunds: true, reviews: true, several: true},
		ids: func(*Plan) identity {
			return identity{product: numbered(magentoProduct), customer: numbered(magentoCustomer),
				order:   numbered(magentoOrder),
				session: keyed("order", numbered(magentoOrder))}
		},
		write: func(b *builder) {
			m := &mage{builder: b, names: names}
			m.stores()
			m.catalogue()
			m.people()
			m.orders()
			m.reviews()
		},
	}
}

type mage struct {
	*builder
	names *magentoNames
}

// stores makes two websites. The first has two store views, one for each language.
func (m *mage) stores() {
	website := m.into(m.names.website, "website_id code name default_group_id is_default")
	website(0, "admin", "Admin", 0, false)
	website(1, "base", "Main", 1, true)
	website(2, "b2b", "B2B", 2, false)
	group := m.into(m.names.group, "group_id website_id name default_store_id")
	group(1, 1, "Main", 1)
	group(2, 2, "B2B", 3)
	store := m.into(m.names.store, "store_id code website_id group_id name is_active")
	store(1, "default", 1, 1, "Default", true)
	store(2, "german", 1, 1, "German", true)
	store(3, "b2b", 2, 2, "B2B", true)
	set := m.into("core_config_data", "scope scope_id path value")
	set("default", 0, "web/secure/use_in_frontend", "1")
	if m.Config.Version != "2.3" { // installed without a choice, and its orders tell
		set("default", 0, "currency/options/base", "EUR")
	}
	m.into("directory_currency_rate", "currency_from currency_to rate")("EUR", "USD", "2.000000000000")
	kind := m.into("eav_entity_type", "entity_type_id entity_type_code")
	for i, code := range []string{"customer", "customer_address", "catalog_category", "catalog_product"} {
		kind(1+i, code)
	}
	attribute := m.into("eav_attribute", "attribute_id entity_type_id attribute_code backend_type")
	for id, code := range map[int]string{magentoName: "name", magentoPrice: "price", magentoStatus: "status",
		magentoImage:      "image",
		magentoVisibility: "visibility", magentoManufacturer: "manufacturer"} {
		attribute(id, 4, code, "int")
	}
	attribute(magentoCategory, 3, "name", "varchar")
	attribute(magentoBilling, 1, "default_billing", "int")
	attribute(magentoCity, 2, "city", "varchar")
	attribute(magentoCountry, 2, "country_id", "varchar")
}

// values opens a table of attribute values.
func (m *mage) values(table string, entityType int) func(attribute, store, entity int, value any) {
	if m.names.eav {
		add := m.once(table, "entity_type_id attribute_id store_id entity_id value")
		return func(attribute, store, entity int, value any) { add(entityType, attribute, store, entity, value) }
	}
	column := "entity_id"
	if entityType == 4 {
		column = m.rowColumn()
	}
	add := m.once(table, "attribute_id store_id "+column+" value")
	return func(attribute, store, entity int, value any) {
		if column == "entity_id" {
			add(attribute, store, entity, value)
			return
		}
		add(attribute, store, m.row(entity), value)
		if attribute == magentoName || attribute == magentoPrice { // what it was before
			add(attribute, store, m.row(entity)+magentoRow*100, "1")
		}
	}
}

// row is the number of a product's row that is valid now.
func (m *mage) row(product int) int {
	if m.Config.Version == magentoCommerce {
		return product + magentoRow
	}
	return product
}

// rowColumn names the column of that number.
func (m *mage) rowColumn() string {
	if m.Config.Version == magentoCommerce {
		return "row_id"
	}
	return "entity_id"
}

// product writes the rows of a product: one, or what it was, is and will be.
func (m *mage) product(id int, kind, sku string) {
	if m.Config.Version != magentoCommerce {
		m.once("catalog_product_entity", "entity_id type_id sku")(id, kind, sku)
		return
	}
	add := m.once("catalog_product_entity", "row_id entity_id created_in updated_in type_id sku")
	const past, future, end = 1_500_000_000, 2_147_000_000, 2_147_483_647
	add(m.row(id)+magentoRow*100, id, 1, past, kind, sku)
	add(m.row(id), id, past, future, kind, sku)
	add(m.row(id)+magentoRow*200, id, future, end, kind, sku)
}

func (m *mage) catalogue() {
	text := m.values("catalog_product_entity_varchar", 4)
	number := m.values("catalog_product_entity_int", 4)
	money := m.values("catalog_product_entity_decimal", 4)
	chosen := m.into("catalog_product_super_link", "product_id parent_id")
	grouped := m.into("catalog_product_link", "product_id linked_product_id link_type_id")
	sold := m.into("catalog_product_website", "product_id website_id")
	in := m.into("catalog_category_product", "category_id product_id")
	stock := m.into("cataloginventory_stock_item",
		"product_id stock_id qty is_in_stock manage_stock use_config_manage_stock")
	index := m.into("cataloginventory_stock_status", "product_id website_id stock_id stock_status")
	category := m.into("catalog_category_entity", "entity_id parent_id path level")
	label := m.values("catalog_category_entity_varchar", 3)
	category(1, 0, "1", 0)
	category(2, 1, "1/2", 1)
	label(magentoCategory, 0, 2, "Default Category")
	for i, name := range m.Categories {
		category(3+i, 2, "1/2/3", 2)
		label(magentoCategory, 0, 3+i, name)
	}
	option := m.into("eav_attribute_option_value", "option_id store_id value")
	byBrand := map[string]int{}
	for i, name := range brands {
		byBrand[name] = 1 + i
		option(1+i, 0, name)
		option(1+i, 2, name+" (de)")
	}
	for i, p := range m.Products {
		id := magentoProduct + 1 + i
		kind, status := "simple", 1
		if p.Variants > 0 {
			kind = magentoParent(i)
		}
		if !p.Enabled {
			status = 2
		}
		m.product(id, kind, "SKU-"+strconv.Itoa(id))
		text(magentoName, 0, id, p.Names[0])
		text(magentoName, 2, id, p.Names[1])
		number(magentoStatus, 0, id, status)
		number(magentoVisibility, 0, id, 4)
		number(magentoManufacturer, 0, id, byBrand[p.Brand])
		if p.Variants == 0 { // what is chosen from has no price of its own
			money(magentoPrice, 0, id, amount(p.Cents))
		}
		for n := range p.Variants {
			variant := magentoVariant + 100*i + n
			m.product(variant, "simple", "SKU-"+strconv.Itoa(variant))
			text(magentoName, 0, variant, p.Names[0]+" size "+strconv.Itoa(n))
			number(magentoStatus, 0, variant, 1)
			number(magentoVisibility, 0, variant, 1)
			money(magentoPrice, 0, variant, amount(p.Cents+int64(n)*100))
			if kind == "grouped" {
				grouped(m.row(id), variant, 3)
			} else {
				chosen(variant, m.row(id))
			}
			grouped(m.row(variant), id, 4) // it is only sold with the other
		}
		for website := 1; website <= 2; website++ {
			if p.Store < 0 || p.Store == website-1 {
				sold(id, website)
			}
		}
		in(2, id)
		for _, k := range p.Categories {
			in(3+k, id)
		}
		switch {
		case !p.Counted:
			stock(id, 1, 0, false, 0, false)
		case p.Variants > 0: // its own stock says nothing of its variants'
			stock(id, 1, 0, true, 1, true)
		default:
			stock(id, 1, p.Stock, p.Stock > 0, 1, true)
		}
		index(id, 0, 1, !p.Counted || p.Stock > 0)
	}
}

// magentoParent is the sort of a product that has variants.
func magentoParent(product int) string {
	if product%3 == 1 {
		return "grouped"
	}
	return "configurable"
}

func (m *mage) people() {
	for i, c := range m.Customers {
		id, address := magentoCustomer+1+i, 1+i
		if !m.names.eav {
			m.once("customer_entity",
				"entity_id website_id email default_billing firstname")(id, 1, "c"+strconv.Itoa(i)+"@example.org", address, "A")
			m.once("customer_address_entity",
				"entity_id parent_id city country_id firstname lastname street telephone")(address, id, c.City,
				c.Country, "A", "B", "C", "1")
			continue
		}
		m.once("customer_entity", "entity_id website_id email")(id, 1, "c"+strconv.Itoa(i)+"@example.org")
		m.once("customer_entity_int", "entity_type_id attribute_id entity_id value")(1, magentoBilling, id, address)
		m.once("customer_address_entity", "entity_id entity_type_id parent_id")(address, 2, id)
		m.once("customer_address_entity_varchar",
			"entity_type_id attribute_id entity_id value")(2, magentoCity, address, c.City)
		m.once("customer_address_entity_varchar",
			"entity_type_id attribute_id entity_id value")(2, magentoCountry, address, c.Country)
	}
}

func (m *mage) orders() {
	order := m.into(m.names.order,
		"entity_id state status store_id customer_id customer_is_guest customer_email base_currency_code created_at")
	item := m.into(m.names.item,
		"item_id order_id parent_item_id store_id product_id product_type name qty_ordered qty_canceled qty_refunded")
	next := 0
	for i, o := range m.Orders {
		id := magentoOrder + 1 + i
		state := map[State]string{Open: "new", Cancelled: "canceled", Refunded: "closed"}[o.State]
		if o.State == Sold {
			state = []string{"complete", "processing"}[i%2]
		}
		var customer any
		if o.Customer >= 0 {
			customer = magentoCustomer + 1 + o.Customer
		}
		store := any(1 + i%2) // the two languages of the first website
		switch {
		case o.Store == 1:
			store = 3
		case i%23 == 7: // a store view that is gone
			store = nil
		}
		order(id, state, state, store, customer, o.Customer < 0, "x@example.org", "EUR", o.At)
		for n, l := range o.Lines {
			product := magentoProduct + 1 + l.Product
			refunded, cancelled := l.Back, 0
			switch {
			case o.State == Refunded:
				refunded = l.Quantity
			case o.State == Cancelled:
				refunded, cancelled = 0, l.Quantity
			case n%2 == 1: // the line was cancelled before it was sent
				refunded, cancelled = 0, l.Back
			}
			next++
			parent := next
			kind := "simple"
			if m.Products[l.Product].Variants > 0 {
				kind = magentoParent(l.Product)
			}
			if kind == "grouped" { // the line is the simple product's
				product = magentoVariant + 100*l.Product + l.Variant
			}
			item(parent, id, nil, store, product, kind, "x", l.Quantity, cancelled, refunded)
			if kind == "configurable" {
				next++
				item(next, id, parent, store, magentoVariant+100*l.Product+l.Variant, "simple", "x", l.Quantity, 0, 0)
			}
		}
	}
}

func (m *mage) reviews() {
	review := m.into("review", "review_id created_at entity_id entity_pk_value status_id")
	vote := m.into("rating_option_vote",
		"option_id remote_ip customer_id entity_pk_value rating_id review_id percent value")
	for i, r := range m.Reviews {
		status, product, customer := 2, magentoProduct+1+r.Product, magentoCustomer+1+r.Customer
		if r.Approved {
			status = 1
		}
		review(1+i, r.At, 1, product, status)
		for rating := 1; rating <= 2; rating++ { // one vote each for price and quality
			vote(r.Stars, "", customer, product, rating, 1+i, 20*r.Stars, r.Stars)
		}
	}
}
