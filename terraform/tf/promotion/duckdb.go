package promotion

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// duckdbProgram is where the folder of --duckdb, and so the image, has DuckDB. terraform/modules/feedback
// names it.
const duckdbProgram = "usr/bin/duckdb"

// licences is where a folder has the licences of what it holds, as Debian's packages have them: a folder of each
// package, with a file copyright. DuckDB's own is in the folder duckdb.
const licences = "usr/share/doc/"

// libraryFolders are where the loader of Debian and Ubuntu looks on ARM64.
var libraryFolders = []string{"lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib", "usr/lib"}

// duckdbRoot reads a part of a root file system: DuckDB's program for Linux on ARM64, the loader and the
// libraries that it links, and their licences. The error, ErrDuckDB, says what is missing: in an image
// from scratch nothing else would be found.
func duckdbRoot(folder string) (entries []entry, err error) {
	root := os.DirFS(folder)
	libraries := map[string]bool{}
	if err := errors.Join(loadable(root, duckdbProgram, libraries), licensed(root, len(libraries) > 0)); err != nil {
		return nil, fmt.Errorf("%w in %s: %w", ErrDuckDB, folder, err)
	}
	err = fs.WalkDir(root, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file := filepath.Join(folder, name)
		info, err := os.Stat(file) // a link gives what it names
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		entries = append(entries, entry{name: name, mode: mode, data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", folder, err)
	}
	return entries, nil
}

// licensed checks that the licences of DuckDB and of its libraries are there: most demand their text beside the
// program. Which package a library comes from, the folder does not say, so one more text is enough.
func licensed(root fs.FS, libraries bool) error {
	const own = licences + "duckdb/copyright"
	if _, err := fs.Stat(root, own); err != nil {
		return fmt.Errorf("it lacks DuckDB's licence, %s: %w", own, err)
	}
	found, err := fs.Glob(root, licences+"*/copyright")
	if err == nil && libraries && len(found) < 2 {
		err = fmt.Errorf("it lacks the licences of the libraries, %sPACKAGE/copyright, which `dpkg -x` unpacks", licences)
	}
	return err
}

// loadable checks that the loader finds all that a program or a library links. seen are those checked before.
func loadable(root fs.FS, name string, seen map[string]bool) error {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if file.Machine != elf.EM_AARCH64 {
		return fmt.Errorf("%s is for %v, not for ARM64", name, file.Machine)
	}
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			text := make([]byte, part.Filesz)
			if _, err := part.ReadAt(text, 0); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			loader := path.Clean(string(text[1 : len(text)-1])) // between / and NUL
			if _, err := fs.Stat(root, loader); err != nil {
				return fmt.Errorf("%s needs the loader /%s: %w", name, loader, err)
			}
		}
	}
	linked, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, library := range linked {
		at := slices.IndexFunc(libraryFolders, func(folder string) bool {
			_, err := fs.Stat(root, folder+"/"+library)
			return err == nil
		})
		if at < 0 {
			return fmt.Errorf("%s links %s, which is in none of %v", name, library, libraryFolders)
		}
		if found := libraryFolders[at] + "/" + library; !seen[found] {
			seen[found] = true
			if err := loadable(root, found, seen); err != nil {
				return err
			}
		}
	}
	return nil
}
