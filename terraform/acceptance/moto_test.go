package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAWSPatchesOfMoto runs moto/test_server.py: each patch is needed, and works.
func TestAWSPatchesOfMoto(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	bin, err := w.Python(t.Context(), "moto")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "python"), "test_server.py")
	cmd.Dir = filepath.Join(w.Repository, "terraform", "moto")
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
