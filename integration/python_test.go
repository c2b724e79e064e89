package integration

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// installing is held by the one test that installs Python packages: others may ask for the same.
var installing sync.Mutex

// mustPython returns a folder with Python packages, installed there by pip with these arguments the
// first time. name holds what makes another folder of it, as their version. Without Python and pip
// the test is skipped, and `make test` says so in capitals.
func mustPython(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	if err := exec.Command("python3", "-m", "pip", "--version").Run(); err != nil {
		t.Skipf("NOT TESTED: %s needs Python with pip, which is not here", name)
	}
	opt, err := filepath.Abs(filepath.Join(cmp.Or(os.Getenv("KINDRED_RUNTIMES"), filepath.Join("..", ".kindred")), "opt"))
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(opt, name)
	installing.Lock()
	defer installing.Unlock()
	if _, err := os.Stat(home); !errors.Is(err, fs.ErrNotExist) {
		return home
	}
	if err := os.MkdirAll(opt, 0o755); err != nil {
		t.Fatal(err)
	}
	part, err := os.MkdirTemp(opt, name+"-part-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(part)
	install := slices.Concat([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check",
		"--target", part}, arguments)
	if out, err := exec.Command("python3", install...).CombinedOutput(); err != nil {
		t.Fatalf("install %s: %v: %s", name, err, out)
	}
	if err := os.Rename(part, home); err != nil {
		t.Fatal(err)
	}
	return home
}
