CREATE TABLE users (id int unsigned PRIMARY KEY, first_name varchar(40) NOT NULL, last_name varchar(40) NOT NULL, credit_cents bigint, deleted_at datetime);
CREATE TABLE addresses (user_id int unsigned NOT NULL, kind varchar(20) NOT NULL, town varchar(60), region varchar(30), zip varchar(12), country varchar(60),
	PRIMARY KEY (user_id, kind));
CREATE TABLE categories (id int PRIMARY KEY, name varchar(40) NOT NULL);
CREATE TABLE items (id bigint PRIMARY KEY, sku varchar(15) NOT NULL UNIQUE, title varchar(70) NOT NULL, brand varchar(50) NOT NULL, category_id int NOT NULL,
	stock int NOT NULL, cost decimal(12,4) NOT NULL, price decimal(10,2) NOT NULL);
CREATE TABLE reviews (id bigint PRIMARY KEY, user_id int unsigned NOT NULL, item_id bigint NOT NULL, score tinyint unsigned NOT NULL, hidden tinyint NOT NULL,
	created_at timestamp NULL);
INSERT INTO users VALUES (7, 'Ada', 'Lovelace', 1234567, NULL), (8, 'Grace', 'Hopper', NULL, NULL), (9, 'No', 'Body', 0, '2024-01-01');
INSERT INTO addresses VALUES (7, 'billing; main', 'London', NULL, 'SW1', 'England'), (7, 'other', 'Paris', NULL, NULL, 'France');
INSERT INTO categories VALUES (1, 'Engines');
INSERT INTO items VALUES (10, 'ENGINE-1', 'Difference engine', 'Babbage', 1, 100000, 1.2300, 9.99), (11, 'ENGINE-2', 'Analytical engine', 'Babbage', 1, 0, 0, 0.01);
INSERT INTO reviews VALUES (1, 7, 10, 100, 0, '2024-02-29 12:00:00'), (2, 7, 11, 45, 0, NULL), (3, 8, 10, 20, 0, '2024-03-01 00:00:00'),
	(4, 8, 11, 60, 1, NULL)
