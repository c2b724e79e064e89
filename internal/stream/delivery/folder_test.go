package delivery

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEachObjectHasItsHour(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hour := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0).UTC().Truncate(time.Hour)
		for _, folder := range Folders(hour) {
			if got, ok := Hour(folder + rapid.StringMatching(`[a-z0-9-]{1,20}`).Draw(t, "name")); !ok || !got.Equal(hour) {
				t.Fatalf("%s is of %v, %v; want %v", folder, got, ok, hour)
			}
			if _, ok := Hour(folder); ok {
				t.Fatalf("the folder %s is taken for an object", folder)
			}
		}
		if at, ok := Hour(rapid.String().Draw(t, "key")); ok {
			t.Fatalf("any text is of %v", at)
		}
	})
}

// TestTheFoldersAreTerraforms compares the folders with the prefix that Terraform gives Firehose.
func TestTheFoldersAreTerraforms(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "..", "terraform", "modules", "stream", "variables.tf")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`\bprefix +=[^"]*string, "([^"]*)"`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no prefix", file)
	}
	at := time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)
	want := strings.NewReplacer("!{timestamp:yyyy-MM-dd}", "2026-03-01", "!{timestamp:HH}", "07").Replace(string(found[1]))
	if got := Folders(at)[0]; got != want {
		t.Errorf("the folder is %s, Terraform's is %s", got, want)
	}
}
