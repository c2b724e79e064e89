-- One row: what this database was filled with. A shop without it is somebody's own and is not overwritten.
CREATE TABLE kindred_seed (
    id          tinyint     NOT NULL,
    contentHash char(64)    NOT NULL,
    kind        varchar(20) NOT NULL,
    loadedAt    datetime    NOT NULL, -- UTC
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
