package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/program"
	"kindred/internal/release/audit"
)

type auditCommand struct {
	DB       string `name:"db" placeholder:"DATABASE" help:"Known vulnerabilities of Go modules: a folder with OSV entries or with a copy of Go's database, or a URL (file:// or https://). Nothing is downloaded without it."`
	PythonDB string `name:"python-db" type:"path" placeholder:"DATABASE" help:"Known vulnerabilities of Python packages: a folder or a zip with OSV entries, such as OSV's all.zip for PyPI."`
}

// Run makes the three checks. Its error is audit.ErrFound if one of them found something, else
// program.ErrUnchecked if a database is missing.
func (c *auditCommand) Run(ctx context.Context, out *program.Output) error {
	dir, err := artifact.FindRepository()
	if err != nil {
		return err
	}
	requirements, err := os.ReadFile(filepath.Join(dir, "localstack/stack/requirements.txt"))
	if err != nil {
		return fmt.Errorf("read the pinned Python packages: %w", err)
	}
	var faults []error
	var missing []string
	says := []string{}
	conclude := func(what string, err error) {
		if err != nil {
			faults = append(faults, err)
			return
		}
		says = append(says, what+": nothing found")
	}
	conclude("secrets in all commits", audit.Secrets(ctx, dir, out.Stderr))
	if c.DB == "" {
		missing = append(missing, "Go modules (--db)")
	} else {
		conclude("Go modules", audit.GoModules(ctx, dir, c.DB, out.Stderr))
	}
	if c.PythonDB == "" {
		missing = append(missing, "Python packages (--python-db)")
	} else {
		conclude("Python packages", audit.PythonPackages(requirements, c.PythonDB, out.Stderr))
	}
	unchecked := strings.Join(missing, ", ")
	if len(faults) > 0 {
		if unchecked != "" {
			faults = append(faults, errors.New("NOT CHECKED, without a database: "+unchecked))
		}
		return errors.Join(faults...)
	}
	if err := out.Result(strings.Join(says, "\n"), map[string]any{"unchecked": missing}); err != nil {
		return err
	}
	if unchecked != "" {
		return fmt.Errorf("%w: no database for known vulnerabilities of %s. See docs/development.md, Audit",
			program.ErrUnchecked, unchecked)
	}
	return nil
}
