CREATE TABLE kindred_customers (
    n       int          NOT NULL AUTO_INCREMENT,
    id      varchar(128) NOT NULL,
    country varchar(100) NULL,
    city    varchar(100) NULL,
    PRIMARY KEY (n)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
