package archive

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/release/provenance"
)

// ErrDamaged is that of a release that is not as it was built, or not signed with the key.
var ErrDamaged = errors.New("do not use this release")

// Verified is a release that is as it was built.
type Verified struct {
	Files   int // without SumsFile
	Version string
	Commit  string
	Go      string // the release of Go that built it
	Signed  bool   // with the key that Verify was given
}

// Verify compares the release in folder with its checksums and its provenance, and the provenance with the
// signature of key's owner. Without a key, whoever changed a file may have changed the others too. The error is
// ErrDamaged and names every difference. It reads each file into memory.
func Verify(folder string, key crypto.PublicKey) (Verified, error) {
	files, err := readRelease(folder)
	if err != nil {
		return Verified{}, err
	}
	faults := []error{checkSums(files)}
	said := files[ProvenanceFile]
	if key != nil {
		signed, err := provenance.Open(files[SignedFile], key)
		switch {
		case files[SignedFile] == nil:
			faults = append(faults, fmt.Errorf("%s is missing: the release is not signed", SignedFile))
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", SignedFile, err))
		case !bytes.Equal(signed, said):
			faults = append(faults, fmt.Errorf("%s differs from what is signed in %s", ProvenanceFile, SignedFile))
		}
	}
	statement, err := provenance.Decode(said)
	if err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", ProvenanceFile, err))
	} else {
		built := maps.Clone(files)
		for _, name := range []string{SumsFile, ProvenanceFile, SignedFile} {
			delete(built, name)
		}
		faults = append(faults, statement.Check(built))
	}
	if err := errors.Join(faults...); err != nil {
		return Verified{}, fmt.Errorf("%w: %s:\n%w", ErrDamaged, folder, err)
	}
	definition := statement.Predicate.BuildDefinition
	return Verified{Files: len(files) - 1, Version: definition.ExternalParameters.Version, Commit: statement.Commit(),
		Go: definition.InternalParameters["go"], Signed: key != nil}, nil
}

// readRelease returns the files of a folder by name.
func readRelease(folder string) (map[string][]byte, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read the release: %w", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
			return nil, fmt.Errorf("read the release: %w", err)
		}
	}
	if files[SumsFile] == nil {
		return nil, fmt.Errorf("%w: %s has no file %s: name the folder of a release", ErrDamaged, folder, SumsFile)
	}
	return files, nil
}

// checkSums compares the files with SumsFile: each is in it with its hash, and nothing else is.
func checkSums(files map[string][]byte) error {
	listed := map[string]string{}
	for line := range strings.Lines(string(files[SumsFile])) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		listed[name] = sum
	}
	others := maps.Clone(files)
	delete(others, SumsFile)
	return provenance.Compare(others, listed, SumsFile, "expected")
}
