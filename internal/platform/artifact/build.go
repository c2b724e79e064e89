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

// FindRepository walks up from the working directory to the folder whose go.mod is kindred's.
func FindRepository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find working directory: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module kindred\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("run this inside the kindred repository")
		}
		dir = parent
	}
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

// Compile builds a program of the module in dir. Paths, times and the caller's settings leave no
// trace in it. A function depends on its sources and the Go release alone; any other program also
// knows its commit, so that --version can name it: the same commit gives the same bytes.
func Compile(ctx context.Context, dir, program, goos, goarch string) ([]byte, error) {
	scratch, err := os.MkdirTemp("", "kindred-build-")
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", program, err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // only our own temporary files
	out := filepath.Join(scratch, "program")
	with, link := tags, "-s -w -buildid="+stamp(ctx, dir)
	if strings.HasPrefix(program, "./lambdas/") {
		with, link = functionTags, "-s -w -buildid="
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", with, "-ldflags",
		link, "-o", out, program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOAMD64=", "GOARM64=", "GOFLAGS=",
		"GOEXPERIMENT="+experiment(program, goarch))
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s for %s/%s: %w: %s", program, goos, goarch, err, strings.TrimSpace(string(said)))
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", program, err)
	}
	return data, nil
}

// experiment is what a program is built with: a function with the vector kernels that compare products in
// memory. Go has them for amd64 only.
func experiment(program, goarch string) string {
	if strings.HasPrefix(program, "./lambdas/") && goarch == "amd64" {
		return "simd"
	}
	return ""
}

// stamp is the linker's flags that name the commit of dir in package program; none outside version
// control.
func stamp(ctx context.Context, dir string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "log", "-1", "--format=%H %cI").Output()
	commit, date, found := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || !found {
		return ""
	}
	const in = "kindred/internal/platform/program."
	return " -X " + in + "linkedCommit=" + commit + " -X " + in + "linkedDate=" + date
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
