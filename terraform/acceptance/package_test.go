package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/terraform/tf/promotion"
)

// TestStaticPackageIsReproducible builds the packages of one commit twice, in folders with different
// names and without version control. The files must be the same.
func TestStaticPackageIsReproducible(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	head := exec.CommandContext(t.Context(), "git", "rev-parse", "HEAD")
	head.Dir = w.Repository
	commit, err := head.Output()
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for _, name := range []string{"one", "another-name"} {
		sources, folder := filepath.Join(t.TempDir(), name), t.TempDir()
		if err := os.Mkdir(sources, 0o755); err != nil {
			t.Fatal(err)
		}
		copied := exec.CommandContext(t.Context(), "bash", "-c",
			"set -o pipefail; git archive "+strings.TrimSpace(string(commit))+" | tar -x -C "+sources)
		copied.Dir = w.Repository
		if out, err := copied.CombinedOutput(); err != nil {
			t.Fatalf("copy the commit: %v %s", err, out)
		}
		if err := promotion.Package(t.Context(), sources, folder, []byte("authorities"), ""); err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadFile(filepath.Join(folder, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(list))
	}
	if diff := cmp.Diff(sums[0], sums[1]); diff != "" || len(sums[0]) < 5*64 {
		t.Errorf("two builds of one commit differ:\n%s", diff)
	}
	t.Log(sums[0])
}
