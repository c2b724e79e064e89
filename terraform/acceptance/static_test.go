package acceptance

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kindred/terraform/tf/promotion"
)

// folders returns all folders of configuration: the modules and the two roots.
func folders(t *testing.T, w *promotion.Workspace) (modules, roots []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(w.Repository, "terraform", "modules", "*"))
	if err != nil || len(found) < 10 {
		t.Fatalf("%d modules, %v", len(found), err)
	}
	for _, m := range found {
		modules = append(modules, "modules/"+filepath.Base(m))
	}
	return modules, []string{"aws", "local"}
}

func TestStaticFormat(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	if out, err := w.Root("", "format").Run(t.Context(), "fmt", "-check", "-recursive", "-no-color"); err != nil {
		t.Errorf("not formatted (terraform fmt -recursive terraform): %s", out)
	}
}

// TestStaticValidate validates the roots, and runs each module's own tests with mocked AWS. Such a test
// also validates, so modules are not validated separately: reading the provider's schema takes 4 CPU
// seconds each time.
func TestStaticValidate(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	modules, roots := folders(t, w)
	for _, folder := range slices.Concat(modules, roots) {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			root := w.Root(folder, "static-"+strings.ReplaceAll(folder, "/", "-"), "AWS_REGION=eu-west-1")
			if slices.Contains(roots, folder) {
				if err := root.Init(t.Context(), "-backend=false"); err != nil {
					t.Fatal(err)
				}
				if _, err := root.Run(t.Context(), "validate", "-no-color"); err != nil {
					t.Fatal(err)
				}
				return
			}
			if _, err := root.Run(t.Context(), "init", "-input=false", "-no-color"); err != nil {
				t.Fatal(err)
			}
			out, err := root.Run(t.Context(), "test", "-no-color")
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`Success! [1-9][0-9]* passed, 0 failed`).Match(out) {
				t.Errorf("no test ran:\n%s", out)
			}
		})
	}
}

// TestStaticFiles checks that each module has the five standard files, that each variable and output
// has a description, and that each program has a module of its name.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	modules, roots := folders(t, w)
	block := regexp.MustCompile(`(?ms)^(variable|output) "([a-z_]+)" \{\n(.*?)^\}`)
	for _, folder := range slices.Concat(modules, roots) {
		for _, name := range []string{"main.tf", "variables.tf", "outputs.tf", "versions.tf"} {
			text, err := os.ReadFile(filepath.Join(w.Repository, "terraform", folder, name))
			if err != nil {
				t.Error(err)
			}
			for _, found := range block.FindAllStringSubmatch(string(text), -1) {
				if !strings.Contains(found[3], "description") || found[1] == "variable" && !regexp.MustCompile(`(?m)^ +type +=`).
					MatchString(found[3]) {
					t.Errorf("%s: %s %s has no description or no type", folder, found[1], found[2])
				}
			}
		}
		if tests, _ := filepath.Glob(filepath.Join(w.Repository, "terraform", folder, "tests",
			"*.tftest.hcl")); len(tests) == 0 && slices.Contains(modules, folder) {
			t.Errorf("%s has no tests", folder)
		}
	}
	for _, program := range []string{"erase", "etl", "feedback", "train", "publish", "recommend", "rollup", "serve",
		"verify"} {
		if !slices.Contains(modules, "modules/"+program) {
			t.Errorf("program %s has no module", program)
		}
	}
	// The local root contains modules only, so that checkov checks all of it through the AWS root.
	local, err := os.ReadFile(filepath.Join(w.Repository, "terraform", "local", "main.tf"))
	if err != nil || strings.Contains(string(local), "\nresource ") {
		t.Errorf("terraform/local has resources of its own (%v)", err)
	}
}

// TestStaticCheckov checks that checkov finds nothing. Skips are in the resources, with a reason.
// terraform/aws uses all modules except login.
func TestStaticCheckov(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	bin, err := w.Python(t.Context(), "checkov")
	if err != nil {
		t.Fatal(err)
	}
	for folder, atLeast := range map[string]int{"aws": 400, "modules/login": 1} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "checkov"), "-d", folder, "--framework", "terraform",
			"--download-external-modules", "false",
			"--skip-download", "--compact", "--quiet", "-o", "json")
		cmd.Dir = filepath.Join(w.Repository, "terraform")
		out, err := cmd.Output()
		var report struct {
			Summary struct {
				Passed, Failed, Skipped int
				Unread                  int `json:"parsing_errors"`
			}
			Results struct {
				Failed []struct {
					ID       string `json:"check_id"`
					Name     string `json:"check_name"`
					Resource string `json:"resource"`
				} `json:"failed_checks"`
			}
		}
		if json.Unmarshal(out, &report) != nil {
			t.Fatalf("checkov of %s does not print JSON (%v): %s", folder, err, out)
		}
		t.Logf("checkov of %s: %+v", folder, report.Summary)
		for _, f := range report.Results.Failed {
			t.Errorf("%s %s: %s", f.ID, f.Resource, f.Name)
		}
		if report.Summary.Passed < atLeast || report.Summary.Unread > 0 {
			t.Errorf("%s: only %d checks passed, %d files could not be parsed", folder, report.Summary.Passed,
				report.Summary.Unread)
		}
	}
}

func TestStaticSkipsHaveReasons(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	reason := regexp.MustCompile(`^ +# checkov:skip=CKV2?_AWS_[0-9]+:.{15,}$`)
	n := 0
	err := filepath.WalkDir(filepath.Join(w.Repository, "terraform"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".tf" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "checkov:skip") {
				n++
				if !reason.MatchString(line) {
					t.Errorf("%s: a skip without a reason: %s", filepath.Base(path), line)
				}
			}
		}
		return err
	})
	if err != nil || n == 0 {
		t.Errorf("%d skips, %v", n, err)
	}
}
