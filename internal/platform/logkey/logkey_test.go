package logkey

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Programs log with these keys only: a literal in a log call is one that nobody finds.
func TestProgramsLogWithTheseKeysOnly(t *testing.T) {
	t.Parallel()
	literal := regexp.MustCompile(`slog\.(?:String|Int|Int64|Float64|Bool|Any|Duration|Time)\("|` +
		`[lL]og\.(?:Debug|Info|Warn|Error)(?:Context)?\((?:[^"]*, )?"[^"]*",\s*"`)
	files := 0
	for _, folder := range []string{"lambdas", "jobs", "internal", "localstack", "terraform"} {
		err := filepath.WalkDir(filepath.Join("../../..", folder), func(path string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			source, err := os.ReadFile(path)
			for _, found := range literal.FindAllString(string(source), -1) {
				t.Errorf("%s: %s", path, found)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Fatalf("%d files read", files)
	}
}
