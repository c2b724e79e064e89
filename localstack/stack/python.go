package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// pythonVersion is the only one that LocalStack 4.14.0 works with: 3.12 starts healthy and then
// fails to make a bucket.
const pythonVersion = "3.13"

// errNoPython is a sentence for the person at the keyboard.
var errNoPython = fmt.Errorf("%w: LocalStack needs Python %s with pip, and none was found: install it with `pyenv "+
	"install %s`, `brew install python@%s`, `apt install python%s-venv` or `uv python install %s`, and run this again",
	ErrConfig, pythonVersion, pythonVersion, pythonVersion, pythonVersion, pythonVersion)

// oncePython looks for Python at the first call. Two parts need it at the same time.
func oncePython() func(context.Context) (string, error) {
	var once sync.Once
	var path string
	err := errNoPython
	return func(ctx context.Context) (string, error) {
		once.Do(func() { path, err = findPython(ctx) })
		return path, err
	}
}

// findPython returns a program that is Python 3.13 and has pip. Each candidate is run, because
// pyenv's shims exist for versions that do not run.
func findPython(ctx context.Context) (string, error) {
	for _, candidate := range pythonCandidates(ctx) {
		if path, ok := tryPython(ctx, candidate); ok {
			return path, nil
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("look for Python: %w", ctx.Err())
		}
	}
	return "", errNoPython
}

func pythonCandidates(ctx context.Context) []string {
	name := "python" + pythonVersion
	candidates := []string{name, "python3"}
	roots := []string{os.Getenv("PYENV_ROOT")}
	if out, err := exec.CommandContext(ctx, "pyenv", "root").Output(); err == nil {
		roots = append(roots, strings.TrimSpace(string(out)))
	}
	home, err := os.UserHomeDir()
	if err == nil {
		roots = append(roots, filepath.Join(home, ".pyenv"))
	}
	for _, root := range roots {
		if root != "" {
			// only a bad pattern is an error
			found, _ := filepath.Glob(filepath.Join(root, "versions", pythonVersion+".*", "bin", name))
			candidates = append(candidates, found...)
		}
	}
	if home != "" {
		found, _ := filepath.Glob(filepath.Join(home, ".local/share/uv/python", "cpython-"+pythonVersion+".*", "bin", name))
		candidates = append(candidates, found...)
	}
	return append(candidates, "/opt/homebrew/bin/"+name, "/usr/local/bin/"+name, "/opt/local/bin/"+name)
}

// tryPython runs a candidate and returns the program behind it.
func tryPython(ctx context.Context, candidate string) (path string, ok bool) {
	const patience = 20 * time.Second // a first start on a slow disk; a shim that hangs ends here
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	script := "import pip, sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
	cmd := exec.CommandContext(ctx, candidate, "-c", script)
	cmd.Env = cleanEnv()
	out, err := cmd.Output()
	if err != nil {
		return "", false
	}
	version, path, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return path, version == pythonVersion && path != ""
}

// cleanEnv is this process's environment without what would change how Python, LocalStack or the
// AWS clients in it behave.
func cleanEnv() []string {
	var env []string
	for _, line := range os.Environ() {
		switch name, _, _ := strings.Cut(line, "="); {
		case strings.HasPrefix(name, "AWS_"), strings.HasPrefix(name, "PYTHON"), strings.HasPrefix(name, "LOCALSTACK_"):
		case name == "VIRTUAL_ENV", name == stackVariable, name == "DEBUG", name == "SERVICES":
		default:
			env = append(env, line)
		}
	}
	return env
}

// pip runs pip and turns what it says into one sentence when it fails.
func (s *Stack) pip(ctx context.Context, args ...string) error {
	python, err := s.python(ctx)
	if err != nil {
		return err
	}
	args = append([]string{"-m", "pip", "--disable-pip-version-check", "--quiet"}, args...)
	return s.run(ctx, command{path: python, args: args, env: cleanEnv(), dir: s.folder.cache()})
}

// packageIndex is the index that pip is told to use and uv would not know of, or "".
func (s *Stack) packageIndex(ctx context.Context) (string, error) {
	if index := os.Getenv("PIP_INDEX_URL"); index != "" {
		return index, nil
	}
	python, err := s.python(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, python, "-m", "pip", "config", "get", "global.index-url")
	cmd.Env = cleanEnv()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", nil // not set
	}
	return strings.TrimSpace(string(out)), err
}
