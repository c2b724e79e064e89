package preset

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// schema is the tables of a database and the columns that the user may read.
type schema struct {
	tables map[string]columns // by lower-case name
	mysql  bool               // not MariaDB
	// version of the server, for what differs: major, minor, patch
	version [3]int
}

// columns is a table's own spelling and its columns, by lower-case name.
type columns struct {
	name  string
	names map[string]bool
}

func readSchema(ctx context.Context, db *sql.DB) (schema, error) {
	s := schema{tables: map[string]columns{}}
	var version string
	var database sql.NullString
	if err := db.QueryRowContext(ctx, "SELECT VERSION(), DATABASE()").Scan(&version, &database); err != nil {
		return schema{}, fmt.Errorf("ask for the server's version: %w", err)
	}
	if !database.Valid {
		return schema{}, fmt.Errorf("%w: the DSN names no database", ErrUnknownShop)
	}
	s.mysql = !strings.Contains(strings.ToLower(version), "mariadb")
	_, _ = fmt.Sscanf(version, "%d.%d.%d", &s.version[0], &s.version[1], &s.version[2]) // unreadable: the oldest
	rows, err := db.QueryContext(ctx, `SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS
		WHERE TABLE_SCHEMA = DATABASE() AND LOWER(PRIVILEGES) LIKE '%select%'`)
	if err != nil {
		return schema{}, fmt.Errorf("list the shop's columns: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var t, c string
		if err := rows.Scan(&t, &c); err != nil {
			return schema{}, fmt.Errorf("list the shop's columns: %w", err)
		}
		held, ok := s.tables[strings.ToLower(t)]
		if !ok {
			held = columns{name: t, names: map[string]bool{}}
			s.tables[strings.ToLower(t)] = held
		}
		held.names[strings.ToLower(c)] = true
	}
	if err := rows.Err(); err != nil {
		return schema{}, fmt.Errorf("list the shop's columns: %w", err)
	}
	return s, nil
}

// name gives a table's own spelling; false when it is not there or not for this user.
func (s schema) name(prefix, stem string) (string, bool) {
	t, ok := s.tables[strings.ToLower(prefix+stem)]
	return t.name, ok
}

func (s schema) has(prefix string, t table) bool { return len(s.lacks(prefix, t)) == 0 }

// lacks lists what of a table is not there.
func (s schema) lacks(prefix string, t table) (missing []string) {
	held, ok := s.tables[strings.ToLower(prefix+t.name)]
	if !ok {
		return []string{prefix + t.name}
	}
	for _, c := range t.columns {
		if !held.names[strings.ToLower(c)] {
			missing = append(missing, prefix+t.name+"."+c)
		}
	}
	return missing
}

// prefixes lists what may stand before the name of a table.
func (s schema) prefixes(stem string) (found []string) {
	for lower, t := range s.tables {
		if rest, ok := strings.CutSuffix(lower, strings.ToLower(stem)); ok {
			found = append(found, t.name[:len(rest)])
		}
	}
	slices.Sort(found)
	return found
}

// older reports whether the server's version is before another.
func (s schema) older(major, minor, patch int) bool {
	return slices.Compare(s.version[:], []int{major, minor, patch}) < 0
}

// quote makes an identifier safe.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
