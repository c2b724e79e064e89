package preset

import "kindred/internal/shop/mapping"

// What several systems' variables are called in --help and in a mapping's heading.
const (
	helpStore    = "the store whose orders, names and prices are read; all: every order"
	helpChannel  = "the channel whose orders, names and prices are read; all: every order"
	helpLanguage = "the language of names"
	helpCurrency = "the currency of prices"
	helpPaid     = "the states of orders that count as sold"
)

// systems lists every system, each with what its real schema has in the versions that it names.
func systems() []System {
	return []System{woocommerce(), magento2(), openmage(), prestashop(), opencart(), shopware6(), sylius(), bagisto(),
		classicmodels(), ratings(), interactions()}
}

func woocommerce() System {
	items := tables("woocommerce_order_items order_item_id order_item_type order_id",
		"woocommerce_order_itemmeta order_item_id meta_key meta_value")
	return System{
		Name: "woocommerce", Title: "WooCommerce", key: "posts",
		needs: tables("posts ID post_title post_status post_type post_parent"),
		either: [][]table{
			tables("wc_order_product_lookup order_id product_id product_qty customer_id date_created",
				"wc_order_stats order_id parent_id status customer_id date_created"),
			append(tables("wc_orders id status type parent_order_id customer_id date_created_gmt"), items...),
			append(tables("postmeta post_id meta_key meta_value"), items...),
		},
		versions: []release{
			{"9.2 or later", tables("wc_product_meta_lookup global_unique_id")},
			{"7.1 to 9.1", tables("wc_orders id")},
			{"4.0 to 7.0", tables("wc_order_product_lookup order_id")},
			{"3.x or earlier", nil},
		},
		variables: []variable{
			// whether products have their prices in postmeta, where WooCommerce itself reads them: yes
			{name: "priced", kind: word, hidden: true},
			// whether Polylang translates the shop: yes
			{name: "polylang", kind: word, hidden: true},
			{name: "language", help: "the language of names, where WPML or Polylang translates the shop", kind: word},
			{name: "currency", help: helpCurrency, kind: word},
			{name: "paid", help: helpPaid, kind: word, list: true, fallback: "wc-completed,wc-processing"},
			// which of the places that keep orders is read
			{name: "source", kind: word, hidden: true, fallback: "posts"},
		},
	}
}

// magentoNeeds is what both lines have, whose tables of orders are called differently.
func magentoNeeds(order, item string) []table {
	return tables(order+" entity_id state customer_id created_at store_id",
		item+" order_id parent_item_id product_id qty_ordered qty_canceled qty_refunded",
		"catalog_product_entity entity_id sku",
		"catalog_product_entity_varchar attribute_id store_id value",
		"catalog_product_entity_int attribute_id store_id value",
		"catalog_product_entity_decimal attribute_id store_id value",
		"eav_attribute attribute_id entity_type_id attribute_code")
}

func magentoVariables() []variable {
	return []variable{
		{name: "store", help: "the store view of names and prices, with the orders of its website; all: every order",
			kind: number, all: true, fallback: Everything},
		{name: "base_currency", kind: word, hidden: true},
		{name: "currency", help: helpCurrency, kind: word},
		{name: "paid", help: helpPaid, kind: word, list: true, fallback: "complete,processing"},
	}
}

func magento2() System {
	return System{
		Name: "magento2", Title: "Magento 2", key: "sales_order",
		needs: magentoNeeds("sales_order", "sales_order_item"),
		versions: []release{
			{"2.4", tables("login_as_customer secret")},
			{"2.3", tables("inventory_source source_code")},
			{"2.x", nil},
		},
		variables: magentoVariables(),
	}
}

func openmage() System {
	return System{
		Name: "openmage", Title: "OpenMage", key: "sales_flat_order",
		needs:     magentoNeeds("sales_flat_order", "sales_flat_order_item"),
		versions:  []release{{"19 to 21, or Magento 1.6 to 1.9", nil}},
		variables: magentoVariables(),
		like:      "magento2",
		renamed: map[string]string{"sales_order": "sales_flat_order", "sales_order_item": "sales_flat_order_item",
			"store": "core_store", "store_group": "core_store_group", "store_website": "core_website"},
	}
}

func prestashop() System {
	return System{
		Name: "prestashop", Title: "PrestaShop", key: "order_detail",
		needs: tables("orders id_order id_customer valid date_add",
			"order_detail id_order product_id product_quantity product_quantity_refunded",
			"product id_product", "product_shop id_product id_shop price active",
			"product_lang id_product id_shop id_lang name", "customer id_customer"),
		versions: []release{
			{"9", tables("api_client id_api_client")},
			{"1.7.8 to 8", tables("product product_type")},
			{"1.7", tables("product_shop show_condition")},
			{"1.6 or 1.7", nil},
		},
		variables: []variable{
			{name: "store", help: helpStore, kind: number, all: true, fallback: "1"},
			{name: "language", help: helpLanguage, kind: number, fallback: "1"},
			{name: "currency", help: helpCurrency, kind: word},
		},
	}
}

func opencart() System {
	return System{
		Name: "opencart", Title: "OpenCart", key: "order_product",
		needs: tables("order order_id customer_id order_status_id date_added",
			"order_product order_id product_id quantity", "product product_id status price",
			"product_description product_id language_id name", "product_to_category product_id category_id",
			"customer customer_id"),
		versions: []release{
			{"4.1 or later", tables("product_code product_id")},
			{"4.0", tables("product master_id")},
			{"3.0", tables("seo_url seo_url_id")},
			{"1.5 to 2.3", nil},
		},
		variables: []variable{
			{name: "store", help: helpStore, kind: number, all: true, fallback: "0"},
			{name: "language", help: helpLanguage, kind: number, fallback: "1"},
			{name: "currency", help: helpCurrency, kind: word},
			{name: "paid", help: "the states of orders that count as sold: those that the shop's settings call processing " +
				"or complete, without the state of new orders and Reversed (12)", kind: number, list: true, fallback: "2,3,5,15"},
		},
	}
}

func shopware6() System {
	return System{
		Name: "shopware6", Title: "Shopware", key: "order_line_item", fixed: true,
		needs: tables("order id version_id state_id sales_channel_id", "state_machine_state id technical_name",
			"order_line_item order_id order_version_id version_id product_id quantity type",
			"order_customer order_id order_version_id version_id customer_id", "customer id",
			"product id version_id parent_id active", "product_translation product_id product_version_id language_id name"),
		versions: []release{
			{"6.6", tables("product canonical_product_version_id")},
			{"6.5 or 6.6", tables("customer account_type")},
			{"6.4", tables("product cheapest_price")},
			{"6.3", tables("product listing_prices")},
			{"6.x", nil},
		},
		// The ids that every Shopware 6 is installed with are the fallbacks.
		variables: []variable{
			{name: "store", help: "the sales channel whose orders are read; all: every order", kind: hex, all: true,
				fallback: Everything},
			{name: "language", help: helpLanguage, kind: hex, fallback: "2fbb5fe2e29a4d70aa5854ce7ce3e20b"},
			{name: "currency", help: helpCurrency, kind: word},
			{name: "live_version", help: "the id of the row version that the storefront shows", kind: hex,
				fallback: "0fa91ce3e96a4bc2be4bd9ce752c3425"},
		},
	}
}

func sylius() System {
	return System{
		Name: "sylius", Title: "Sylius", key: "sylius_order", fixed: true,
		needs: tables("sylius_order id customer_id channel_id state payment_state checkout_completed_at created_at",
			"sylius_order_item order_id variant_id quantity", "sylius_product id code enabled",
			"sylius_product_translation translatable_id locale name slug",
			"sylius_product_variant id product_id tracked on_hand on_hold", "sylius_customer id default_address_id",
			"sylius_shop_user customer_id", "sylius_channel id code"),
		versions: []release{
			{"2.0 or later", tables("sylius_payment_request hash")},
			{"1.13 or 1.14", tables("sylius_channel_pricing_log_entry id")},
			{"1.12", tables("sylius_order created_by_guest")},
			{"1.x", nil},
		},
		variables: []variable{
			{name: "store", help: helpChannel, kind: number, all: true, fallback: "1"},
			{name: "language", help: helpLanguage, kind: word, fallback: "en_US"},
			{name: "currency", help: helpCurrency, kind: word},
			{name: "paid", help: "the payment states of orders that count as sold", kind: word, list: true,
				fallback: "paid,partially_paid,authorized,partially_authorized,partially_refunded"},
		},
	}
}

func bagisto() System {
	return System{
		Name: "bagisto", Title: "Bagisto", key: "order_items",
		needs: tables("orders id status customer_id created_at",
			"order_items order_id parent_id product_id qty_ordered qty_canceled qty_refunded", "products id sku type parent_id",
			"product_flat product_id locale channel name status price url_key visible_individually", "customers id",
			"channels id code"),
		versions: []release{
			{"2.2 or later", tables("product_channels product_id")},
			{"1.5 to 2.1", tables("product_price_indices product_id")},
			{"1.x", nil},
		},
		variables: []variable{
			{name: "store", help: helpChannel, kind: number, all: true, fallback: "1"},
			{name: "language", help: helpLanguage, kind: word, fallback: "en"},
			{name: "base_currency", kind: word, hidden: true},
			{name: "currency", help: helpCurrency, kind: word},
			{name: "paid", help: helpPaid, kind: word, list: true, fallback: "completed,processing"},
		},
	}
}

func classicmodels() System {
	return System{
		Name: "classicmodels", Title: "classicmodels", key: "orderdetails", fixed: true,
		needs: tables("orders orderNumber orderDate status customerNumber",
			"orderdetails orderNumber productCode quantityOrdered", "products productCode productName",
			"customers customerNumber"),
		versions: []release{{"(any)", nil}},
		variables: []variable{
			{name: "currency", help: "the currency of prices, which the tables do not say", kind: word},
			{name: "paid", help: helpPaid, kind: word, list: true, fallback: "Shipped,Resolved,In Process"},
		},
	}
}

func ratings() System {
	return System{
		Name: "ratings", Title: "kindred's own tables", key: "ratings", fixed: true,
		needs: tables("ratings customerNumber productCode productRating",
			"products productCode productName productLine productScale productVendor quantityInStock MSRP",
			"customers customerNumber country city"),
		without:  []string{"orderdetails"},
		versions: []release{{"(customers, products, ratings)", nil}},
		variables: []variable{
			{name: "currency", help: "the currency of prices, which the tables do not say", kind: word},
		},
	}
}

func interactions() System {
	return System{
		Name: "interactions", Title: "kindred's interactions", key: mapping.OwnInteractions, fixed: true,
		needs: tables(mapping.OwnInteractions+" customer session product kind value quantity at order_id",
			"kindred_products id name categories brand price currency available", "kindred_customers id country city"),
		versions: []release{{"(contract 2)", nil}},
		variables: []variable{
			{name: "currency", help: "the currency of prices, if another than the products have", kind: word},
		},
	}
}
