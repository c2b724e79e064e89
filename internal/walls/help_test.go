package walls

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	helpTag = regexp.MustCompile(`help:"((?:[^"\\]|\\.)*)"`)
	// leaning are words by which a flag's help depends on another flag's, or that need a second reading.
	leaning = regexp.MustCompile(`(?i)\b(?:likewise|the same of|as above|see above|ditto|beside|takes never|the latter|` +
		`says? (?:something |nothing )?of|events say|what answers)\b`)
)

// helpFault is what keeps a flag's or a command's help from standing alone: whoever looks up one
// flag reads one sentence.
func helpFault(help string) string {
	first := []rune(help + " ")[0]
	switch {
	case unicode.IsLower(first) && unicode.In(first, unicode.Latin):
		return "it does not begin with a capital letter"
	case !strings.HasSuffix(help, ".") && !strings.HasSuffix(help, "…"):
		return "it does not end with a full stop"
	case len(strings.Fields(help)) < 2:
		return "it is too short to explain anything"
	case leaning.MatchString(help):
		return "it leans on " + leaning.FindString(help)
	}
	return ""
}

func TestEveryHelpStandsAlone(t *testing.T) {
	t.Parallel()
	checked := 0
	eachGoFile(t, func(name string) {
		code, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") || !bytes.Contains(code, []byte(`help:"`)) {
			return
		}
		for _, found := range helpTag.FindAllSubmatch(code, -1) {
			checked++
			if fault := helpFault(string(found[1])); fault != "" {
				t.Errorf("%s: help %q: %s", name, found[1], fault)
			}
		}
	})
	if checked < 100 {
		t.Errorf("looked at %d help texts only", checked)
	}
	for _, bad := range []string{"", "Events.", "number of events.", "Number of events", "The same of a purchase.",
		"Folder, likewise.", "Time beside the limit."} {
		if helpFault(bad) == "" {
			t.Errorf("no fault found in %q", bad)
		}
	}
}
