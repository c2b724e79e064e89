package erasure

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Every table that a migration makes is known. A new one fails here until somebody has said what it holds of persons.
func TestEveryTableOfTheRegistryIsKnown(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../migration/*.sql")
	if err != nil || len(files) < 13 {
		t.Fatalf("%v, %v", files, err)
	}
	made := regexp.MustCompile(`CREATE TABLE (?:IF NOT EXISTS )?kindred\.(\w+)`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range made.FindAllSubmatch(text, -1) {
			if _, known := state[string(m[1])]; !known {
				t.Errorf("%s makes kindred.%s: say in state what it holds of persons", name, m[1])
			}
		}
	}
}
