"""DuckDB's MySQL scanner: three tables scanned, joined in DuckDB, written as Parquet."""
import glob
import os
import sys

import duckdb
import duckdb_extension_mysql_scanner as scanner

host, port, user, password, database, columns, out = sys.argv[1:]
extension = glob.glob(os.path.dirname(scanner.__file__) + "/extensions/*/mysql_scanner.duckdb_extension")[0]
c = duckdb.connect(config={"allow_unsigned_extensions": "true"})
c.execute(f"load '{extension}'")
c.execute("set threads = 2")
secret = f" password={password}" if password else ""
c.execute(f"attach 'host={host} port={port} user={user}{secret} database={database}' as m (type mysql, read_only)")
c.execute(f"copy (select {columns} from m.ratings r join m.customers c on c.customerNumber = r.customerNumber "
          f"join m.products p on p.productCode = r.productCode) to '{out}' (format parquet, compression snappy)")
