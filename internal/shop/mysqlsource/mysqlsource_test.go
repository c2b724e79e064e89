package mysqlsource

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"
)

func TestBadDSNIsOneSentenceWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "geheim", "user:geheim@tcp(127.0.0.1:1)", "user:geheim@geheim/shop",
		"user:geheim@tcp(127.0.0.1:1)/",
		"user:geheim@tcp(127.0.0.1:1)/shop?tls=geheim", "user:ge(heim@tcp(127.0.0.1:1/shop"} {
		_, err := Open(t.Context(), dsn, Options{})
		if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), "MYSQL_DSN") {
			t.Errorf("DSN %q: error %v, want ErrSettings", dsn, err)
			continue
		}
		if strings.Contains(err.Error(), "heim") || strings.Contains(err.Error(), "\n") {
			t.Errorf("DSN %q: sentence %q", dsn, err)
		}
	}
}

func TestServerThatDoesNotAnswerIsOneSentence(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), "user:geheim@tcp(127.0.0.1:1)/shop", Options{})
	const want = "connect: MySQL at 127.0.0.1:1 does not answer: connect: connection refused"
	if err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	cfg := &driver.Config{Addr: "db:3306", User: "kindred", Passwd: "geheim", DBName: "shop"}
	tests := []struct {
		code uint16
		is   error
		want string
	}{
		{1045, ErrSettings, `MySQL cannot be used as configured: MySQL at db:3306 refuses user "kindred" or the password`},
		{1049, ErrSettings, `MySQL cannot be used as configured: MySQL at db:3306 has no database "shop" that user "kindred" may use`},
		{1142, ErrSettings, `MySQL cannot be used as configured: read ratings: user "kindred" may not SELECT from it`},
		{1146, ErrSchema, `the shop's tables are not as expected: read ratings: Message in database shop`},
		{1412, ErrChanged, `read ratings: a table of the shop was altered during the reading`},
		{1969, ErrStatementLimit, `read ratings: the server ended a query that took longer than its limit`},
		{3024, ErrStatementLimit, `read ratings: the server ended a query that took longer than its limit`},
		{1205, nil, `read ratings: ERROR 1205 (): Message.`},
	}
	for _, test := range tests {
		err := explain(cfg, "read ratings", &mysql.MyError{Code: test.code, Message: "Message."})
		if err.Error() != test.want || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("code %d: %q, want %q", test.code, err, test.want)
		}
	}
}

func TestQueryNamesItsColumns(t *testing.T) {
	t.Parallel()
	const want = "SELECT customerNumber, productCode, productRating, ratedAt FROM ratings ORDER BY customerNumber, " +
		"productCode"
	if got := ratingsTable().query("", Range{}.where()); got != want {
		t.Errorf("query %q, want %q", got, want)
	}
	const mapped = "SELECT customerNumber, productCode, productRating, ratedAt FROM (SELECT 1 -- all\n) AS ratings" +
		" WHERE customerNumber >= -5 AND customerNumber < 7 ORDER BY customerNumber, productCode"
	if got := ratingsTable().query("SELECT 1 -- all", Range{From: -5, To: 7}.where()); got != mapped {
		t.Errorf("query %q, want %q", got, mapped)
	}
}

func TestColumnTypes(t *testing.T) {
	t.Parallel()
	const utf8mb4 = 45
	tests := []struct {
		name  string
		field mysql.Field
		reads []kind
	}{
		{"an integer", mysql.Field{Type: mysql.MYSQL_TYPE_LONG}, []kind{key, integer, amount}},
		{"a decimal with 2 places", mysql.Field{Type: mysql.MYSQL_TYPE_NEWDECIMAL, Decimal: 2}, []kind{amount}},
		{"a decimal with 4 places", mysql.Field{Type: mysql.MYSQL_TYPE_NEWDECIMAL, Decimal: 4}, nil},
		{"a floating-point number", mysql.Field{Type: mysql.MYSQL_TYPE_DOUBLE}, nil},
		{"text", mysql.Field{Type: mysql.MYSQL_TYPE_VAR_STRING, Charset: utf8mb4}, []kind{key, text}},
		{"BINARY", mysql.Field{Type: mysql.MYSQL_TYPE_VAR_STRING, Charset: binaryCharset}, nil},
		{"text", mysql.Field{Type: mysql.MYSQL_TYPE_BLOB, Charset: utf8mb4}, []kind{key, text}},
		{"a BLOB", mysql.Field{Type: mysql.MYSQL_TYPE_BLOB, Charset: binaryCharset}, nil},
		{"BINARY", mysql.Field{Type: mysql.MYSQL_TYPE_STRING, Charset: binaryCharset, ColumnLength: 16}, []kind{key}},
		{"BINARY", mysql.Field{Type: mysql.MYSQL_TYPE_STRING, Charset: binaryCharset, ColumnLength: 8}, nil},
		{"a decimal with 0 places", mysql.Field{Type: mysql.MYSQL_TYPE_NEWDECIMAL}, []kind{key, integer, amount}},
		{"a date or time", mysql.Field{Type: mysql.MYSQL_TYPE_DATETIME}, []kind{moment}},
		{"a date or time", mysql.Field{Type: mysql.MYSQL_TYPE_DATE}, nil},
		{"of MySQL's type 255", mysql.Field{Type: mysql.MYSQL_TYPE_GEOMETRY}, nil},
	}
	for _, test := range tests {
		if got := typeName(&test.field); got != test.name {
			t.Errorf("type %d is called %q, want %q", test.field.Type, got, test.name)
		}
		for _, k := range []kind{key, integer, text, amount, moment} {
			want := false
			for _, r := range test.reads {
				want = want || r == k
			}
			if got := k.reads(&test.field); got != want {
				t.Errorf("%s reads %s: %v, want %v", k, test.name, got, want)
			}
		}
	}
}

// A port where something else listens, which waits for us to speak first, as PostgreSQL does.
func TestServerThatSaysNothingEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	_, err = Open(ctx, "user:geheim@tcp("+listener.Addr().String()+")/shop?timeout=100ms", Options{})
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("error %v, want one that names the server before the context ends", err)
	}
}
