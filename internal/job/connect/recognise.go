package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/platform/program"
	"kindred/internal/shop/preset"
	"kindred/internal/shop/shopdb"
)

// recognise finds out which system the shop has, and writes the mapping file unless it is there.
func (r *run) recognise(ctx context.Context) error {
	database, err := shopdb.Database(r.dsn)
	if err != nil {
		return err
	}
	r.Name, r.database = r.Shop.Of(database), database
	file := cmp.Or(r.Mapping, filepath.Join(r.folder(), "mapping.sql"))
	r.result.Mapping = file
	text, err := os.ReadFile(file)
	switch {
	case err == nil && !r.Renew:
		r.say("The mapping is %s, as it is; --renew writes it again.\n  %s", file, firstLine(string(text)))
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: read mapping: %w", program.ErrConfig, err)
	}
	r.Preset.Preset = cmp.Or(r.Preset.Preset, preset.Auto)
	m, err := r.Preset.Map(ctx, r.dsn)
	if err != nil {
		return err
	}
	d, err := preset.DescribeAt(ctx, r.dsn, m)
	if err != nil {
		return err
	}
	r.result.Shop, r.result.Description = m.Found, &d
	r.say("%s", strings.TrimRight(m.Sentence(d), "\n"))
	if err := write(file, m.SQL, 0o644); err != nil {
		return fmt.Errorf("write mapping: %w", err)
	}
	r.say("The mapping is written to %s: it is SQL, and you may edit it.", file)
	return nil
}

// folder holds what connect writes for the shop.
func (r *run) folder() string { return filepath.Join(r.State, "shops", r.Name) }

// write replaces a file in one step, and makes its folder.
func write(file, text string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	next := file + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // it would keep its mode
		return err
	}
	if err := os.WriteFile(next, []byte(text), mode); err != nil {
		return err
	}
	return os.Rename(next, file)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimPrefix(line, "-- ")
}
