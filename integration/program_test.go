package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// compiled are the programs of this test run, each compiled when a test first needs it.
var compiled struct {
	mu     sync.Mutex
	folder string // "" as long as no test needs any
	done   map[string]bool
}

// mustJobs names all programs below jobs/.
func mustJobs(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("..", "jobs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// mustProgram compiles a job, or serve, and returns its path.
func mustProgram(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(mustCompile(t, name), name)
}

// mustCompile compiles the named programs unless that is done, and returns their folder.
func mustCompile(t *testing.T, names ...string) string {
	t.Helper()
	compiled.mu.Lock()
	defer compiled.mu.Unlock()
	if compiled.folder == "" {
		folder, err := os.MkdirTemp("", "kindred-programs-*")
		if err != nil {
			t.Fatal(err)
		}
		compiled.folder, compiled.done = folder, map[string]bool{}
	}
	var packages, withKernels []string
	for _, name := range names {
		switch {
		case compiled.done[name]:
		case name == "train" || name == "infer":
			withKernels = append(withKernels, "kindred/jobs/"+name)
		case name == "serve":
			withKernels = append(withKernels, "kindred/lambdas/serve")
		default:
			packages = append(packages, "kindred/jobs/"+name)
		}
	}
	mustBuild(t, compiled.folder, packages)
	mustBuild(t, compiled.folder, withKernels, "GOEXPERIMENT=simd") // as `make build` does
	for _, name := range names {
		compiled.done[name] = true
	}
	return compiled.folder
}

// mustBuild compiles programs into a folder.
func mustBuild(t *testing.T, folder string, packages []string, env ...string) {
	t.Helper()
	if len(packages) == 0 {
		return
	}
	build := exec.Command("go", append([]string{"build", "-o", folder + string(filepath.Separator)}, packages...)...)
	build.Env = append(os.Environ(), env...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", strings.Join(packages, ", "), err, out)
	}
}
