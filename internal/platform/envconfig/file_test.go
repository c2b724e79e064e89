package envconfig

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseFile(t *testing.T) {
	t.Parallel()
	got, err := ParseFile([]byte("# a comment\n\nA='1 2'\r\nexport B=\"x=y\"\nC=plain\n  D=''\n"))
	if diff := cmp.Diff(map[string]string{"A": "1 2", "B": "x=y", "C": "plain", "D": ""}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, want := range map[string]string{"A='1'\nnonsense\n": "line 2", "A='1": "the quote of A", "1A=2": "line 1"} {
		if _, err := ParseFile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// What FormatFile writes, ParseFile and a shell read back alike.
func TestFileRoundTrip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "env")
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`K[A-Z0-9_]{1,5}`),
			rapid.StringMatching(`[ -&(-~é]{0,12}`)).Draw(t, "variables") // printable but the single quote
		text, err := FormatFile(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseFile(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
	want := map[string]string{"A": `$HOME "x" \ ` + "`date`", "B": ""}
	text, err := FormatFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `. "$0"; printf %s "$A"`, path).Output()
	if err != nil || string(out) != want["A"] {
		t.Errorf("a shell reads %q, %v", out, err)
	}
	for _, bad := range []string{"it's", "two\nlines"} {
		if _, err := FormatFile(map[string]string{"A": bad}); err == nil {
			t.Errorf("%q was written", bad)
		}
	}
}

// The caller's environment wins, for every variable, also where it is set to nothing.
func TestUnderLetsTheCallerWin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name, value := rapid.SampledFrom([]string{"A", "B", "C", "D"}), rapid.SampledFrom([]string{"", "1", "2"})
		caller := rapid.MapOf(name, value).Draw(t, "caller")
		file := rapid.MapOf(name, value).Draw(t, "file")
		environ := []string{}
		for k, v := range caller {
			environ = append(environ, k+"="+v)
		}
		all, overruled := Under(environ, file)
		got := map[string]string{}
		for _, line := range all {
			k, v, _ := strings.Cut(line, "=")
			if _, twice := got[k]; twice {
				t.Fatalf("%s is there twice: %q", k, all)
			}
			got[k] = v
		}
		for k, v := range file {
			if mine, set := caller[k]; set {
				v = mine
				if slices.Contains(overruled, k) != (mine != file[k]) {
					t.Fatalf("overruled are %q", overruled)
				}
			}
			if got[k] != v {
				t.Fatalf("%s is %q, want %q", k, got[k], v)
			}
		}
	})
}
