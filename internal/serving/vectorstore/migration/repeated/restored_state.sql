-- After a restore from a dump, or on a logical replica, rows keep the numbers that transactions had on the old server. This
-- server's may be lower: a reader would be told of such rows each time, and could miss others. So every reader starts anew, and
-- the rows get a number of this server.
UPDATE kindred.catalogue SET generation = pg_current_xact_id();
UPDATE kindred.product_state SET transaction = pg_current_xact_id() WHERE transaction >= pg_snapshot_xmax(pg_current_snapshot());
