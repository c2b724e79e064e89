CREATE TABLE products (
    productCode     varchar(15)   NOT NULL,
    productName     varchar(70)   NOT NULL,
    productLine     varchar(50)   NOT NULL,
    productScale    varchar(10)   NOT NULL,
    productVendor   varchar(50)   NOT NULL,
    quantityInStock smallint      NOT NULL,
    buyPrice        decimal(10,2) NOT NULL,
    MSRP            decimal(10,2) NOT NULL,
    PRIMARY KEY (productCode)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
