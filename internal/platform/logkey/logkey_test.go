package logkey

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Functions log with these keys only: a literal in a log call is one that nobody finds.
func TestFunctionsLogWithTheseKeysOnly(t *testing.T) {
	t.Parallel()
	literal := regexp.MustCompile(`slog\.(?:String|Int|Int64|Float64|Bool|Any|Duration|Time)\("|[lL]og\.(?:Debug|Info|Warn|Error)(?:Context)?\((?:[^"]*, )?"[^"]*", "`)
	files := 0
	err := filepath.WalkDir("../../../lambdas", func(path string, _ os.DirEntry, err error) error {
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
	if err != nil || files < 5 {
		t.Fatalf("%d files read: %v", files, err)
	}
}
