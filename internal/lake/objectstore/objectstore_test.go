package objectstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/objectstore/objectstoretest"
)

func TestFolderConforms(t *testing.T) {
	t.Parallel()
	objectstoretest.Run(t, func(t *testing.T) objectstore.Store {
		return objectstore.NewFolder(filepath.Join(t.TempDir(), "not", "there", "yet"))
	})
}

func TestFolderPutLeavesNothingBehindWhenTheBodyIsShort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := objectstore.NewFolder(dir)
	if _, err := store.Put(t.Context(), "k", strings.NewReader("abc"), 4, objectstore.Condition{}); err == nil {
		t.Fatal("a body of 3 bytes was accepted as 4")
	}
	if _, _, err := store.Get(t.Context(), "k"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get: error %v, want ErrNotFound", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".objectstore", "put-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// Somebody may have copied the objects without our hidden folder, or put files there by hand.
func TestFolderDeletesWhatItDidNotWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "k"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	store := objectstore.NewFolder(dir)
	if err := store.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Get(t.Context(), "k"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get after delete: error %v, want ErrNotFound", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{"", "file://relative/path", "ftp://host/x", "s3://", "file://" + file, "s3://a b%",
		"file:///some/a#b", "file:///some/a?b",
		"s3://bucket/a#b"} {
		if _, err := objectstore.Open(t.Context(), location); !errors.Is(err, objectstore.ErrLocation) {
			t.Errorf("Open(%q): error %v, want ErrLocation", location, err)
		}
	}
	store, err := objectstore.Open(t.Context(), "file:///some/folder/")
	if err != nil || store.String() != "file:///some/folder" {
		t.Errorf("Open of a folder: %v, %v", store, err)
	}
}
