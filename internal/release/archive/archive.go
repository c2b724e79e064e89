// Package archive writes a release: for each platform an archive of the programs that people run and of the
// local stack, with its licence texts and SBOM, the script that installs one, and their checksums. The same commit,
// version and release of Go give the same bytes.
package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/checksum"
	"kindred/internal/release/function"
	"kindred/internal/release/inventory"
	"kindred/internal/release/provenance"
)

// SumsFile has the checksums of a release's other files, in the format of sha256sum. ProvenanceFile says what
// all but these three were built from, and SignedFile is the same, signed.
const (
	SumsFile       = "SHA256SUMS"
	ProvenanceFile = "provenance.json"
	SignedFile     = "provenance.intoto.jsonl"
)

// Platforms are those of a release, as Go names them.
var Platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}

// programs are those that people run, and those that bring up the local stack and show kindred on it. The
// promotion to AWS needs the sources.
var programs = []string{"./jobs/connect", "./jobs/console", "./jobs/erase", "./jobs/etl", "./jobs/feedback",
	"./jobs/infer", "./jobs/publish", "./jobs/replay", "./jobs/rollup", "./jobs/seed", "./jobs/train", "./jobs/verify",
	"./lambdas/serve", "./localstack", "./localstack/demo"}

// functions are those that the local stack runs.
var functions = []string{"recommend", "serve"}

// papers are files of the repository in each archive, as git's patterns: the targets of make that need no
// sources, the documents, and what the local stack reads.
var papers = []string{"CHANGELOG.md", "LICENSE", "README.md", "CONTRIBUTING.md", "Makefile", "docs", ":!docs/*.go",
	"localstack/README.md", "localstack/compose.yaml", "localstack/mysql.sql", "localstack/executor",
	":!localstack/executor/tests"}

// fileTime is that of every file in an archive. The real one would give the same content other bytes.
var fileTime = time.Unix(0, 0).UTC()

//go:embed install.sh
var installer string

var versions = regexp.MustCompile(`^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$`)

// ErrVersion is that of a release without a usable version.
var ErrVersion = errors.New("no version")

// ErrChanged is that of a folder with changes that are not committed: a release is a commit.
var ErrChanged = errors.New("changes are not committed")

// Version returns the version of a release of the commit in dir: given, or, if that is empty, the
// commit's tag. It is a semantic version with a v, such as v1.2.0 or v1.2.0-rc.1.
func Version(ctx context.Context, dir, given string) (string, error) {
	if changes, err := git(ctx, dir, "status", "--porcelain"); err != nil {
		return "", err
	} else if changes != "" {
		return "", fmt.Errorf("%w:\n%s\nCommit or stash them", ErrChanged, changes)
	}
	version := given
	if version == "" {
		tags, err := git(ctx, dir, "tag", "--points-at", "HEAD", "--list", "v*")
		if err != nil {
			return "", err
		}
		switch all := strings.Fields(tags); len(all) {
		case 0:
			return "", fmt.Errorf("%w: this commit has no tag that begins with v. Tag it (git tag v1.2.0), or set "+
				"VERSION=v1.2.0", ErrVersion)
		case 1:
			version = all[0]
		default:
			return "", fmt.Errorf("%w: this commit has the tags %s. Say which with VERSION=", ErrVersion,
				strings.Join(all, ", "))
		}
	}
	if !versions.MatchString(version) {
		return "", fmt.Errorf("%w: %q is not a semantic version with a v, such as v1.2.0", ErrVersion, version)
	}
	return version, nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// Release is what is built from a commit.
type Release struct {
	Version    string        // as Version gives it
	Platforms  []string      // some of Platforms
	Repository string        // its address, for the provenance; "" if nobody needs to know
	Key        crypto.Signer // signs the provenance; nil leaves it unsigned
}

// Build writes a release of the sources in dir into folder, and returns its files by name. Earlier files of the
// folder must be gone: SHA256SUMS lists a whole release. A licence that cannot ship is inventory.ErrLicence,
// and then nothing is written.
func Build(ctx context.Context, dir, folder string, r Release) (map[string][]byte, error) {
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("release: the folder %s is not empty: remove it, or name another one", folder)
	}
	commit, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	var components []inventory.Component
	for _, platform := range r.Platforms {
		name := "kindred-" + r.Version + "-" + strings.ReplaceAll(platform, "/", "-")
		content, linked, err := contents(ctx, dir, name, platform, commit, r.Version)
		if err != nil {
			return nil, err
		}
		components = append(components, linked...)
		files[name+".sbom.cdx.json"] = content[inventory.SBOMFile].data
		if files[name+".tar.gz"], err = pack(name, content); err != nil {
			return nil, fmt.Errorf("release %s: %w", name, err)
		}
	}
	files["install.sh"] = []byte(strings.NewReplacer("@VERSION@", r.Version, "@SUMS@",
		strings.TrimSuffix(string(sums(files, ".tar.gz")), "\n")).Replace(installer))
	if err := attest(dir, commit, r, components, files); err != nil {
		return nil, err
	}
	files[SumsFile] = sums(files, "")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(folder, name), files[name], 0o644); err != nil {
			return nil, fmt.Errorf("release: %w", err)
		}
	}
	return files, nil
}

// attest adds the provenance of files, and the signed one if there is a key.
func attest(dir, commit string, r Release, components []inventory.Component, files map[string][]byte) error {
	locked, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	statement, err := provenance.Of(files,
		provenance.Parameters{Version: r.Version, Platforms: r.Platforms, Repository: r.Repository},
		provenance.Source{Commit: commit, GoSum: locked, Components: components})
	if err != nil {
		return err
	}
	said, err := statement.Encode()
	if err != nil {
		return err
	}
	files[ProvenanceFile] = said
	if r.Key != nil {
		files[SignedFile], err = provenance.Sign(said, r.Key)
	}
	return err
}

// file is one of an archive.
type file struct {
	mode int64
	data []byte
}

// contents returns the files of a platform's archive by their path in it, and what its programs link.
func contents(ctx context.Context, dir, name, platform, commit, version string) (map[string]file,
	[]inventory.Component, error) {
	goos, goarch, _ := strings.Cut(platform, "/")
	all := map[string]file{}
	shipped := map[string][]byte{}
	var targets []artifact.Target
	for _, program := range programs {
		t := artifact.Target{Program: program, OS: goos, Arch: goarch, Release: version}
		data, err := t.Compile(ctx, dir)
		if err != nil {
			return nil, nil, err
		}
		shipped["bin/"+path.Base(program)], targets = data, append(targets, t)
		all["bin/"+path.Base(program)] = file{0o755, data}
	}
	// In containers, functions run on Linux on any machine.
	for _, system := range slices.Compact([]string{"linux", goos}) {
		for _, lambda := range functions {
			at := artifact.ReleasedFunction(lambda, system, goarch)
			data, err := function.Zip(ctx, dir, path.Base(at), lambda, system, goarch, nil)
			if err != nil {
				return nil, nil, err
			}
			shipped[at] = data
			targets = append(targets, artifact.Target{Program: "./lambdas/" + lambda, OS: system, Arch: goarch})
			all[at] = file{0o644, data}
		}
	}
	if err := addPapers(ctx, dir, all); err != nil {
		return nil, nil, err
	}
	about := "kindred " + version + " for " + platform + ", commit " + commit + "\n"
	all[artifact.ReleaseFile] = file{0o644, []byte(about)}
	components, err := inventory.Of(ctx, dir, targets...)
	if err != nil {
		return nil, nil, err
	}
	sbom, err := inventory.SBOM(inventory.Subject{Name: name, Version: version, Files: shipped}, components)
	if err != nil {
		return nil, nil, err
	}
	all[inventory.SBOMFile] = file{0o644, sbom}
	all[inventory.NoticesFile] = file{0o644, inventory.Notices(components)}
	return all, components, nil
}

// addPapers adds the files that papers names.
func addPapers(ctx context.Context, dir string, all map[string]file) error {
	names, err := git(ctx, dir, append([]string{"ls-files", "-z", "--"}, papers...)...)
	if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.TrimSuffix(names, "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("release: %w", err)
		}
		all[name] = file{0o644, data}
	}
	return nil
}

// pack returns the files as a tar with gzip, in a folder of the archive's name.
func pack(folder string, files map[string]file) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		header := &tar.Header{Typeflag: tar.TypeReg, Name: folder + "/" + name, Mode: f.mode, Size: int64(len(f.data)),
			ModTime: fileTime, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// sums returns the hashes of the files whose names end with suffix, sorted by name.
func sums(files map[string][]byte, suffix string) []byte {
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, suffix) {
			fmt.Fprintf(&out, "%s  %s\n", checksum.Bytes(files[name]), name)
		}
	}
	return out.Bytes()
}
