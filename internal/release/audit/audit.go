// Package audit looks for known vulnerabilities in what kindred links and installs, and for secrets in
// its history. It owns how kept tools are asked, and the comparison of pinned Python packages with OSV
// entries. It downloads no database: the caller names one.
package audit

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// ErrFound is that of a check that found something. The output says what.
var ErrFound = errors.New("the audit found something")

// scanned are the programs that ship, and those that run on the developer's machine.
var scanned = []string{"./jobs/...", "./lambdas/...", "./localstack/...", "./internal/release", "./terraform/tf"}

// Secrets lets gitleaks search all commits of the repository in dir, and write what it finds to out,
// without the secrets themselves. Its error is ErrFound if there is one.
func Secrets(ctx context.Context, dir string, out io.Writer) error {
	const found = 9 // gitleaks has no code of its own for this
	return tool(ctx, dir, out, found, "gitleaks", "git", "--no-banner", "--no-color", "--redact", "--verbose",
		fmt.Sprintf("--exit-code=%d", found), ".")
}

// GoModules lets govulncheck compare the packages that programs of the module in dir import with a
// database, a URL or a folder of OSV entries, and write what it finds to out. Without packages it looks
// at kindred's programs. Its error is ErrFound if an imported package is vulnerable.
func GoModules(ctx context.Context, dir, database string, out io.Writer, packages ...string) error {
	if folder, local := strings.CutPrefix(database, "file://"); local || !strings.Contains(database, "://") {
		folder, err := filepath.Abs(folder)
		if err != nil {
			return fmt.Errorf("database of Go's vulnerabilities: %w", err)
		}
		_, err = os.Stat(filepath.Join(folder, "index", "modules.json"))
		if entries, _ := filepath.Glob(filepath.Join(folder, "GO-*.json")); err != nil && len(entries) == 0 {
			// Govulncheck would find nothing in it, and say so.
			return fmt.Errorf("database of Go's vulnerabilities: %s has neither index/modules.json nor an entry GO-….json",
				folder)
		}
		database = "file://" + folder
	}
	if len(packages) == 0 {
		packages = scanned
	}
	const found = 3 // govulncheck's
	return tool(ctx, dir, out, found, "govulncheck", append([]string{"-scan=package", "-db=" + database}, packages...)...)
}

// tool runs a pinned tool in dir. The exit code found is ErrFound.
func tool(ctx context.Context, dir string, out io.Writer, found int, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"tool", "-modfile=.ci/audit.mod", name}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == found:
		return fmt.Errorf("%w: %s", ErrFound, name)
	default:
		return fmt.Errorf("%s: %w; its output says why", name, err)
	}
}

// pin is a line such as `boto3==1.42.59 \` of a requirements file.
var pin = regexp.MustCompile(`(?m)^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)`)

// entry is the part of an OSV entry (https://ossf.github.io/osv-schema/) that is read here.
type entry struct {
	ID, Summary, Withdrawn string
	Affected               []struct {
		Package  struct{ Name, Ecosystem string }
		Versions []string
		Ranges   []struct {
			Type   string
			Events []struct {
				Introduced, Fixed string
				LastAffected      string `json:"last_affected"`
			}
		}
	}
}

// PythonPackages compares the packages that requirements pins with a database of OSV entries, a folder
// or a zip of JSON files such as OSV's all.zip for PyPI. It writes each hit to out, and the numbers of
// packages and entries. Its error is ErrFound if there is a hit. A database without an entry for PyPI is
// an error, and so are requirements without a pin.
func PythonPackages(requirements []byte, database string, out io.Writer) error {
	pins := map[string]string{}
	for _, m := range pin.FindAllSubmatch(requirements, -1) {
		pins[normal(string(m[1]))] = string(m[2])
	}
	if len(pins) == 0 {
		return errors.New("the requirements pin no package")
	}
	files, err := open(database)
	if err != nil {
		return fmt.Errorf("database of Python's vulnerabilities: %w", err)
	}
	defer func() { _ = files.Close() }()
	entries, hits := 0, 0
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".json" {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("%s is no OSV entry: %w", name, err)
		}
		python, found, err := e.hits(pins)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if python {
			entries++
		}
		for _, p := range found {
			hits++
			fmt.Fprintf(out, "%s %s: %s %s\n", p, pins[p], e.ID, e.Summary)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("database of Python's vulnerabilities: %w", err)
	}
	if entries == 0 {
		return fmt.Errorf("database of Python's vulnerabilities: %s has no OSV entry for PyPI", database)
	}
	fmt.Fprintf(out, "%d Python packages, compared with %d entries: %d hits\n", len(pins), entries, hits)
	if hits > 0 {
		return fmt.Errorf("%w: %d vulnerabilities of Python packages", ErrFound, hits)
	}
	return nil
}

// files is a folder or a zip.
type files interface {
	fs.FS
	io.Closer
}

type folder struct{ fs.FS }

func (folder) Close() error { return nil }

func open(name string) (files, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return folder{os.DirFS(name)}, nil
	}
	return zip.OpenReader(name)
}

var separators = regexp.MustCompile(`[-_.]+`)

// normal is a package's name as PyPI compares it (PEP 503).
func normal(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }

// hits says whether the entry is about packages of PyPI, and returns those of pins that it hits.
func (e entry) hits(pins map[string]string) (python bool, found []string, err error) {
	for _, a := range e.Affected {
		if a.Package.Ecosystem != "PyPI" {
			continue
		}
		python = true
		name := normal(a.Package.Name)
		pinned, ok := pins[name]
		if !ok || e.Withdrawn != "" {
			continue
		}
		version, err := pep440.Parse(pinned)
		if err != nil {
			return true, nil, fmt.Errorf("the pinned version of %s: %w", name, err)
		}
		hit := false
		for _, listed := range a.Versions {
			v, err := pep440.Parse(listed) // old releases have versions that PEP 440 does not know; those are not pinned
			hit = hit || err == nil && v.Equal(version)
		}
		for _, r := range a.Ranges {
			if r.Type != "ECOSYSTEM" {
				continue
			}
			affected := false
			for _, event := range r.Events { // in order of versions
				if reached, err := within(version, event.Introduced, event.Fixed, event.LastAffected); err != nil {
					return true, nil, err
				} else if reached {
					affected = event.Introduced != ""
				}
			}
			hit = hit || affected
		}
		if hit {
			found = append(found, name)
		}
	}
	return python, found, nil
}

// within says whether version has reached an event: introduced in it or before, fixed likewise, or last
// affected before it.
func within(version pep440.Version, introduced, fixed, last string) (bool, error) {
	if introduced == "0" {
		return true, nil
	}
	at, err := pep440.Parse(introduced + fixed + last) // an event has one of the three
	if err != nil {
		return false, err
	}
	if last != "" {
		return version.GreaterThan(at), nil
	}
	return version.GreaterThanOrEqual(at), nil
}
