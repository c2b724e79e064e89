package mysqlsource

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Mapping is the queries that present any shop's tables as ours: each answers with the columns of
// its data set, named as in the contract, in any order. An empty one reads the table of that name.
type Mapping struct {
	Customers string `json:"customers,omitempty"`
	Products  string `json:"products,omitempty"`
	Ratings   string `json:"ratings,omitempty"`
}

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
		result, err := s.conn.Execute("SELECT * FROM " + t.from(mapped) + " LIMIT 0")
		if err != nil {
			return err
		}
		defer result.Close()
		return t.checkNames(result.Fields)
	})
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
