package provision

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// zipTime is the oldest time a zip can hold; a fixed one makes equal binaries equal zips.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// BuildFunction compiles ./lambdas/<name> of the module in dir for this machine and returns it as a Lambda zip. LocalStack
// without Docker runs the bootstrap directly on the host, so on macOS that is a macOS binary. The same sources and Go
// release give the same bytes.
func BuildFunction(ctx context.Context, dir, name string) ([]byte, error) {
	return BuildFunctionFor(ctx, dir, name, runtime.GOOS)
}

// BuildFunctionFor is BuildFunction for another operating system: "linux" when LocalStack runs in a container.
func BuildFunctionFor(ctx context.Context, dir, name, goos string) ([]byte, error) {
	scratch, err := os.MkdirTemp("", "kindred-build-")
	if err != nil {
		return nil, fmt.Errorf("build function %s: %w", name, err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // only our own temporary files
	bootstrap := filepath.Join(scratch, "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=",
		"-o", bootstrap, "./lambdas/"+name)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+runtime.GOARCH, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build function %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	binary, err := os.Open(bootstrap)
	if err != nil {
		return nil, fmt.Errorf("build function %s: %w", name, err)
	}
	defer func() { _ = binary.Close() }() // opened for reading
	data, err := Pack(binary)
	if err != nil {
		return nil, fmt.Errorf("zip function %s: %w", name, err)
	}
	return data, nil
}

// Pack returns a Lambda zip that holds bootstrap, executable, and nothing else. Equal input gives equal bytes.
func Pack(bootstrap io.Reader) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: zipTime}
	header.SetMode(0o755)
	entry, err := w.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(entry, bootstrap); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
