package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEachAlarmHasARunbook follows the text of each alarm to its section of docs/runbooks.md, and finds no
// section there of an alarm that does not exist.
func TestEachAlarmHasARunbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, sections, _ := strings.Cut(string(page), "\n## Alarms\n")
	sections, _, _ = strings.Cut(sections, "\n## ")
	written := map[string]bool{}
	for _, part := range strings.Split(sections, "\n### ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		written[name] = false
		if words := len(strings.Fields(text)); words < 15 {
			t.Errorf("the section %s has %d words", name, words)
		}
	}
	named := regexp.MustCompile(`\. What to do: docs/runbooks\.md#([a-z-]+)$`)
	plan := New(mustFixture(t), region)
	for _, kind := range []string{alarm, "aws_cloudwatch_composite_alarm"} {
		for _, x := range plan.Of(kind) {
			found := named.FindStringSubmatch(x.Text("alarm_description"))
			if found == nil {
				t.Errorf("%s: its text names no section: %s", x.Address, x.Text("alarm_description"))
				continue
			}
			if _, exists := written[found[1]]; !exists {
				t.Errorf("%s: docs/runbooks.md has no section %s", x.Address, found[1])
			}
			written[found[1]] = true
		}
	}
	for name, used := range written {
		if !used {
			t.Errorf("docs/runbooks.md says what to do about %s, which is no alarm", name)
		}
	}
}
