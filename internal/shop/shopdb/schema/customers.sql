-- Names and types as in the classic model-car shop, as far as anything here reads them. utf8mb4_bin: codes and names
-- compare and sort by bytes, on MySQL and MariaDB alike.
CREATE TABLE customers (
    customerNumber int           NOT NULL,
    customerName   varchar(50)   NOT NULL,
    city           varchar(50)   NOT NULL,
    state          varchar(50)   NULL,
    postalCode     varchar(15)   NULL,
    country        varchar(50)   NOT NULL,
    creditLimit    decimal(10,2) NULL,
    PRIMARY KEY (customerNumber)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
