// Package artifact builds what is deployed from the sources: programs, and the zips of Lambda functions.
package artifact

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// zipTime is the oldest time a zip can hold; a fixed one makes equal binaries equal zips.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// The build tags leave out Lambda's old RPC runtime and everything in internal/lab. From a function
// they also leave out net/http's HTTP/2 (133 kB of the zip: a function speaks HTTP/1.1 to AWS), and
// pgx's list of Go types, from which it guesses PostgreSQL types.
const (
	tags         = "lambda.norpc,shipped"
	functionTags = tags + ",nopgxregisterdefaulttypes,onlambda,nethttpomithttp2"
)

// ReleaseFile is in the folder of an unpacked release, which has programs and no sources. Its first word
// is kindred, its second the version.
const ReleaseFile = "RELEASE"

// FunctionsFolder is where a release has the functions for the local stack, as ReleasedFunction names them.
const FunctionsFolder = "functions"

// FindRepository walks up from the working directory to the folder whose go.mod is kindred's.
func FindRepository() (string, error) {
	return walkUp(isRepository, "run this inside the kindred repository")
}

// FindHome is FindRepository, and also finds the folder of an unpacked release: what runs the local stack
// needs no sources.
func FindHome() (string, error) {
	return walkUp(func(dir string) bool { return isRepository(dir) || isRelease(dir) },
		"run this inside the kindred repository, or inside the folder of an unpacked release")
}

func isRepository(dir string) bool { return begins(filepath.Join(dir, "go.mod"), "module kindred\n") }

func isRelease(dir string) bool { return begins(filepath.Join(dir, ReleaseFile), "kindred ") }

// begins says whether the file at path begins with text. A file that cannot be read does not.
func begins(path, text string) bool {
	data, err := os.ReadFile(path)
	return err == nil && strings.HasPrefix(string(data), text)
}

func walkUp(found func(dir string) bool, advice string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find working directory: %w", err)
	}
	for !found(dir) {
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New(advice)
		}
		dir = parent
	}
	return dir, nil
}

// ReleasedFunction is a function's zip in the folder of a release: its path from there.
func ReleasedFunction(name, goos, goarch string) string {
	return FunctionsFolder + "/" + name + "-" + goos + "-" + goarch + ".zip"
}

// LocalFunction returns the Lambda zip ./lambdas/<name> for the local stack: from the sources in home, or, if
// home is the folder of a release, the one that lies there. See BuildFunction for goos.
func LocalFunction(ctx context.Context, home, name, goos string) ([]byte, error) {
	if !isRelease(home) {
		return BuildFunction(ctx, home, name, goos)
	}
	data, err := os.ReadFile(filepath.Join(home, ReleasedFunction(name, goos, runtime.GOARCH)))
	if err != nil {
		return nil, fmt.Errorf("function %s of this release: %w; unpack the archive for %s/%s again", name, err,
			runtime.GOOS, runtime.GOARCH)
	}
	return data, nil
}

// BuildFunction compiles ./lambdas/<name> of the module in dir for this machine's processor and
// returns it as a Lambda zip. The operating system is "linux" if LocalStack runs in a container.
// Without a container it runs the program on the host, so on macOS goos is "darwin".
func BuildFunction(ctx context.Context, dir, name, goos string) ([]byte, error) {
	bootstrap, err := Compile(ctx, dir, "./lambdas/"+name, goos, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	data, err := Pack(bootstrap, nil)
	if err != nil {
		return nil, fmt.Errorf("zip function %s: %w", name, err)
	}
	return data, nil
}

// Target is a program, and what it is built for.
type Target struct {
	Program  string // its folder in the module, such as ./jobs/train
	OS, Arch string // as Go names them
	// Release is the version of a release, such as v1.2.0: the program is one that people run, and
	// --version says so. Without it, the program is as it is deployed on AWS.
	Release string
}

// Compile builds a program of the module in dir as it is deployed on AWS. See Target.Compile.
func Compile(ctx context.Context, dir, program, goos, goarch string) ([]byte, error) {
	return Target{Program: program, OS: goos, Arch: goarch}.Compile(ctx, dir)
}

// Compile builds the program of the module in dir. Paths, times and the caller's settings leave no
// trace in it. A function depends on its sources and the Go release alone; any other program also
// knows its commit, so that --version can name it: the same commit gives the same bytes.
func (t Target) Compile(ctx context.Context, dir string) ([]byte, error) {
	scratch, err := os.MkdirTemp("", "kindred-build-")
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", t.Program, err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // only our own temporary files
	out := filepath.Join(scratch, "program")
	link := "-s -w -buildid="
	if !t.function() {
		link += stamp(ctx, dir)
	}
	if t.Release != "" {
		link += " -X " + stamped + "linkedRelease=" + t.Release
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", t.tags(), "-ldflags",
		link, "-o", out, t.Program)
	cmd.Dir, cmd.Env = dir, t.environment()
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s for %s/%s: %w: %s", t.Program, t.OS, t.Arch, err,
			strings.TrimSpace(string(said)))
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", t.Program, err)
	}
	return data, nil
}

// function says whether the program is built as a Lambda function.
func (t Target) function() bool { return t.Release == "" && strings.HasPrefix(t.Program, "./lambdas/") }

func (t Target) tags() string {
	if t.function() {
		return functionTags
	}
	return tags
}

func (t Target) environment() []string {
	return append(os.Environ(), "GOOS="+t.OS, "GOARCH="+t.Arch, "CGO_ENABLED=0", "GOAMD64=", "GOARM64=", "GOFLAGS=",
		"GOEXPERIMENT="+t.experiment())
}

// vectorPrograms are those that people run and that have the vector kernels, as the Makefile builds them.
var vectorPrograms = []string{"./jobs/train", "./jobs/infer", "./lambdas/serve"}

// experiment is what a program is built with: the vector kernels, in a function and in a release's
// programs that have them. Go has them for amd64 only.
func (t Target) experiment() string {
	kernels := t.function() || t.Release != "" && slices.Contains(vectorPrograms, t.Program)
	if kernels && t.Arch == "amd64" {
		return "simd"
	}
	return ""
}

// stamped is the package whose variables the linker sets.
const stamped = "kindred/internal/platform/program."

// stamp is the linker's flags that name the commit of dir in package program; none outside version
// control.
func stamp(ctx context.Context, dir string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "log", "-1", "--format=%H %cI").Output()
	commit, date, found := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || !found {
		return ""
	}
	return " -X " + stamped + "linkedCommit=" + commit + " -X " + stamped + "linkedDate=" + date
}

// Pack returns a Lambda zip: bootstrap, executable, beside the files. Equal input gives equal bytes.
func Pack(bootstrap []byte, files map[string][]byte) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser,
		error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	add := func(name string, mode os.FileMode, data []byte) error {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: zipTime}
		header.SetMode(mode)
		entry, err := w.CreateHeader(header)
		if err != nil {
			return err
		}
		_, err = entry.Write(data)
		return err
	}
	if err := add("bootstrap", 0o755, bootstrap); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := add(name, 0o644, files[name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
