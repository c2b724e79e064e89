CREATE TABLE `{{p}}posts` (
  ID bigint unsigned NOT NULL AUTO_INCREMENT, post_author bigint unsigned NOT NULL DEFAULT 0,
  post_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00', post_date_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  post_content longtext NOT NULL, post_title text NOT NULL, post_status varchar(20) NOT NULL DEFAULT 'publish',
  post_parent bigint unsigned NOT NULL DEFAULT 0, post_type varchar(20) NOT NULL DEFAULT 'post',
  PRIMARY KEY (ID), KEY type_status_date (post_type, post_status, post_date, ID), KEY post_parent (post_parent)) ENGINE=InnoDB;
CREATE TABLE `{{p}}postmeta` (
  meta_id bigint unsigned NOT NULL AUTO_INCREMENT, post_id bigint unsigned NOT NULL DEFAULT 0, meta_key varchar(255), meta_value longtext,
  PRIMARY KEY (meta_id), KEY post_id (post_id), KEY meta_key (meta_key(191))) ENGINE=InnoDB;
CREATE TABLE `{{p}}usermeta` (
  umeta_id bigint unsigned NOT NULL AUTO_INCREMENT, user_id bigint unsigned NOT NULL DEFAULT 0, meta_key varchar(255), meta_value longtext,
  PRIMARY KEY (umeta_id), KEY user_id (user_id), KEY meta_key (meta_key(191))) ENGINE=InnoDB;
CREATE TABLE `{{p}}options` (
  option_id bigint unsigned NOT NULL AUTO_INCREMENT, option_name varchar(191) NOT NULL DEFAULT '', option_value longtext NOT NULL,
  autoload varchar(20) NOT NULL DEFAULT 'yes', PRIMARY KEY (option_id), UNIQUE KEY option_name (option_name)) ENGINE=InnoDB;
CREATE TABLE `{{p}}terms` (
  term_id bigint unsigned NOT NULL AUTO_INCREMENT, name varchar(200) NOT NULL DEFAULT '', slug varchar(200) NOT NULL DEFAULT '',
  PRIMARY KEY (term_id), KEY slug (slug(191)), KEY name (name(191))) ENGINE=InnoDB;
CREATE TABLE `{{p}}term_taxonomy` (
  term_taxonomy_id bigint unsigned NOT NULL AUTO_INCREMENT, term_id bigint unsigned NOT NULL DEFAULT 0, taxonomy varchar(32) NOT NULL DEFAULT '',
  description longtext NOT NULL, parent bigint unsigned NOT NULL DEFAULT 0, count bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (term_taxonomy_id), UNIQUE KEY term_id_taxonomy (term_id, taxonomy), KEY taxonomy (taxonomy)) ENGINE=InnoDB;
CREATE TABLE `{{p}}term_relationships` (
  object_id bigint unsigned NOT NULL DEFAULT 0, term_taxonomy_id bigint unsigned NOT NULL DEFAULT 0, term_order int NOT NULL DEFAULT 0,
  PRIMARY KEY (object_id, term_taxonomy_id), KEY term_taxonomy_id (term_taxonomy_id)) ENGINE=InnoDB;
CREATE TABLE `{{p}}comments` (
  comment_ID bigint unsigned NOT NULL AUTO_INCREMENT, comment_post_ID bigint unsigned NOT NULL DEFAULT 0, comment_author tinytext NOT NULL,
  comment_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00', comment_date_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  comment_content text NOT NULL, comment_approved varchar(20) NOT NULL DEFAULT '1', comment_type varchar(20) NOT NULL DEFAULT 'comment',
  user_id bigint unsigned NOT NULL DEFAULT 0, PRIMARY KEY (comment_ID), KEY comment_post_ID (comment_post_ID)) ENGINE=InnoDB;
CREATE TABLE `{{p}}commentmeta` (
  meta_id bigint unsigned NOT NULL AUTO_INCREMENT, comment_id bigint unsigned NOT NULL DEFAULT 0, meta_key varchar(255), meta_value longtext,
  PRIMARY KEY (meta_id), KEY comment_id (comment_id), KEY meta_key (meta_key(191))) ENGINE=InnoDB;
CREATE TABLE `{{p}}woocommerce_order_items` (
  order_item_id bigint unsigned NOT NULL AUTO_INCREMENT, order_item_name text NOT NULL, order_item_type varchar(200) NOT NULL DEFAULT '',
  order_id bigint unsigned NOT NULL, PRIMARY KEY (order_item_id), KEY order_id (order_id)) ENGINE=InnoDB;
CREATE TABLE `{{p}}woocommerce_order_itemmeta` (
  meta_id bigint unsigned NOT NULL AUTO_INCREMENT, order_item_id bigint unsigned NOT NULL, meta_key varchar(255), meta_value longtext,
  PRIMARY KEY (meta_id), KEY order_item_id (order_item_id), KEY meta_key (meta_key(32))) ENGINE=InnoDB;
{{if is "9-wpml"}}CREATE TABLE `{{p}}icl_translations` (
  translation_id bigint NOT NULL AUTO_INCREMENT, element_type varchar(60) NOT NULL DEFAULT 'post_post', element_id bigint, trid bigint NOT NULL,
  language_code varchar(7) NOT NULL, source_language_code varchar(7), PRIMARY KEY (translation_id), UNIQUE KEY el_type_id (element_type, element_id),
  UNIQUE KEY trid_lang (trid, language_code)) ENGINE=InnoDB;
{{end}}{{if since "4"}}CREATE TABLE `{{p}}wc_product_meta_lookup` (
  product_id bigint NOT NULL, sku varchar(100) DEFAULT '', {{if since "10"}}global_unique_id varchar(100) DEFAULT '', {{end}}
  `virtual` tinyint(1) DEFAULT 0, min_price decimal(19,4), max_price decimal(19,4), stock_quantity double, stock_status varchar(100) DEFAULT 'instock',
  PRIMARY KEY (product_id), KEY stock_status (stock_status)) ENGINE=InnoDB;
CREATE TABLE `{{p}}wc_customer_lookup` (
  customer_id bigint unsigned NOT NULL AUTO_INCREMENT, user_id bigint unsigned, username varchar(60) NOT NULL DEFAULT '', first_name varchar(255) NOT NULL,
  last_name varchar(255) NOT NULL, email varchar(100), country char(2) NOT NULL DEFAULT '', postcode varchar(20) NOT NULL DEFAULT '',
  city varchar(100) NOT NULL DEFAULT '', state varchar(100) NOT NULL DEFAULT '',
  PRIMARY KEY (customer_id), UNIQUE KEY user_id (user_id), KEY email (email)) ENGINE=InnoDB;
CREATE TABLE `{{p}}wc_order_stats` (
  order_id bigint unsigned NOT NULL, parent_id bigint unsigned NOT NULL DEFAULT 0, date_created datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  date_created_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00', num_items_sold int NOT NULL DEFAULT 0, total_sales double NOT NULL DEFAULT 0,
  status varchar({{if since "8"}}20{{else}}200{{end}}) NOT NULL, customer_id bigint unsigned NOT NULL,
  PRIMARY KEY (order_id), KEY date_created (date_created), KEY customer_id (customer_id), KEY status (status{{if not (since "8")}}(191){{end}})) ENGINE=InnoDB;
CREATE TABLE `{{p}}wc_order_product_lookup` (
  order_item_id bigint unsigned NOT NULL, order_id bigint unsigned NOT NULL, product_id bigint unsigned NOT NULL, variation_id bigint unsigned NOT NULL,
  customer_id bigint unsigned, date_created datetime NOT NULL DEFAULT '0000-00-00 00:00:00', product_qty int NOT NULL,
  product_net_revenue double NOT NULL DEFAULT 0,
  PRIMARY KEY (order_item_id{{if since "10"}}, order_id{{end}}), KEY order_id (order_id), KEY product_id (product_id), KEY customer_id (customer_id), KEY date_created (date_created)) ENGINE=InnoDB;
{{end}}{{if since "8"}}CREATE TABLE `{{p}}wc_orders` (
  id bigint unsigned NOT NULL, status varchar(20), currency varchar(10), type varchar(20), customer_id bigint unsigned, billing_email varchar(320),
  date_created_gmt datetime, parent_order_id bigint unsigned,
  PRIMARY KEY (id), KEY status (status), KEY type_status_date (type, status, date_created_gmt), KEY parent_order_id (parent_order_id)) ENGINE=InnoDB;
CREATE TABLE `{{p}}wc_order_operational_data` (
  id bigint unsigned NOT NULL AUTO_INCREMENT, order_id bigint unsigned, date_paid_gmt datetime, date_completed_gmt datetime,
  PRIMARY KEY (id), UNIQUE KEY order_id (order_id)) ENGINE=InnoDB;
{{end}}
