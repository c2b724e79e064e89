package promotion

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"kindred/internal/platform/artifact"
)

// The files of a package folder.
const (
	imageFile = "image.tar"
	sumsFile  = "SHA256SUMS"
	rdsCAFile = "rds-ca.pem" // in each package; the DSNs of terraform/aws contain its path
)

// architectures are the processors that functions are built for, with what their zips' names have for it.
var architectures = map[string]string{"arm64": "", "amd64": "-x86_64"}

// Package builds everything that is deployed from the sources in dir into folder: two zips for
// Lambda and each architecture, the image of the batch programs, the launchers and the programs for
// Glue, and their hashes. The same sources give the same bytes. rdsCA is RDS's bundle of certificate
// authorities. It may be nil; then terraform/aws does not plan, because nothing could verify its
// databases.
func Package(ctx context.Context, dir, folder string, rdsCA []byte) error {
	if err := os.MkdirAll(filepath.Join(folder, "glue"), 0o755); err != nil {
		return fmt.Errorf("package: %w", err)
	}
	more := map[string][]byte{}
	if rdsCA != nil {
		more[rdsCAFile] = rdsCA
	}
	files := map[string][]byte{}
	var err error
	for _, name := range []string{"recommend", "serve"} {
		for processor, suffix := range architectures {
			program, err := artifact.Compile(ctx, dir, "./lambdas/"+name, "linux", processor)
			if err != nil {
				return err
			}
			if files[name+suffix+".zip"], err = artifact.Pack(program, more); err != nil {
				return fmt.Errorf("package %s: %w", name, err)
			}
		}
	}
	entries := []entry{{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: roots()}}
	if rdsCA != nil {
		entries = append(entries, entry{name: rdsCAFile, mode: 0o644, data: rdsCA})
	}
	for _, name := range []string{"train", "publish"} {
		program, err := artifact.Compile(ctx, dir, "./jobs/"+name, "linux", imageArchitecture)
		if err != nil {
			return err
		}
		entries = append(entries, entry{name: name, mode: 0o755, data: program})
	}
	if files[imageFile], err = image(entries); err != nil {
		return fmt.Errorf("package image: %w", err)
	}
	for name, launcher := range map[string]string{"etl": "jobs/etl/glue/launcher.py", "train": "jobs/train/spark/als.py"} {
		// Glue's workers
		if files["glue/"+name], err = artifact.Compile(ctx, dir, "./jobs/"+name, "linux", "amd64"); err != nil {
			return err
		}
		if files["glue/"+filepath.Base(launcher)], err = os.ReadFile(filepath.Join(dir, launcher)); err != nil {
			return fmt.Errorf("package Glue's launcher of %s: %w", name, err)
		}
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

// roots returns the certificate authorities of the web as PEM, from a pinned module. An image from
// scratch has none.
func roots() []byte {
	var buf bytes.Buffer
	for root := range bundle.Roots() {
		buf.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
	}
	return buf.Bytes()
}

// sums returns the files' hashes in the format of sha256sum, sorted by name.
func sums(files map[string][]byte) []byte {
	var lines []string
	for name, data := range files {
		sum := sha256.Sum256(data)
		lines = append(lines, hex.EncodeToString(sum[:])+"  "+name)
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return []byte(strings.Join(lines, "\n") + "\n")
}
