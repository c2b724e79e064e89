package terraform

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Everything that is deployed, in a package folder.
const (
	imageFile    = "image.tar"
	sumsFile     = "SHA256SUMS"
	launcherFile = "jobs/etl/glue/launcher.py"
	rdsCAFile    = "rds-ca.pem" // in each package; terraform/aws names the place in the DSN
)

// zipTime is the oldest time a zip can hold; a fixed one makes equal programs equal zips.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Package builds everything that is deployed from the sources in dir into folder: two zips for Lambda, the image of the batch programs,
// the launcher and the program for Glue, and their hashes. The same sources give the same bytes. rdsCA is RDS's bundle of
// certificate authorities, or nil: then terraform/aws finds a file missing, because its databases could not be verified.
func Package(ctx context.Context, dir, folder string, rdsCA []byte) error {
	if err := os.MkdirAll(filepath.Join(folder, "glue"), 0o755); err != nil {
		return fmt.Errorf("package: %w", err)
	}
	scratch, err := os.MkdirTemp("", "kindred-package-")
	if err != nil {
		return fmt.Errorf("package: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // only our own temporary files
	files := map[string][]byte{}
	for _, name := range []string{"recommend", "serve"} {
		program, err := compile(ctx, dir, scratch, "./lambdas/"+name, "arm64")
		if err != nil {
			return err
		}
		if files[name+".zip"], err = functionZip(program, rdsCA); err != nil {
			return fmt.Errorf("package %s: %w", name, err)
		}
	}
	entries := []entry{{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: roots()}}
	if rdsCA != nil {
		entries = append(entries, entry{name: rdsCAFile, mode: 0o644, data: rdsCA})
	}
	for _, name := range []string{"train", "publish"} {
		program, err := compile(ctx, dir, scratch, "./jobs/"+name, "arm64")
		if err != nil {
			return err
		}
		entries = append(entries, entry{name: name, mode: 0o755, data: program})
	}
	if files[imageFile], err = image(entries, "arm64"); err != nil {
		return fmt.Errorf("package image: %w", err)
	}
	if files["glue/etl"], err = compile(ctx, dir, scratch, "./jobs/etl", "amd64"); err != nil { // Glue's workers
		return err
	}
	if files["glue/launcher.py"], err = os.ReadFile(filepath.Join(dir, launcherFile)); err != nil {
		return fmt.Errorf("package Glue's launcher: %w", err)
	}
	if rdsCA != nil {
		files["glue/"+rdsCAFile] = rdsCA
	}
	files[sumsFile] = sums(files)
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return fmt.Errorf("package: %w", err)
		}
	}
	return nil
}

// compile builds one program for Linux. Paths, times and version control leave no trace in it.
func compile(ctx context.Context, dir, scratch, program, arch string) ([]byte, error) {
	out := filepath.Join(scratch, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", out, program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOAMD64=", "GOARM64=", "GOFLAGS=")
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s for %s: %w: %s", program, arch, err, strings.TrimSpace(string(said)))
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", program, err)
	}
	return data, nil
}

func functionZip(bootstrap, rdsCA []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, e := range []entry{{"bootstrap", 0o755, bootstrap}, {rdsCAFile, 0o644, rdsCA}} {
		if e.data == nil {
			continue
		}
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: zipTime}
		header.SetMode(os.FileMode(e.mode))
		f, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// roots are the certificate authorities of the web as PEM, from a pinned module: an image from scratch has none.
func roots() []byte {
	var buf bytes.Buffer
	for root := range bundle.Roots() {
		buf.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
	}
	return buf.Bytes()
}

// sums lists the files' hashes as sha256sum does, sorted by name.
func sums(files map[string][]byte) []byte {
	var lines []string
	for name, data := range files {
		sum := sha256.Sum256(data)
		lines = append(lines, hex.EncodeToString(sum[:])+"  "+name)
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return []byte(strings.Join(lines, "\n") + "\n")
}
