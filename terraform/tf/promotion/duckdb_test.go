package promotion

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"kindred/internal/release/inventory"
)

// TestDuckDBMustStartInTheImage takes a program of this machine for one of ARM64, and adds what it needs, one
// file after the other. Each time the error names the next one.
func TestDuckDBMustStartInTheImage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: a program that links libraries, because this is not Linux")
	}
	program, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	add := func(name string, data []byte) {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	refuses := func(what string) {
		t.Helper()
		if _, err := duckdbRoot(folder); !errors.Is(err, ErrDuckDB) || !strings.Contains(err.Error(), what) {
			t.Errorf("error %v, want one about %s", err, what)
		}
	}
	refuses(duckdbProgram)
	add(duckdbProgram, program)
	if runtime.GOARCH != "arm64" {
		refuses("not for ARM64")
	}
	binary.LittleEndian.PutUint16(program[18:], uint16(elf.EM_AARCH64))
	add(duckdbProgram, program)
	refuses("needs the loader")
	own, err := elf.Open("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	for _, part := range own.Progs {
		if part.Type == elf.PT_INTERP {
			text := make([]byte, part.Filesz)
			if _, err := part.ReadAt(text, 0); err != nil {
				t.Fatal(err)
			}
			add(string(text[1:len(text)-1]), nil)
		}
	}
	linked, err := own.ImportedLibraries()
	if err != nil || len(linked) == 0 {
		t.Fatalf("/bin/sh links %v, %v", linked, err)
	}
	alone := make([]byte, 64) // a file that links nothing: the header of ELF alone
	copy(alone, program[:64])
	clear(alone[32:48]) // no tables
	clear(alone[56:64])
	for _, library := range linked {
		refuses(library)
		add("lib/aarch64-linux-gnu/"+library, alone)
	}
	refuses("DuckDB's licence")
	add("usr/share/doc/duckdb/copyright", []byte("a licence"))
	refuses("licences of the libraries")
	add("usr/share/doc/libc6/copyright", []byte("a licence"))
	entries, err := duckdbRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(linked)+4 { // the program, the loader, the licences
		t.Errorf("%d files", len(entries))
	}
	for _, e := range entries {
		if e.name == duckdbProgram && e.mode != 0o755 {
			t.Errorf("the program has mode %o", e.mode)
		}
	}
	areListed(t, folder, entries)
}

// areListed checks that the image has the files of DuckDB's folder, and its SBOM all but the licences.
func areListed(t *testing.T, folder string, entries []entry) {
	t.Helper()
	data, err := batchImage(t.Context(), "../../..", nil, folder)
	if err != nil {
		t.Fatal(err)
	}
	files := layerFiles(t, data)
	bom := string(files[inventory.SBOMFile])
	for _, e := range entries {
		licence := strings.HasSuffix(e.name, "/copyright")
		if len(files[e.name]) != len(e.data) || strings.Contains(bom, `"name": "`+e.name+`"`) == licence {
			t.Errorf("%s, a licence: %t, has %d bytes in the image, whose SBOM is\n%s", e.name, licence, len(files[e.name]),
				bom)
		}
	}
}
