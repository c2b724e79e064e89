// Package inventory says what a shipped file consists of: the modules that its programs link, under
// which licences, and the texts of these. It refuses licences that kindred cannot ship. It owns the
// list of licences and the two documents that ship, the licence texts and the SBOM. It does not own
// how programs are built (internal/platform/artifact).
package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"kindred/internal/platform/artifact"
)

// ErrLicence is that of a component that must not ship: its licence is not in the list, or unknown.
var ErrLicence = errors.New("licence refused")

// allowed are the licences of linked code, as SPDX names them. Each lets a program ship under
// Apache-2.0, with the licence's text beside it. MPL-2.0 also wants the module's own source to be had:
// the module's path and version in the SBOM say where. The list has no GPL, LGPL or AGPL, because a Go
// program is linked as one file.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "MIT", "MPL-2.0", "SunPro"}

// Component is third-party code or data in a shipped file.
type Component struct {
	Name     string   // of a Go module its path; "std" is the standard library
	Version  string   // as its ecosystem writes it; "" of a folder that replaces a module
	PURL     string   // the package URL, such as pkg:golang/golang.org/x/sync@v0.24.0
	Sum      string   // of a Go module that of go.sum, else ""
	Licences []string // SPDX names, sorted, without repeats
	Texts    []Text   // of licences and notices, sorted by name
}

// Text is a file with a licence or a notice.
type Text struct {
	Name string // its path in the component
	Data string
}

// embedded are third-party files that a package of ours embeds.
var embedded = map[string]Component{
	"kindred/internal/job/console": {Name: "uplot", Version: "1.6.32", PURL: "pkg:npm/uplot@1.6.32",
		Texts: []Text{{Name: "asset/static/uplot-LICENSE.txt"}}},
}

// papers are names of files with a licence, a notice or a grant of patents.
var papers = regexp.MustCompile(`(?i)^(.*[-_.])?(licen[cs]es?|copying|notice|patents|unlicense)([-_.].*)?$`)

// sources are names that papers matches and that hold code.
var sources = regexp.MustCompile(`(?i)\.(go|sh|py|s|c|h|tmpl)$`)

// Of returns the components of a file that has the targets' programs, sorted by name and version. Dir is
// the folder of the module that is built. The error is ErrLicence, naming each component that must not
// ship, with its file and licence.
func Of(ctx context.Context, dir string, targets ...artifact.Target) ([]Component, error) {
	var packages []artifact.Package
	for _, t := range targets {
		linked, err := t.Linked(ctx, dir)
		if err != nil {
			return nil, err
		}
		packages = append(packages, linked...)
	}
	release, root, err := toolchain(ctx, dir)
	if err != nil {
		return nil, err
	}
	found := map[string]*Component{}
	folders := map[string]map[string]bool{} // by key of component: the folders of its linked packages
	from := map[string]string{}             // by key of component: its own folder
	add := func(key, dir, folder string, c Component) {
		if found[key] == nil {
			found[key], folders[key], from[key] = &c, map[string]bool{}, dir
		}
		folders[key][folder] = true
	}
	for _, p := range packages {
		switch {
		case p.Module == nil:
			add("std", root, root, Component{Name: "std", Version: release, PURL: "pkg:golang/std@" + release})
		case !p.Module.Main:
			m := p.Module
			add(m.Path+"@"+m.Version, m.Dir, p.Dir, Component{Name: m.Path, Version: m.Version, Sum: m.Sum,
				PURL: "pkg:golang/" + m.Path + "@" + m.Version})
		}
		if c, ok := embedded[p.Path]; ok {
			add(c.Name, p.Dir, p.Dir, c)
		}
	}
	var all []Component
	var refused []error
	for _, key := range slices.Sorted(maps.Keys(found)) {
		c := found[key]
		if err := c.read(from[key], slices.Sorted(maps.Keys(folders[key]))); err != nil {
			refused = append(refused, err)
		}
		all = append(all, *c)
	}
	return all, errors.Join(refused...)
}

// read fills in texts and licences. Dir is the component's folder, folders those of its linked packages.
func (c *Component) read(dir string, folders []string) error {
	if len(c.Texts) == 0 {
		for _, folder := range folders {
			if err := c.collect(dir, folder); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(c.Texts, func(a, b Text) int { return strings.Compare(a.Name, b.Name) })
	licences := map[string]bool{}
	for i := range c.Texts {
		t := &c.Texts[i]
		data, err := os.ReadFile(filepath.Join(dir, t.Name))
		if err != nil {
			return fmt.Errorf("read the licence of %s: %w", c.Name, err)
		}
		t.Data = string(data)
		names, err := recognise(t.Data)
		if err != nil {
			return err
		}
		for _, name := range names {
			if !slices.Contains(allowed, name) {
				return fmt.Errorf("%w: %s %s: %s is %s. Use another module, or add the licence to internal/release/inventory "+
					"after a lawyer's word", ErrLicence, c.Name, c.Version, t.Name, name)
			}
			licences[name] = true
		}
	}
	if c.Licences = slices.Sorted(maps.Keys(licences)); len(licences) == 0 {
		return fmt.Errorf("%w: %s %s: no licence was recognised in %s (files: %s)", ErrLicence, c.Name, c.Version, dir,
			cmp.Or(strings.Join(names(c.Texts), ", "), "none"))
	}
	return nil
}

// collect adds the papers of folder and of the folders above it, up to dir, the component's own.
func (c *Component) collect(dir, folder string) error {
	for at := folder; at == dir || strings.HasPrefix(at, dir+string(filepath.Separator)); at = filepath.Dir(at) {
		entries, err := os.ReadDir(at)
		if err != nil {
			return fmt.Errorf("look for the licence of %s: %w", c.Name, err)
		}
		for _, e := range entries {
			if !papers.MatchString(e.Name()) || sources.MatchString(e.Name()) {
				continue
			}
			name := strings.TrimPrefix(filepath.Join(at, e.Name()), dir+string(filepath.Separator))
			if !e.IsDir() {
				c.add(name)
				continue
			}
			inside, err := os.ReadDir(filepath.Join(dir, name))
			if err != nil {
				return fmt.Errorf("look for the licence of %s: %w", c.Name, err)
			}
			for _, f := range inside {
				if f.Type().IsRegular() && !sources.MatchString(f.Name()) {
					c.add(filepath.Join(name, f.Name()))
				}
			}
		}
	}
	return nil
}

func (c *Component) add(name string) {
	if !slices.Contains(names(c.Texts), name) {
		c.Texts = append(c.Texts, Text{Name: name})
	}
}

func names(texts []Text) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = t.Name
	}
	return all
}
