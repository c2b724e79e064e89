package promotion

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"kindred/internal/platform/artifact"
	"kindred/internal/release/function"
	"kindred/internal/release/inventory"
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
// Glue, and their hashes. Each zip, the image and Glue's folder have the licence texts and the SBOM of
// what they link. A licence that must not ship is inventory.ErrLicence. The same sources give the same
// bytes. rdsCA is RDS's bundle of certificate authorities. It may be nil; then terraform/aws does not plan,
// because nothing could verify its databases. duckdb is a folder as duckdbRoot reads it, for feedback; with
// "" the image has no DuckDB. programs are more programs of jobs/ for the image.
func Package(ctx context.Context, dir, folder string, rdsCA []byte, duckdb string, programs ...string) error {
	if err := os.MkdirAll(filepath.Join(folder, "glue"), 0o755); err != nil {
		return fmt.Errorf("package: %w", err)
	}
	more := map[string][]byte{}
	if rdsCA != nil {
		more[rdsCAFile] = rdsCA
	}
	files := map[string][]byte{}
	for _, name := range []string{"recommend", "serve"} {
		for processor, suffix := range architectures {
			data, err := function.Zip(ctx, dir, name+suffix+".zip", name, "linux", processor, more)
			if err != nil {
				return err
			}
			files[name+suffix+".zip"] = data
		}
	}
	data, err := batchImage(ctx, dir, more, duckdb, programs...)
	if err != nil {
		return err
	}
	files[imageFile] = data
	if err := glue(ctx, dir, files); err != nil {
		return err
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

// batchPrograms are those of the image, each as the file of its name.
var batchPrograms = []string{"./jobs/etl", "./jobs/feedback", "./jobs/train", "./jobs/publish", "./jobs/rollup",
	"./jobs/erase", "./terraform/tf/tunnel"}

// batchImage returns the image of the batch programs with more files and programs, and with the folder duckdb
// unless that is "".
func batchImage(ctx context.Context, dir string, more map[string][]byte, duckdb string, others ...string) ([]byte,
	error) {
	entries := []entry{{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: roots()}}
	foreign := map[string][]byte{}
	if duckdb != "" {
		files, err := duckdbRoot(duckdb)
		if err != nil {
			return nil, err
		}
		entries = append(entries, files...)
		for _, f := range files {
			if !strings.HasPrefix(f.name, licences) {
				foreign[f.name] = f.data
			}
		}
	}
	programs := map[string][]byte{}
	targets := []artifact.Target{{Program: rootsPackage, OS: "linux", Arch: imageArchitecture}}
	folders := slices.Clone(batchPrograms)
	for _, name := range others {
		folders = append(folders, "./jobs/"+name)
	}
	for _, folder := range folders {
		name := path.Base(folder)
		target := artifact.Target{Program: folder, OS: "linux", Arch: imageArchitecture}
		program, err := target.Compile(ctx, dir)
		if err != nil {
			return nil, err
		}
		programs[name], targets = program, append(targets, target)
		entries = append(entries, entry{name: name, mode: 0o755, data: program})
	}
	files, err := inventory.Documents(ctx, dir,
		inventory.Subject{Name: imageFile, Files: programs, Foreign: foreign}, targets...)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, more)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entries = append(entries, entry{name: name, mode: 0o644, data: files[name]})
	}
	data, err := image(entries)
	if err != nil {
		return nil, fmt.Errorf("package image: %w", err)
	}
	return data, nil
}

// glue adds the folder glue to files: the launchers and programs for Glue's workers.
func glue(ctx context.Context, dir string, files map[string][]byte) error {
	programs := map[string][]byte{}
	var targets []artifact.Target
	for name, launcher := range map[string]string{"etl": "jobs/etl/glue/launcher.py", "train": "jobs/train/spark/als.py"} {
		target := artifact.Target{Program: "./jobs/" + name, OS: "linux", Arch: "amd64"}
		program, err := target.Compile(ctx, dir)
		if err != nil {
			return err
		}
		programs[name], targets = program, append(targets, target)
		files["glue/"+name] = program
		if files["glue/"+filepath.Base(launcher)], err = os.ReadFile(filepath.Join(dir, launcher)); err != nil {
			return fmt.Errorf("package Glue's launcher of %s: %w", name, err)
		}
	}
	documents, err := inventory.Documents(ctx, dir, inventory.Subject{Name: "glue", Files: programs}, targets...)
	for name, data := range documents {
		files["glue/"+name] = data
	}
	return err
}

// rootsPackage is the package that roots reads.
const rootsPackage = "golang.org/x/crypto/x509roots/fallback/bundle"

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
