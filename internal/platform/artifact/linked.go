package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Package is a Go package that a program links, and the module that it comes from.
type Package struct {
	Path   string  // import path
	Dir    string  // its folder on this machine
	Module *Module // nil in the standard library
}

// Module is a Go module, at the version that the program links.
type Module struct {
	Path    string // as it is imported, also if another module replaces it
	Version string // "" of the main module and of a folder that replaces a module
	Sum     string // as in go.sum; "" where Version is
	Dir     string // its folder on this machine
	Main    bool   // the module that is built
}

// Linked returns the packages that the program of the module in dir links, the standard library's
// among them, sorted so that a package comes after those that it imports. It reads the same files as
// Compile: the target's tags and platform decide.
func (t Target) Linked(ctx context.Context, dir string) ([]Package, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-buildvcs=false", "-tags", t.tags(),
		"-json=ImportPath,Dir,Module", t.Program)
	cmd.Dir, cmd.Env = dir, t.environment()
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, fmt.Errorf("list what %s links for %s/%s: %w", t.Program, t.OS, t.Arch, err)
	}
	var packages []Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir string
			Module          *struct {
				Module
				Replace *Module
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("list what %s links: %w", t.Program, err)
		}
		found := Package{Path: p.ImportPath, Dir: p.Dir}
		if p.Module != nil {
			found.Module = &p.Module.Module
			if r := p.Module.Replace; r != nil {
				found.Module.Version, found.Module.Sum, found.Module.Dir = r.Version, r.Sum, r.Dir
			}
		}
		packages = append(packages, found)
	}
}
