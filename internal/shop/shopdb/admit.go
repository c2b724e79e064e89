package shopdb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrLogin says that a user's name or password has characters that Admit does not take.
var ErrLogin = errors.New("a user's name consists of at most 32 small letters, digits and _, a password of 16 to " +
	"128 letters and digits")

// The forms that need no quoting, whatever the server's SQL mode: a statement about users takes no parameters.
var (
	userForm     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	passwordForm = regexp.MustCompile(`^[A-Za-z0-9]{16,128}$`)
)

// Admit makes the user unless it exists, gives it the password, and lets it read all tables of the database that the
// DSN names, and do nothing else: what it could do besides is taken away. A second call changes nothing. Errors:
// ErrLogin, or the server's, without the password. It needs the rights CREATE USER and GRANT OPTION.
func (d *DB) Admit(ctx context.Context, user, password string) error {
	if !userForm.MatchString(user) || !passwordForm.MatchString(password) {
		return fmt.Errorf("admit reader: %w", ErrLogin)
	}
	account := "'" + user + "'@'%'"
	// In a grant, _ and % of a database's name stand for any characters.
	database := "`" + strings.NewReplacer("`", "``", "_", `\_`, "%", `\%`, `\`, `\\`).Replace(d.name) + "`"
	for _, step := range []struct{ what, statement string }{
		{"make the user", "CREATE USER IF NOT EXISTS " + account + " IDENTIFIED BY '" + password + "'"},
		{"set the password", "ALTER USER " + account + " IDENTIFIED BY '" + password + "'"},
		{"take rights away", "REVOKE ALL PRIVILEGES, GRANT OPTION FROM " + account},
		{"grant SELECT", "GRANT SELECT ON " + database + ".* TO " + account},
	} {
		if _, err := d.sql.ExecContext(ctx, step.statement); err != nil {
			reason := strings.ReplaceAll(err.Error(), password, "…")
			return fmt.Errorf("admit reader %s to database %s: %s: %s", user, d.name, step.what, reason)
		}
	}
	return nil
}
