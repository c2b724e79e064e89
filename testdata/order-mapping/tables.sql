-- A shop that keeps orders, baskets and stars, with ids of every kind: numbers, text and bytes.
CREATE TABLE account (
    id         BINARY(16)   NOT NULL PRIMARY KEY,
    email      VARCHAR(255) NOT NULL,
    land       CHAR(2)      NULL,
    place      VARCHAR(100) NULL,
    club_level VARCHAR(20)  NULL
);
CREATE TABLE ware (
    sku      VARCHAR(128)   NOT NULL PRIMARY KEY,
    title    VARCHAR(255)   NULL,
    shelf    VARCHAR(100)   NULL,
    maker    VARCHAR(100)   NULL,
    price    DECIMAL(12, 4) NULL,
    in_stock INT            NULL,
    organic  TINYINT(1)     NOT NULL DEFAULT 0,
    grams    DOUBLE         NULL,
    listed   TINYINT(1)     NOT NULL DEFAULT 1
);
CREATE TABLE sale (
    id      BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    account BINARY(16)      NULL, -- NULL: a guest
    paid_at DATETIME        NULL
);
CREATE TABLE sale_line (
    id   BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    sale BIGINT UNSIGNED NOT NULL,
    sku  VARCHAR(128)    NOT NULL,
    n    INT             NOT NULL -- below 0: sent back
);
CREATE TABLE basket (
    visitor VARCHAR(255) NOT NULL,
    account BINARY(16)   NULL,
    sku     VARCHAR(128) NOT NULL,
    step    VARCHAR(80)  NULL, -- view, cart or wishlist
    at      DATETIME     NULL
);
CREATE TABLE opinion (
    account BINARY(16)    NOT NULL,
    sku     VARCHAR(128)  NOT NULL,
    stars   DECIMAL(5, 2) NULL,
    at      DATETIME      NULL
);
