-- What kindred's user may do beside what is its own, run once when the server's data are made: the databases that tests make, and
-- binlog coordinates.
GRANT ALL ON `kindred\_%`.* TO 'kindred'@'%';
GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO 'kindred'@'%';
