// Package mysqlsecret finds the login of the shop's database in AWS Secrets Manager, so that on AWS
// no variable, argument or state holds a password. It owns the forms that a secret may have; it
// connects to no database.
package mysqlsecret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"kindred/internal/platform/awssecret"
	"kindred/internal/platform/envconfig"
)

// ErrForm says that the secret, or the address that belongs to it, has a form that DSN cannot read.
// Its text contains no part of either.
var ErrForm = errors.New("the secret holds neither a DSN nor {username, password}")

// DSN returns address, a DSN, with the login of the secret; without a secret it is the address as
// it stands. The secret holds {"username", "password"}, as RDS keeps them, or a whole DSN, which
// then takes the place of the address. Errors: ErrForm, which is an envconfig.ErrConfig, or that of reading
// the secret.
func DSN(ctx context.Context, address, secretARN string) (string, error) {
	if secretARN == "" {
		return address, nil
	}
	secret, err := awssecret.Read(ctx, secretARN)
	if err != nil {
		return "", err
	}
	dsn, err := join(address, secret)
	if err != nil {
		return "", fmt.Errorf("%w: read secret %s: %w", envconfig.ErrConfig, secretARN, err)
	}
	return dsn, nil
}

// join puts the secret's login into an address. The parsers' own errors quote what they read, so
// they go no further.
func join(address, secret string) (string, error) {
	if !strings.HasPrefix(strings.TrimSpace(secret), "{") {
		if _, err := mysql.ParseDSN(secret); err != nil {
			return "", ErrForm
		}
		return secret, nil
	}
	var login struct{ Username, Password string }
	if err := json.Unmarshal([]byte(secret), &login); err != nil || login.Username == "" || login.Password == "" {
		return "", ErrForm
	}
	cfg, err := mysql.ParseDSN(address)
	if err != nil || address == "" {
		return "", fmt.Errorf("%w; with {username, password} MYSQL_DSN is tcp(host:port)/database", ErrForm)
	}
	cfg.User, cfg.Passwd = login.Username, login.Password
	return cfg.FormatDSN(), nil
}
