package mapping

// Session is the variables of the MySQL session in which the queries of a mapping run, as SQL, by
// name. A query then means the same on every server, whatever the server's defaults are.
var Session = map[string]string{
	"group_concat_max_len": "16777216", // a list of categories is not cut at 1,024 bytes
	// Modes change what a query means (ANSI_QUOTES), which is refused (ONLY_FULL_GROUP_BY, on by
	// default in MySQL but not in MariaDB) and which dates are read (NO_ZERO_IN_DATE).
	"sql_mode":  "''",
	"time_zone": "'+00:00'", // a TIMESTAMP column reads as UTC
}
