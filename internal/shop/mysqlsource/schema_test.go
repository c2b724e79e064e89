package mysqlsource

import (
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
)

func TestDescribeNamesWhatTheServerAnnounces(t *testing.T) {
	t.Parallel()
	const utf8mb4 = 45
	tests := []struct {
		field mysql.Field
		want  string
	}{
		{mysql.Field{Type: mysql.MYSQL_TYPE_VAR_STRING, Charset: utf8mb4, ColumnLength: 200}, "text of 50 characters"},
		{mysql.Field{Type: mysql.MYSQL_TYPE_BLOB, Charset: utf8mb4, ColumnLength: 262140}, "text of any length"},
		{mysql.Field{Type: mysql.MYSQL_TYPE_BLOB, Charset: binaryCharset, ColumnLength: 65535}, "a BLOB"},
		{mysql.Field{Type: mysql.MYSQL_TYPE_NEWDECIMAL, ColumnLength: 12, Decimal: 2}, "decimal(10,2)"},
		{mysql.Field{Type: mysql.MYSQL_TYPE_NEWDECIMAL, ColumnLength: 10, Flag: mysql.UNSIGNED_FLAG}, "decimal(10,0)"},
		{mysql.Field{Type: mysql.MYSQL_TYPE_LONG, ColumnLength: 11}, "integer of 4 bytes"},
		{mysql.Field{Type: mysql.MYSQL_TYPE_TINY, Flag: mysql.UNSIGNED_FLAG}, "unsigned integer of 1 bytes"},
		{mysql.Field{Type: mysql.MYSQL_TYPE_DATETIME, Decimal: 3}, "DATETIME(3)"},
	}
	for _, test := range tests {
		if got := ratingsTable().describe(&test.field).String(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	c := ratingsTable().describe(&mysql.Field{Name: []byte("RATEDAT"), Type: mysql.MYSQL_TYPE_DATETIME})
	if c.Name != "ratedAt" || !c.Contract {
		t.Errorf("column %+v is not found by a name in other letters", c)
	}
}

func TestHoldsIsAsWideOrWider(t *testing.T) {
	t.Parallel()
	integer := func(bytes int, unsigned bool) Column {
		return Column{Type: "integer", Length: bytes, Unsigned: unsigned}
	}
	decimal := func(digits, decimals int) Column { return Column{Type: "decimal", Length: digits, Decimals: decimals} }
	text := func(length int) Column { return Column{Type: "text", Length: length} }
	tests := []struct {
		now, before Column
		want        bool
	}{
		{integer(8, false), integer(4, false), true},
		{integer(2, false), integer(4, false), false},
		{integer(4, true), integer(4, false), false},
		{integer(4, false), integer(4, true), false},
		{integer(8, false), integer(4, true), true},
		{decimal(12, 2), decimal(10, 2), true},
		{decimal(10, 1), decimal(10, 2), false},
		{decimal(10, 3), decimal(10, 2), false},
		{decimal(10, 0), integer(4, false), true},
		{decimal(8, 0), integer(4, false), false},
		{integer(8, false), decimal(8, 0), false},
		{text(50), text(50), true},
		{text(20), text(50), false},
		{text(50), integer(4, false), false},
		{Column{Type: "moment"}, Column{Type: "moment", Decimals: 3}, false},
		{Column{Type: "a BLOB"}, Column{Type: "a BLOB"}, true},
	}
	for _, test := range tests {
		if got := test.now.Holds(test.before); got != test.want {
			t.Errorf("%v holds %v: %v, want %v", test.now, test.before, got, test.want)
		}
	}
}
