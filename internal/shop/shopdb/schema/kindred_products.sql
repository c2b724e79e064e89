-- Contract 2: a shop of orders and events, whose ids are text. The key is a number because the server holds two texts
-- equal that differ by a space at the end, and no two products are one.
CREATE TABLE kindred_products (
    n          int           NOT NULL AUTO_INCREMENT,
    id         varchar(128)  NOT NULL,
    name       varchar(1000) NOT NULL,
    categories text          NULL, -- a JSON list
    brand      varchar(250)  NULL,
    price      decimal(18,4) NULL,
    currency   varchar(20)   NULL,
    available  tinyint       NOT NULL,
    PRIMARY KEY (n)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
