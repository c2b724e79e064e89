package walls

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "kindred/"

// pkg is what the go command lists of a package, its paths without the module's name.
type pkg struct {
	ImportPath                         string
	Dir                                string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

// list asks the go command for all packages of the module. The overlay is empty or a file for -overlay.
func list(t *testing.T, tags, overlay string) map[string]pkg {
	t.Helper()
	args := []string{"list", "-e", "-tags", tags, "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	command := exec.CommandContext(t.Context(), "go", append(args, "./...")...)
	command.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, &stderr)
	}
	all := map[string]pkg{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		for _, imports := range [][]string{p.Imports, p.TestImports, p.XTestImports} {
			for i := range imports {
				imports[i] = strings.TrimPrefix(imports[i], module)
			}
		}
		all[p.ImportPath] = p
	}
	if len(all) < len(wings) {
		t.Fatalf("go list found only %d packages: %s", len(all), &stderr)
	}
	return all
}

// within reports whether path is the folder or lies in it.
func within(path, folder string) bool {
	rest, ok := strings.CutPrefix(path, folder)
	return ok && (rest == "" || rest[0] == '/')
}

// wingOf is the wing of a package of this module; "" for other packages and for code outside every wing.
func wingOf(path string) string {
	wing := ""
	for _, r := range wings {
		if within(path, r) && len(r) > len(wing) {
			wing = r
		}
	}
	return wing
}

// passes reports whether one of the edges leads from one wing to the other, and marks it as used.
func passes(edges []edge, from, to string, used map[edge]bool) bool {
	for _, e := range edges {
		if e.from == from && (e.to == to || e.to == "*") {
			used[e] = true
			return true
		}
	}
	return false
}

// crossings lists the imports that the walls forbid, each as "package imports package: reason".
func crossings(all map[string]pkg, allowed []edge, used map[edge]bool) []string {
	var found []string
	refuse := func(from, to, reason string) {
		found = append(found, fmt.Sprintf("%s imports %s: %s", from, to, reason))
	}
	for _, p := range all {
		wing := wingOf(p.ImportPath)
		if wing == "" {
			found = append(found, p.ImportPath+" is in no wing")
			continue
		}
		for _, to := range p.Imports {
			if target := wingOf(to); target != "" && target != wing && !passes(allowed, wing, target, used) {
				refuse(p.ImportPath, to, "no rule allows an import from "+wing+" to "+target)
			}
			if !libraryPasses(p.ImportPath, wing, to) {
				refuse(p.ImportPath, to, "the library is not allowed there")
			}
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			target := wingOf(to)
			if target != "" && target != wing && !passes(slices.Concat(allowed, testEdges), wing, target, used) {
				refuse(p.ImportPath+" (tests)", to, "no rule allows an import from "+wing+" to "+target+", not even in tests")
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// libraryPasses reports whether a package may import a path as far as the libraries are concerned.
// The standard library is free, but for what the table names.
func libraryPasses(path, wing, imported string) bool {
	for _, l := range libraries {
		if within(imported, l.path) {
			return slices.ContainsFunc(l.wings, func(allowed string) bool { return wing == allowed || within(path, allowed) })
		}
	}
	first, _, _ := strings.Cut(imported, "/")
	return wingOf(imported) != "" || !strings.Contains(first, ".")
}

// reach finds a chain of imports from a package to a path that is wanted, nil when there is none.
func reach(all map[string]pkg, from string, wanted func(path string) bool) []string {
	seen := map[string]bool{}
	var walk func(path string) []string
	walk = func(path string) []string {
		if wanted(path) {
			return []string{path}
		}
		if seen[path] {
			return nil
		}
		seen[path] = true
		for _, to := range all[path].Imports {
			if chain := walk(to); chain != nil {
				return append([]string{path}, chain...)
			}
		}
		return nil
	}
	return walk(from)
}

// leaks lists the chains of imports by which a pure package reaches a service or a file.
func leaks(all map[string]pkg) []string {
	var found []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(pure, path) {
			continue
		}
		chain := reach(all, path, func(to string) bool {
			return slices.ContainsFunc(libraries, func(l library) bool { return l.storage && within(to, l.path) })
		})
		if chain != nil {
			found = append(found, strings.Join(chain, " → "))
		}
	}
	return found
}

func TestNoImportCrossesAWall(t *testing.T) {
	t.Parallel()
	used := map[edge]bool{}
	shipped, local := list(t, "shipped", ""), list(t, "", "")
	for tag, found := range map[string][]string{
		"shipped":     crossings(shipped, edges, used),
		"not shipped": crossings(local, slices.Concat(edges, unshippedEdges), used),
	} {
		for _, crossing := range found {
			t.Errorf("%s: %s (internal/walls/allowed_test.go)", tag, crossing)
		}
	}
	for _, e := range slices.Concat(edges, unshippedEdges, testEdges) {
		if !used[e] {
			t.Errorf("nothing in %s imports %s any more: remove the edge", e.from, e.to)
		}
	}
	for _, leak := range leaks(local) {
		t.Errorf("the domain reaches a service or a file: %s", leak)
	}
	for _, path := range pure {
		if _, ok := local[path]; !ok {
			t.Errorf("there is no package %s", path)
		}
	}
}

func TestNothingThatShipsLinksTheLab(t *testing.T) {
	t.Parallel()
	all := list(t, "shipped", "")
	programs := 0
	for path := range all {
		wing := wingOf(path)
		if (wing != "jobs" && wing != "lambdas") || slices.Contains(labPrograms, path) {
			continue
		}
		programs++
		if chain := reach(all, path, func(to string) bool { return within(to, "internal/lab") }); chain != nil {
			t.Errorf("it ships and links the lab: %s", strings.Join(chain, " → "))
		}
	}
	if programs < 7 {
		t.Errorf("only %d programs were looked at", programs)
	}
}

// TestEveryForbiddenImportIsFound writes into one package of every wing a file that imports one
// package of every other wing, and every library, and expects exactly the forbidden ones to be found.
func TestEveryForbiddenImportIsFound(t *testing.T) {
	t.Parallel()
	before := list(t, "shipped", "")
	sample := map[string]pkg{} // one package of each wing, the first by name that has code
	for _, path := range slices.Sorted(maps.Keys(before)) {
		p, wing := before[path], wingOf(path)
		if _, ok := sample[wing]; !ok && len(p.GoFiles) > 0 {
			sample[wing] = p
		}
	}
	folder := t.TempDir()
	replace := map[string]string{}
	var want []string
	for i, wing := range wings {
		p, ok := sample[wing]
		if !ok {
			continue // tests only
		}
		var code strings.Builder
		fmt.Fprintf(&code, "package %s\n\n", packageName(t, p))
		for _, other := range wings {
			if target, ok := sample[other]; ok && other != wing {
				fmt.Fprintf(&code, "import _ %q\n", module+target.ImportPath)
				if !passes(edges, wing, other, map[edge]bool{}) {
					want = append(want, fmt.Sprintf("%s imports %s: no rule allows an import from %s to %s", p.ImportPath,
						target.ImportPath, wing, other))
				}
			}
		}
		for _, imported := range append([]string{"example.org/unknown"}, paths(libraries)...) {
			fmt.Fprintf(&code, "import _ %q\n", imported)
			if !libraryPasses(p.ImportPath, wing, imported) {
				want = append(want, fmt.Sprintf("%s imports %s: the library is not allowed there", p.ImportPath, imported))
			}
		}
		name := filepath.Join(folder, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(name, []byte(code.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(p.Dir, "forbidden.go")] = name
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(name, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	after := list(t, "shipped", name)
	got := crossings(after, edges, map[edge]bool{})
	slices.Sort(want)
	for _, crossing := range want {
		if !slices.Contains(got, crossing) {
			t.Errorf("not found: %s", crossing)
		}
	}
	for _, crossing := range got {
		if !slices.Contains(want, crossing) {
			t.Errorf("found, and not forbidden: %s", crossing)
		}
	}
	if len(want) < 300 {
		t.Errorf("only %d imports are forbidden", len(want))
	}
	if sample["internal/shop"].ImportPath != "internal/shop" || len(leaks(after)) == 0 {
		t.Error("a pure package that imports AWS's SDK was not found")
	}
}

func paths(libraries []library) []string {
	var all []string
	for _, l := range libraries {
		all = append(all, l.path)
	}
	return all
}

// packageName reads the name after "package" in the first file.
func packageName(t *testing.T, p pkg) string {
	t.Helper()
	code, err := os.ReadFile(filepath.Join(p.Dir, p.GoFiles[0]))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(code)) {
		if name, ok := strings.CutPrefix(line, "package "); ok {
			return strings.TrimSpace(name)
		}
	}
	t.Fatalf("%s names no package", p.ImportPath)
	return ""
}
