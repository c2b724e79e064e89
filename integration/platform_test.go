package integration

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kindred/localstack/stack"
)

// TestPackagesExistForEveryPlatform resolves what native mode installs for the platforms of
// localstack/README.md, where nothing of it can be run: all are wheels but those packages that its
// table counts as sources. Without Python the test is skipped, and `make test` says so in capitals.
func TestPackagesExistForEveryPlatform(t *testing.T) {
	t.Parallel()
	local, err := stack.Open(stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	uv, env, err := local.Uv(t.Context())
	if errors.Is(err, stack.ErrConfig) {
		t.Skipf("NOT TESTED: %v", err) // docker mode needs no Python
	}
	if err != nil {
		t.Fatal(err)
	}
	sources := []string{"airspeed-ext", "crontab", "jsonpath-rw"}
	for platform, sources := range map[string][]string{
		"x86_64-manylinux_2_28": sources, "aarch64-manylinux_2_28": sources, "aarch64-apple-darwin": sources,
		"x86_64-apple-darwin": append(slices.Clone(sources), "lazy-object-proxy"),
	} {
		for list, sources := range map[string][]string{"requirements.txt": sources, "tools.txt": nil} {
			t.Run(platform+" "+list, func(t *testing.T) {
				args := []string{"pip", "install", "--dry-run", "--no-deps", "--require-hashes", "--target", t.TempDir(),
					"--python-version", "3.13",
					"--python-platform", platform, "--only-binary", ":all:", "--requirement", filepath.Join("..", "localstack",
						"stack", list)}
				for _, s := range sources {
					args = append(args, "--no-binary", s)
				}
				cmd := exec.CommandContext(t.Context(), uv, args...)
				cmd.Env = env
				if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Would install") {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}
