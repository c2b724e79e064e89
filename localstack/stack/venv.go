package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kindred/internal/platform/checksum"
)

// venvFolder is where Venv puts an environment: another folder for other requirements, as running
// stacks use the old one on.
func (s *Stack) venvFolder(name string, requirements []byte) string {
	return s.folder.opt(name + "-" + checksum.Bytes(requirements)[:8])
}

// Venv returns the folder of a Python environment that holds the packages of requirements, a list
// with hashes, and no others. It is made at the first call. Its stamp is written last, so an
// interrupted installation is repeated.
func (s *Stack) Venv(ctx context.Context, name string, requirements []byte) (folder string, err error) {
	folder = s.venvFolder(name, requirements)
	stamp := filepath.Join(folder, "complete")
	installed := func() bool {
		_, err := os.Stat(filepath.Join(folder, "bin", "python")) // a link into a Python that may have gone
		return err == nil && isFile(stamp)
	}
	if installed() {
		return folder, nil
	}
	unlock, err := lock(ctx, s.folder.opt(name+".lock"), func() { s.step(name, "waiting for another installation") })
	if err != nil {
		return "", err
	}
	defer unlock()
	if installed() {
		return folder, nil
	}
	python, err := s.python(ctx)
	if err != nil {
		return "", err
	}
	program, env, err := s.Uv(ctx)
	if err != nil {
		return "", err
	}
	list := filepath.Join(s.folder.cache(), name+".txt")
	if err := os.WriteFile(list, requirements, 0o644); err != nil {
		return "", fmt.Errorf("write requirements: %w", err)
	}
	if err := os.RemoveAll(folder); err != nil {
		return "", fmt.Errorf("clear half an installation: %w", err)
	}
	env = append(env, "VIRTUAL_ENV="+folder)
	done := s.step(name, fmt.Sprintf("installing %s (%d Python packages)", name, bytes.Count(requirements, []byte("=="))))
	uv := func(args ...string) error {
		return s.run(ctx, command{path: program, args: append(args, "--quiet"), env: env, dir: s.folder.cache()})
	}
	if err := uv("venv", "--python", python, folder); err != nil {
		return "", fmt.Errorf("make virtual environment: %w", err)
	}
	if err := uv("pip", "sync", "--require-hashes", "--compile-bytecode", list); err != nil {
		return "", fmt.Errorf("install %s (is the Python package index reachable?): %w", name, err)
	}
	done("installed " + name)
	return folder, os.WriteFile(stamp, nil, 0o644)
}

// Uv returns the program uv, downloaded at the first call, and the environment in which it finds
// the packages that pip finds.
func (s *Stack) Uv(ctx context.Context) (program string, env []string, err error) {
	if err := s.folder.create(); err != nil {
		return "", nil, err
	}
	tool, err := s.wheel(ctx, "uv", "uv")
	if err != nil {
		return "", nil, err
	}
	found, _ := filepath.Glob(filepath.Join(tool, "uv-*.data", "scripts", "uv"))
	if len(found) != 1 {
		return "", nil, errors.New("the package of uv holds no program")
	}
	env = append(cleanEnv(), "UV_CACHE_DIR="+filepath.Join(s.folder.cache(), "uv"), "UV_PYTHON_DOWNLOADS=never",
		"UV_SYSTEM_CERTS=true") // a company's own certificate authority is known to the system, and to pip, but not to uv
	index, err := s.packageIndex(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("ask pip for its index: %w", err)
	}
	if index != "" && os.Getenv("UV_INDEX_URL")+os.Getenv("UV_DEFAULT_INDEX") == "" {
		env = append(env, "UV_DEFAULT_INDEX="+index)
	}
	return found[0], env, nil
}
