-- No foreign keys: a shop's ratings may outlive its products, and the extract counts such orphans itself.
CREATE TABLE ratings (
    customerNumber int         NOT NULL,
    productCode    varchar(15) NOT NULL,
    productRating  tinyint     NOT NULL,
    ratedAt        datetime    NULL, -- UTC
    PRIMARY KEY (customerNumber, productCode)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
