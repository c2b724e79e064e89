package promotion

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAnInterruptedTerraformSavesItsState cancels a run whose program, like Terraform, saves what it has when it is
// interrupted once.
func TestAnInterruptedTerraformSavesItsState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script, begun, state := filepath.Join(dir, "terraform"), filepath.Join(dir, "begun"), filepath.Join(dir, "state")
	text := "#!/bin/sh\ntrap 'sleep 0.2; echo saved > " + state + "; exit 1' INT\ntouch " + begun +
		"\nwhile true; do sleep 0.05; done\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for {
			if _, err := os.Stat(begun); err == nil {
				stop()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := (&Root{Dir: dir, Program: script}).Run(ctx, "apply"); err == nil {
		t.Error("an interrupted run succeeds")
	}
	if _, err := os.Stat(state); err != nil {
		t.Errorf("it was killed before it had saved the state: %v", err)
	}
}
