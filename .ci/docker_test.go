// Package ci tests docker mode, which takes too long for `make test`, and the scripts of this folder.
// The go command leaves the folder out of ./..., so the tests run only where somebody names it:
// `go test -v -timeout 0 ./.ci`.
package ci

import (
	"cmp"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

var limit = flag.Int("limit", 5400, "seconds that docker mode may take")

// sharedHook is where a machine that cannot pull images may have its hook, beside the clone.
const sharedHook = "../../shared/images/build"

// notTested is how the script says that docker mode could not be tested here, and why.
const notTested = 75

// TestDockerMode runs .ci/docker with the hook that KINDRED_IMAGES names, or the one beside the clone.
func TestDockerMode(t *testing.T) {
	hook := os.Getenv("KINDRED_IMAGES")
	if _, err := os.Stat(sharedHook); err == nil {
		beside, err := filepath.Abs(sharedHook)
		if err != nil {
			t.Fatal(err)
		}
		hook = cmp.Or(hook, beside)
	}
	cmd := exec.CommandContext(t.Context(), "./docker", strconv.Itoa(*limit))
	cmd.Env = append(os.Environ(), "KINDRED_IMAGES="+hook)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == notTested {
		t.Skip("NOT TESTED: docker mode, for the reason above")
	}
	if err != nil {
		t.Error(err)
	}
}
