package commit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
)

// A set of files becomes current at once. Committing the same content again changes nothing.
func ExampleRepository_Commit() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	repo := commit.NewRepository(objectstore.NewFolder(filepath.Join(dir, "lake")), "greetings")

	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile(filepath.Join(files, "hello.txt"), []byte("hello\n"), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	draft := commit.Draft{Kind: "greetings", Dir: files,
		Files: []commit.File{{Path: "hello.txt", DataSet: "texts", Rows: 1}}}
	for range 2 {
		m, changed, err := repo.Commit(ctx, draft)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Run, changed)
	}

	current, err := repo.Current(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(current.Files[0].Path, current.Files[0].Bytes, "bytes")
	// Output:
	// a86ff3c3a2901c49 true
	// a86ff3c3a2901c49 false
	// hello.txt 6 bytes
}
