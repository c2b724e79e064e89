package promotion

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	plan := `{"resource_changes": [
		{"address": "a.same", "change": {"actions": ["no-op"], "before": {"x": 1}, "after": {"x": 1}}},
		{"address": "data.b", "change": {"actions": ["read"]}},
		{"address": "c.new", "change": {"actions": ["create"], "before": null, "after": {"x": 1}}},
		{"address": "d.other", "change": {"actions": ["update"], "before": {"x": 1, "y": [1], "z": "k"}, "after": {"x": 2, "y": [1]}, "after_unknown": {"z": true}}}
	]}`
	got, err := Changes([]byte(plan))
	want := []Change{{Address: "c.new", Actions: "create"},
		{Address: "d.other", Actions: "update", Attributes: []string{"x", "z"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("changes (%v):\n%s", err, diff)
	}
	if _, err := Changes([]byte("{")); err == nil || !strings.Contains(err.Error(), "read plan") {
		t.Errorf("error = %v", err)
	}
}

func TestResourcesOfAllModules(t *testing.T) {
	t.Parallel()
	state := `{"values": {"root_module": {"resources": [{"address": "a", "type": "t"}],
		"child_modules": [{"resources": [{"address": "m.b"}], "child_modules": [{"resources": [{"address": "m.n.c", "values": {"x": 1}}]}]}]}}}`
	got, err := Resources([]byte(state))
	if err != nil || len(got) != 3 || got["a"].Type != "t" || got["m.n.c"].Values["x"] != float64(1) {
		t.Errorf("resources = %v, %v", got, err)
	}
}

func TestEmulatorIsItsOwnProxy(t *testing.T) {
	t.Parallel()
	env := strings.Join(Emulator("http://127.0.0.1:1", "eu-west-1"), "\n")
	for _, want := range []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY=\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("%q is missing in\n%s", want, env)
		}
	}
}
