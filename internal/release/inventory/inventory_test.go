package inventory_test

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/licenseclassifier/v2/assets"

	"kindred/internal/platform/artifact"
	"kindred/internal/release/inventory"
)

const repository = "../../.."

// What the SBOM lists is what the linker wrote into the program.
func TestTheListIsTheLinkers(t *testing.T) {
	t.Parallel()
	for _, target := range []artifact.Target{
		{Program: "./lambdas/recommend", OS: "linux", Arch: "arm64"},
		{Program: "./jobs/console", OS: "linux", Arch: "amd64", Release: "v1.2.3"},
	} {
		program, err := target.Compile(t.Context(), repository)
		if err != nil {
			t.Fatal(err)
		}
		built, err := buildinfo.Read(bytes.NewReader(program))
		if err != nil {
			t.Fatal(err)
		}
		components, err := inventory.Of(t.Context(), repository, target)
		if err != nil {
			t.Fatal(err)
		}
		var linked, listed []string
		for _, m := range built.Deps {
			linked = append(linked, m.Path+" "+m.Version+" "+m.Sum)
		}
		for _, c := range components {
			if strings.HasPrefix(c.PURL, "pkg:golang/") && c.Name != "std" {
				listed = append(listed, c.Name+" "+c.Version+" "+c.Sum)
			}
			if len(c.Licences) == 0 || len(c.Texts) == 0 || c.Texts[0].Data == "" {
				t.Errorf("%s has no licence", c.Name)
			}
		}
		slices.Sort(linked)
		slices.Sort(listed)
		if !slices.Equal(linked, listed) || len(listed) < 5 {
			t.Errorf("%s links\n%s\nand its list has\n%s", target.Program, strings.Join(linked, "\n"),
				strings.Join(listed, "\n"))
		}
		isConsole := target.Program == "./jobs/console"
		has := slices.ContainsFunc(components, func(c inventory.Component) bool { return c.Name == "uplot" })
		if has != isConsole {
			t.Errorf("%s lists uplot: %t", target.Program, has)
		}
		reads(t, program, components)
	}
}

// reads checks the SBOM with the library's reader, and that the notices have every text.
func reads(t *testing.T, program []byte, components []inventory.Component) {
	t.Helper()
	subject := inventory.Subject{Name: "x", Version: "v1.2.3", Files: map[string][]byte{"bin/x": program}}
	first, err := inventory.SBOM(subject, components)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := inventory.SBOM(subject, components); err != nil || !bytes.Equal(first, again) {
		t.Errorf("another SBOM of the same (%v)", err)
	}
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(first), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if len(*bom.Components) != len(components)+1 {
		t.Errorf("SBOM of %d components, want %d and the program", len(*bom.Components), len(components))
	}
	notices := string(inventory.Notices(components))
	for _, c := range components {
		for _, text := range c.Texts {
			if !strings.Contains(notices, strings.TrimSpace(text.Data)) {
				t.Errorf("the notices lack %s of %s", text.Name, c.Name)
			}
		}
	}
}

func TestTheEmbeddedVersionIsThatOfTheFile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(repository + "/internal/job/console/asset/static/uplot.js")
	if err != nil {
		t.Fatal(err)
	}
	components, err := inventory.Of(t.Context(), repository,
		artifact.Target{Program: "./jobs/console", OS: "linux", Arch: "amd64", Release: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	banner := regexp.MustCompile(`uPlot \(v([0-9.]+)\)`).FindSubmatch(data)
	i := slices.IndexFunc(components, func(c inventory.Component) bool { return c.Name == "uplot" })
	if banner == nil || i < 0 || components[i].Version != string(banner[1]) {
		t.Errorf("uplot.js is %q, listed are %v", banner, components)
	}
}

// Everything that a person or AWS runs may ship, on each platform.
func TestWhatShipsMayShip(t *testing.T) {
	t.Parallel()
	programs, err := filepath.Glob(repository + "/jobs/*/main.go")
	if err != nil || len(programs) < 9 {
		t.Fatalf("programs = %v, %v", programs, err)
	}
	programs = append(programs, repository+"/lambdas/serve/main.go", repository+"/lambdas/recommend/main.go")
	var targets []artifact.Target
	for _, main := range programs {
		folder, err := filepath.Rel(repository, filepath.Dir(main))
		if err != nil {
			t.Fatal(err)
		}
		for _, platform := range []string{"linux", "darwin"} {
			targets = append(targets, artifact.Target{Program: "./" + folder, OS: platform, Arch: "arm64", Release: "v1.2.3"})
		}
		targets = append(targets, artifact.Target{Program: "./" + folder, OS: "linux", Arch: "amd64"})
	}
	components, err := inventory.Of(t.Context(), repository, targets...)
	if err != nil || len(components) < 50 {
		t.Errorf("%d components, %v", len(components), err)
	}
}

// Every licence that is not in the list is refused, wherever in the module its text lies.
func TestLicencesAreRefused(t *testing.T) {
	t.Parallel()
	apache, err := os.ReadFile(repository + "/LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[string]string // of the module, beside its code
		want  string            // in the error; "" if it may ship
	}{
		"Apache": {map[string]string{"LICENSE": string(apache)}, ""},
		"GPL":    {map[string]string{"LICENSE": text(t, "License/GPL-3.0/license.txt")}, "LICENSE is GPL-3.0"},
		"GPL over the package": {map[string]string{"LICENSE": string(apache),
			"part/COPYING": text(t, "License/GPL-3.0/license.txt")}, "part/COPYING is GPL-3.0"},
		"AGPL by a header": {map[string]string{"LICENSE": string(apache), "NOTICE": text(t, "Header/AGPL-3.0/header.txt")},
			"NOTICE is AGPL-3.0"},
		"none":    {nil, "no licence was recognised"},
		"unknown": {map[string]string{"LICENCE.md": "Ask me first."}, "no licence was recognised"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("go.mod", "module ours\n\ngo 1.26.0\n\nrequire other.example/seed v0.0.0\n\n"+
				"replace other.example/seed => ./seed\n")
			write("jobs/x/main.go", "package main\n\nimport \"other.example/seed/part\"\n\nfunc main() { part.Do() }\n")
			write("seed/go.mod", "module other.example/seed\n\ngo 1.26.0\n")
			write("seed/part/part.go", "package part\n\nfunc Do() {}\n")
			write("seed/unlinked/COPYING", "GNU GENERAL PUBLIC LICENSE") // of a package that nothing links
			for file, text := range c.files {
				write("seed/"+file, text)
			}
			_, err := inventory.Of(t.Context(), dir, artifact.Target{Program: "./jobs/x", OS: "linux", Arch: "amd64"})
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (!errors.Is(err, inventory.ErrLicence) || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "other.example/seed")) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

// text returns the text of a licence from the classifier's own collection.
func text(t *testing.T, name string) string {
	t.Helper()
	data, err := assets.ReadLicenseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
