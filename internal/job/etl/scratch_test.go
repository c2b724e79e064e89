package etl

import (
	"os"
	"path/filepath"
	"testing"
)

func TestScratchFoldersOfDeadRunsAreRemovedAndThoseOfLivingOnesAreNot(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dead, foreign := filepath.Join(parent, scratchPrefix+"dead"), filepath.Join(parent, scratchPrefix+"foreign")
	for _, dir := range []string{dead, foreign} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dead, lockName), nil, 0o600); err != nil { // the kernel has released it
		t.Fatal(err)
	}
	there := func(dir string) bool { _, err := os.Stat(dir); return err == nil }
	o := Options{ScratchDir: parent}
	err := withScratch(o, func(first string) error {
		if there(dead) || !there(foreign) {
			t.Errorf("the dead run's folder is there: %v; one without a lock: %v", there(dead), there(foreign))
		}
		return withScratch(o, func(second string) error {
			if !there(first) || !there(second) || first == second {
				t.Errorf("a living run's folder was taken: %s, %s", first, second)
			}
			return nil
		})
	})
	if left, _ := filepath.Glob(filepath.Join(parent, "*")); err != nil || len(left) != 1 {
		t.Errorf("left %q, error %v", left, err)
	}
}
