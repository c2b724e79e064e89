// Package shopsystem makes up shops in the tables of the systems that shops really run, so that a
// preset can be tried on rows whose meaning is known. One plan holds the customers, with categories
// that they like, and what they order; a writer for each system turns it into that system's rows, in
// several versions. It owns the plan, the tables and what a mapping must show of them. It does not
// know the presets.
//
// The tables are written from what is public about the systems' schemas: the columns that a preset
// reads, the keys and indexes on them, and what a row cannot do without.
package shopsystem

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// ErrNotEmpty says that the database has tables of the same names already.
var ErrNotEmpty = errors.New("the database has such tables already")

//go:embed schema/*.sql
var schemas embed.FS

// system writes plans as the rows of one shop system.
type system struct {
	name     string
	versions []string // oldest first
	prefix   string   // of the tables, as the system's installer proposes it
	prefixed bool     // another prefix may be chosen
	traits   traits
	brands   bool
	// a choice of all stores shows the products of each
	everywhere bool
	// a review belongs to a store
	reviewStores bool
	days         bool // orders have a date without a time
	ids          func(p *Plan) identity
	write        func(b *builder)
}

func (s system) version(name string) (int, bool) {
	i := slices.Index(s.versions, name)
	return i, i >= 0
}

func list() []system {
	return []system{woocommerce(), magento2(), openmage(), prestashop(), opencart(), shopware6(), sylius(), bagisto(),
		classicmodels()}
}

func find(name string) (system, bool) {
	all := list()
	i := slices.IndexFunc(all, func(s system) bool { return s.name == name })
	if i < 0 {
		return system{}, false
	}
	return all[i], true
}

// Systems lists the systems.
func Systems() (names []string) {
	for _, s := range list() {
		names = append(names, s.name)
	}
	return names
}

// Versions lists the versions of a system, oldest first.
func Versions(name string) []string {
	s, _ := find(name)
	return s.versions
}

// DefaultPrefix is what the system's installer proposes for its tables' names.
func DefaultPrefix(name string) string {
	s, _ := find(name)
	return s.prefix
}

// Load makes the tables of a plan and fills them. ErrNotEmpty when one of them is there already.
func Load(ctx context.Context, db *sql.DB, p *Plan, progress func(rows int)) error {
	s, _ := find(p.Config.System)
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the shop's database: %w", err)
	}
	defer func() { _ = conn.Close() }()
	at, _ := s.version(p.Config.Version)
	b := &builder{Plan: p, ctx: ctx, conn: conn, system: s, at: at, progress: progress}
	if err := b.makeTables(); err != nil {
		return err
	}
	if err := b.exec("START TRANSACTION"); err != nil {
		return fmt.Errorf("begin the load: %w", err)
	}
	s.write(b)
	for _, t := range b.tables {
		b.flush(t)
	}
	if b.err == nil {
		b.err = b.exec("COMMIT")
	}
	if b.err != nil {
		return fmt.Errorf("load %s: %w", s.name, b.err)
	}
	return nil
}

// builder writes one plan.
type builder struct {
	*Plan
	ctx      context.Context
	conn     *sql.Conn
	system   system
	at       int // index of the version
	tables   []*rows
	err      error
	opened   map[string]func(values ...any)
	progress func(rows int)
}

// since reports whether the version is this one or a later one.
func (b *builder) since(version string) bool {
	i, _ := b.system.version(version)
	return b.at >= i
}

func (b *builder) exec(statement string) error {
	_, err := b.conn.ExecContext(b.ctx, statement)
	return err
}

// collations are those of the tables in turn, and others in each version: a shop that was upgraded for
// years has several.
var collations = []string{"utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci", "utf8mb4_general_ci"}

func (b *builder) makeTables() error {
	// Some systems declare zero dates as defaults, and ours must read as the literals that we write.
	err := b.exec("SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0, " +
		"time_zone = '+00:00'")
	if err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	text, err := schemas.ReadFile("schema/" + b.system.name + ".sql")
	if err != nil {
		return fmt.Errorf("read the tables of %s: %w", b.system.name, err)
	}
	t, err := template.New(b.system.name).Funcs(template.FuncMap{
		"p":     func() string { return b.Config.Prefix },
		"since": b.since,
		"is":    func(version string) bool { return b.Config.Version == version },
	}).Parse(string(text))
	if err != nil {
		return fmt.Errorf("parse the tables of %s: %w", b.system.name, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, nil); err != nil {
		return fmt.Errorf("write the tables of %s: %w", b.system.name, err)
	}
	for i, statement := range strings.Split(out.String(), ";\n") {
		if statement = strings.TrimSpace(statement); statement == "" {
			continue
		}
		collation := collations[(i+b.at)%len(collations)]
		if err := b.exec(statement + " DEFAULT CHARACTER SET utf8mb4 COLLATE " + collation); err != nil {
			if strings.Contains(err.Error(), "already exists") {
				return fmt.Errorf("%w: %w", ErrNotEmpty, err)
			}
			return fmt.Errorf("make the tables of %s: %w", b.system.name, err)
		}
	}
	return nil
}
