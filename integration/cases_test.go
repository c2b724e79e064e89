package integration

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	driver "github.com/go-sql-driver/mysql"
)

// casesVariable names the folder of further inputs of the same kinds; see TestCases.
const casesVariable = "KINDRED_CASES"

// faultCase is one way in which something false used to pass.
type faultCase struct {
	folder string // its number and name
	// files are inputs of our own, by name.
	files map[string]string
	chain bool // the case needs the streaming half
	// check runs on a folder with such files.
	check func(b *caseBench, t *testing.T, folder string)
}

// caseBench is what a case's folders share.
type caseBench struct {
	stack  Stack
	latin1 *driver.Config // a MySQL-protocol server whose default character set is latin1
	chain  *caseChain     // nil where the case needs none
}

// TestCases runs every known case on inputs of our own and, where the folder exists, on those of
// KINDRED_CASES, by default ../shared/cases next to the repository. It prints a line for each case:
//
//	go test ./integration -run TestCases -v
//
// A folder there that no case below knows fails the test.
func TestCases(t *testing.T) {
	t.Parallel()
	given, err := filepath.Abs(cmp.Or(os.Getenv(casesVariable), filepath.Join("..", "..", "shared", "cases")))
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(shopCases(), importCases(), streamCases())
	entries, err := os.ReadDir(given)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err != nil {
		t.Logf("NOT TESTED: further inputs, because there is no folder %s", given)
	}
	for _, entry := range entries {
		known := slices.ContainsFunc(all, func(c faultCase) bool { return c.folder == entry.Name() })
		if entry.IsDir() && !known {
			t.Errorf("no case knows what is right for %s", entry.Name())
		}
	}
	server := mustLatin1Server(t)
	lines := make([]string, len(all))
	t.Run("of", func(t *testing.T) {
		for i, c := range all {
			t.Run(c.folder, func(t *testing.T) {
				t.Parallel()
				b := &caseBench{stack: mustStack(t), latin1: server}
				if c.chain {
					b.chain = mustCaseChain(t, b.stack)
				}
				own := t.TempDir()
				for name, content := range c.files {
					mustWrite(t, filepath.Join(own, name), content)
				}
				lines[i] = fmt.Sprintf("case %-26s own inputs: %s", c.folder,
					verdict(t.Run("own", func(t *testing.T) { c.check(b, t, own) })))
				if folder := filepath.Join(given, c.folder); isFolder(folder) {
					lines[i] += ", further inputs: " + verdict(t.Run("further", func(t *testing.T) { c.check(b, t, folder) }))
				}
			})
		}
	})
	for _, line := range lines {
		fmt.Println(line)
	}
}

func verdict(pass bool) string {
	if pass {
		return "right"
	}
	return "WRONG"
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// mustWrite writes a file, and the folders above it.
func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mustReadFile reads one of a case's files.
func mustReadFile(t *testing.T, folder, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
