package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"kindred/internal/platform/artifact"
	"kindred/internal/release/inventory"
)

const repository = "../../.."

// clone returns a new clone of this repository's last commit.
func clone(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kindred")
	run(t, repository, "git", "clone", "--quiet", "--no-tags", ".", dir)
	return dir
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Two clones in other folders give the same bytes, and the script installs one of them on a machine
// without Go.
func TestARelease(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("NOT TESTED with -short: two clones give the same release; .ci/run tests it")
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if !slices.Contains(Platforms, platform) {
		t.Skipf("a release has no archive for %s", platform)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var releases []map[string][]byte
	folder := filepath.Join(t.TempDir(), "release")
	for _, to := range []string{folder, filepath.Join(t.TempDir(), "again")} {
		files, err := Build(t.Context(), clone(t), to,
			Release{Version: "v1.2.3", Platforms: []string{platform}, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, files)
	}
	if !maps.EqualFunc(releases[0], releases[1], bytes.Equal) {
		t.Error("two clones give different releases")
	}
	name := "kindred-v1.2.3-" + strings.ReplaceAll(platform, "/", "-")
	isWhole(t, name, unpacked(t, releases[0][name+".tar.gz"]))
	run(t, folder, "sha256sum", "--check", "--strict", SumsFile)
	verified, err := Verify(folder, key.Public())
	whole := strings.TrimSpace(run(t, repository, "git", "rev-parse", "HEAD"))
	if err != nil || verified.Commit != whole || "go"+verified.Go != runtime.Version() {
		t.Errorf("verified %+v, %v", verified, err)
	}
	if said := string(releases[0][ProvenanceFile]); strings.Contains(said, "TestARelease") ||
		!strings.Contains(said, "pkg:golang/github.com/jackc/pgx/v5@") {
		t.Errorf("the provenance has a path, or lacks a module:\n%s", said)
	}

	home := filepath.Join(t.TempDir(), "a home")
	install := func(release string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(folder, "install.sh"))
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "KINDRED_HOME=" + home, "KINDRED_RELEASE=" + release}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for range 2 { // the second time over the first
		if said, err := install(folder); err != nil {
			t.Fatalf("install.sh: %v\n%s", err, said)
		}
	}
	commit := strings.TrimSpace(run(t, repository, "git", "rev-parse", "--short=12", "HEAD"))
	for _, program := range programs {
		said := run(t, home, filepath.Join(home, "current", "bin", filepath.Base(program)), "--version")
		if !strings.Contains(said, " v1.2.3 ("+commit+"), committed ") {
			t.Errorf("%s --version says %q", program, said)
		}
	}
	demonstrate(t, filepath.Join(home, "current"))
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, name+".tar.gz"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := run(t, home, "ls", "-lR", ".")
	said, err := install(damaged)
	if err == nil || !strings.Contains(said, "nothing was installed") || run(t, home, "ls", "-lR", ".") != before {
		t.Errorf("a damaged archive: %v, %q", err, said)
	}
}

// isWhole checks that an archive has the documents and the functions, and these theirs.
func isWhole(t *testing.T, name string, has map[string][]byte) {
	t.Helper()
	for _, want := range []string{"bin/serve", "LICENSE", "docs/your-shop.md", inventory.NoticesFile,
		inventory.SBOMFile} {
		if len(has[name+"/"+want]) == 0 {
			t.Errorf("the archive lacks %s", want)
		}
	}
	for _, lambda := range functions {
		at := artifact.ReleasedFunction(lambda, runtime.GOOS, runtime.GOARCH)
		zip := unzipped(t, has[name+"/"+at])
		for _, want := range []string{"bootstrap", inventory.NoticesFile, inventory.SBOMFile} {
			if len(zip[want]) == 0 {
				t.Errorf("%s lacks %s", at, want)
			}
		}
	}
}

func unzipped(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		if files[f.Name], err = fs.ReadFile(z, f.Name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func unpacked(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(fileTime) || header.Uname != "" {
			t.Errorf("%s is of %s by %q", header.Name, header.ModTime, header.Uname)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// A new program must be in the archives.
func TestNoProgramIsForgotten(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob(repository + "/jobs/*/main.go")
	if err != nil || len(folders) == 0 {
		t.Fatal(folders, err)
	}
	for _, main := range folders {
		name := filepath.Base(filepath.Dir(main))
		if !slices.Contains(programs, "./jobs/"+name) {
			t.Errorf("jobs/%s is not in the archives", name)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, dir, "git", "init", "--quiet")
	run(t, dir, "git", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--allow-empty",
		"-m", "x")
	expect := func(given, want string, fault error, says string) {
		t.Helper()
		got, err := Version(t.Context(), dir, given)
		if got != want || !errors.Is(err, fault) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("version %q: %q, %v", given, got, err)
		}
	}
	expect("", "", ErrVersion, "git tag")
	expect("v1.2.0-rc.1", "v1.2.0-rc.1", nil, "")
	for _, bad := range []string{"1.2.0", "v1.2", "v01.2.0", "v1.2.0;x", "v1.2.0 -X a=b", "../v1.2.0"} {
		expect(bad, "", ErrVersion, "semantic version")
	}
	run(t, dir, "git", "tag", "v0.3.0")
	expect("", "v0.3.0", nil, "")
	run(t, dir, "git", "tag", "v0.3.1")
	expect("", "", ErrVersion, "v0.3.0, v0.3.1")
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("v1.2.0", "", ErrChanged, "new")
}

func TestAFullFolderIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "old.tar.gz"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Build(t.Context(), repository, folder, Release{Version: "v1.2.3"})
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("error = %v", err)
	}
}
