CREATE TABLE kindred_interactions (
    n        bigint       NOT NULL AUTO_INCREMENT,
    customer varchar(128) NULL,
    session  varchar(160) NULL,
    product  varchar(128) NOT NULL,
    kind     varchar(64)  NOT NULL,
    value    double       NULL,
    quantity double       NULL,
    at       datetime(3)  NULL, -- UTC
    order_id varchar(128) NULL,
    PRIMARY KEY (n)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
