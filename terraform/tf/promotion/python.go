package promotion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Python returns the folder bin of a virtual environment with the packages of
// terraform/tools/<name>.txt. It creates the environment on first use, and again if that file changes.
func (w *Workspace) Python(ctx context.Context, name string) (bin string, err error) {
	requirements := filepath.Join(w.Repository, "terraform", "tools", name+".txt")
	data, err := os.ReadFile(requirements)
	if err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	folder := filepath.Join(w.State, "python", name+"-"+hex.EncodeToString(sum[:6]))
	bin = filepath.Join(folder, "bin")
	done := filepath.Join(folder, "complete")
	if _, err := os.Stat(done); err == nil { //nolint:gosec // in the state folder, which the user names
		return bin, nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", folder},
		{filepath.Join(bin, "pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements},
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("install %s: %w: %s", name, err, strings.TrimSpace(string(out)))
		}
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil { //nolint:gosec // as above
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return bin, nil
}
