package mysqlsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop/mapping"
)

// Mapping is the queries that present any shop's tables as ours: each answers with the columns of
// its data set, named as in the contract, in any order. An empty one reads the table of that name.
type Mapping = mapping.Mapping

// Check reports everything that keeps the three data sets from being read: a table or column that
// is not there, a type that is not the contract's. It reads no row.
func (s *Snapshot) Check(ctx context.Context) error {
	return errors.Join(
		s.check(ctx, customersTable(), s.mapping.Customers),
		s.check(ctx, productsTable(), s.mapping.Products),
		s.check(ctx, ratingsTable(), s.mapping.Ratings))
}

func (s *Snapshot) check(ctx context.Context, t table, mapped string) error {
	return s.guard(ctx, "check "+t.name, func() error {
		fields, err := s.fields(t, mapped)
		if err != nil {
			return err
		}
		return t.checkNames(fields)
	})
}

// fields asks for the columns of a data set that the user may read: all that a mapping's query has,
// and of a table those that SELECT is granted on, which may be few. It reads no row.
func (s *Snapshot) fields(t table, mapped string) (fields []*mysql.Field, err error) {
	names := "*"
	if mapped == "" {
		if names, err = s.readable(t); err != nil {
			return nil, err
		}
	}
	err = s.unlocked(func() error {
		result, err := s.conn.Execute("SELECT " + names + " FROM " + t.from(mapped) + " LIMIT 0")
		if err != nil {
			return err
		}
		defer result.Close()
		for _, f := range result.Fields { // the client uses the answer's memory again
			own := *f
			own.Name = bytes.Clone(f.Name)
			fields = append(fields, &own)
		}
		return nil
	})
	return fields, err
}

// readable lists a table's columns that the user may SELECT. For a table that is not there, or that
// the user may not read at all, it is the contract's columns: the server then says what is wrong.
func (s *Snapshot) readable(t table) (names string, err error) {
	result, err := s.conn.Execute("SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() " +
		"AND TABLE_NAME = '" + t.name + "' AND PRIVILEGES LIKE '%select%' ORDER BY ORDINAL_POSITION")
	if err != nil {
		return "", err
	}
	defer result.Close()
	var quoted []string
	for i := range result.RowNumber() {
		name, err := result.GetString(i, 0)
		if err != nil {
			return "", err
		}
		quoted = append(quoted, "`"+strings.ReplaceAll(name, "`", "``")+"`")
	}
	if len(quoted) == 0 {
		return t.columnList(), nil
	}
	return strings.Join(quoted, ", "), nil
}

// checkNames is check for columns in any order, among others.
func (t table) checkNames(fields []*mysql.Field) error {
	byName := make(map[string]*mysql.Field, len(fields))
	for _, f := range fields {
		byName[strings.ToLower(string(f.Name))] = f
	}
	var problems []error
	for _, c := range t.columns {
		f := byName[strings.ToLower(c.name)]
		switch {
		case f == nil:
			problems = append(problems, fmt.Errorf("%w: column %s.%s is not there", ErrSchema, t.name, c.name))
		case !c.kind.reads(f):
			problems = append(problems, c.mismatch(t, f))
		}
	}
	return errors.Join(problems...)
}

func (c column) mismatch(t table, f *mysql.Field) error {
	return fmt.Errorf("%w: column %s.%s is %s, want %s", ErrSchema, t.name, c.name, typeName(f), c.kind)
}
