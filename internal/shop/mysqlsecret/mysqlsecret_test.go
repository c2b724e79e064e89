package mysqlsecret

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

const password = `a:b@c/d?e#"f'(g)%20`

func TestJoin(t *testing.T) {
	t.Parallel()
	const address = "tcp(db:3306)/shop?tls=true"
	rds := `{"username": "kindred", "password": "a:b@c/d?e#\"f'(g)%20", "engine": "mysql"}`
	tests := map[string]struct {
		address, secret string
		tls             string // "" wants ErrForm
	}{
		"login as RDS keeps it":       {address, rds, "true"},
		"whole DSN":                   {"", "kindred:" + password + "@tcp(db:3306)/shop?tls=skip-verify", "skip-verify"},
		"whole DSN beside an address": {address, "kindred:" + password + "@tcp(db:3306)/shop?tls=skip-verify", "skip-verify"},
		"login without an address":    {"", rds, ""},
		"login, address of no form":   {"db:3306/shop", rds, ""},
		"no password":                 {address, `{"username": "kindred"}`, ""},
		"broken JSON":                 {address, `{"password": "` + password, ""},
		"no DSN":                      {address, password, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn, err := join(test.address, test.secret)
			if test.tls == "" {
				if !errors.Is(err, ErrForm) || strings.Contains(err.Error(), "a:b") {
					t.Errorf("%q, %v", dsn, err)
				}
				return
			}
			cfg, parseErr := mysql.ParseDSN(dsn)
			if err != nil || parseErr != nil {
				t.Fatal(err, parseErr)
			}
			if cfg.User != "kindred" || cfg.Passwd != password || cfg.Addr != "db:3306" || cfg.DBName != "shop" ||
				cfg.TLSConfig != test.tls {
				t.Errorf("%+v", cfg)
			}
		})
	}
}
