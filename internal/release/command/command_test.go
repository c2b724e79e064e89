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
		"--repository: a URL with a host, and without": {"--tag", "v1.2.3", "--repository", "https://me:word@git.example/x"},
		"--key: no usable key":                         {"--tag", "v1.2.3", "--key", "nowhere.pem"},
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

// Verify ends with 2 without a usable key, and with 1 if the folder is no release.
func TestVerifySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{"no usable key": {"--key", "nowhere.pem"}, "has no file SHA256SUMS": nil} {
		var out, problems bytes.Buffer
		args = append([]string{"verify", t.TempDir()}, args...)
		code := program.Run(t.Context(), "release", Description, &Command{}, args, &out, &problems)
		want := 1
		if len(args) > 2 {
			want = 2
		}
		if code != want || !strings.Contains(problems.String(), says) {
			t.Errorf("%v: exit code %d, %q, want %d and %q", args, code, problems.String(), want, says)
		}
	}
}
