package command

import (
	"bytes"
	"strings"
	"testing"

	"kindred/internal/platform/program"
)

// Bad arguments end with 2, before anything is built, and the flags of make release are the program's.
func TestBuildSaysWhatIsWrong(t *testing.T) {
	for says, args := range map[string][]string{
		"plan9/amd64: a release is for linux/amd64": {"--platforms", "plan9/amd64"},
		"no version": {"--tag", "1.2"},
	} {
		var out, problems bytes.Buffer
		args = append([]string{"build", "--to", t.TempDir()}, args...)
		code := program.Run(t.Context(), "release", Description, &Command{}, args, &out, &problems)
		changed := strings.Contains(problems.String(), "not committed") // the developer's folder
		if code != 2 || !strings.Contains(problems.String(), says) && !changed {
			t.Errorf("%v: exit code %d, %q, want 2 and %q", args, code, problems.String(), says)
		}
	}
}
